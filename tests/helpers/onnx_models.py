"""Tiny ONNX models, written by hand: a token classifier that looks each token up, and one four-bit product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from yett_plugins import ner_int8 as wire

MODEL_IR, MODEL_OPSET = 1, 8
GRAPH_NAME, GRAPH_INPUT, GRAPH_OUTPUT = 2, 11, 12
INT64 = 7


def value(name: str, kind: int, shape: Sequence[str | int]) -> bytes:
    dims = b"".join(
        wire._message(1, wire._number(1, size) if isinstance(size, int) else wire._message(2, size.encode()))
        for size in shape
    )
    tensor = wire._number(1, kind) + wire._message(2, dims)
    return wire._message(1, name.encode()) + wire._message(2, wire._message(1, tensor))


def node(op: str, inputs: Sequence[str], output: str, domain: str = "", **numbers: int) -> bytes:
    data = b"".join(wire._message(wire.NODE_INPUT, one.encode()) for one in inputs)
    data += wire._message(wire.NODE_OUTPUT, output.encode()) + wire._message(wire.NODE_OP, op.encode())
    for name, number in numbers.items():
        inner = wire._message(wire.ATTRIBUTE_NAME, name.encode()) + wire._number(wire.ATTRIBUTE_INT, number)
        data += wire._message(wire.NODE_ATTRIBUTE, inner + wire._number(20, 2))
    return data + (wire._message(wire.NODE_DOMAIN, domain.encode()) if domain else b"")


def model(nodes: Sequence[bytes], tensors: Mapping[str, NDArray[Any]], inputs: bytes, output: bytes) -> bytes:
    kinds = {"float32": wire.FLOAT, "uint8": 2}
    graph = b"".join(wire._message(wire.GRAPH_NODE, one) for one in nodes) + wire._message(GRAPH_NAME, b"graph")
    graph += b"".join(
        wire._message(wire.GRAPH_TENSOR, wire._tensor(name, values, kinds[str(values.dtype)]))
        for name, values in tensors.items()
    )
    graph += wire._message(GRAPH_INPUT, inputs) + wire._message(GRAPH_OUTPUT, output)
    data = wire._number(MODEL_IR, 8) + wire._message(wire.MODEL_GRAPH, graph)
    for domain, version in ((b"", 18), (b"com.microsoft", 1)):
        data += wire._message(MODEL_OPSET, wire._message(1, domain) + wire._number(2, version))
    return data


def product(rows: int, columns: int, seed: int = 1) -> bytes:
    """y = x @ weights, the weights in four bits."""
    random = np.random.default_rng(seed)
    packed = random.integers(0, 256, (columns, rows // 32, 16), dtype=np.uint8)
    scales = random.uniform(0.01, 0.1, columns * rows // 32).astype(np.float32)
    one = node("MatMulNBits", ["x", "w", "s"], "y", "com.microsoft", K=rows, N=columns, bits=4, block_size=32)
    return model(
        [one],
        {"w": packed, "s": scales},
        value("x", wire.FLOAT, ["rows", rows]),
        value("y", wire.FLOAT, ["rows", columns]),
    )


def token_classifier(folder: Path, labels: Sequence[str], words: Mapping[str, str], sure: float = 5.0) -> Path:
    """A model folder whose model says of each word of `words` its label, of others `O`, whatever stands around it."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    names = ["[UNK]", "[CLS]", "[SEP]", *words]
    tokenizer = Tokenizer(models.WordLevel({name: at for at, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 1), ("[SEP]", 2)])
    table = np.zeros((len(names), len(labels)), np.float32)
    table[:, labels.index("O")] = sure
    for word, label in words.items():
        table[names.index(word)] = 0
        table[names.index(word), labels.index(label)] = sure
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"id2label": {str(at): name for at, name in enumerate(labels)}, "max_position_embeddings": 64}
    (folder / "config.json").write_bytes(orjson.dumps(config))
    (folder / "model.onnx").write_bytes(
        model(
            [node("Gather", ["table", "input_ids"], "logits")],
            {"table": table},
            value("input_ids", INT64, ["batch", "tokens"]),
            value("logits", wire.FLOAT, ["batch", "tokens", len(labels)]),
        )
    )
    return folder
