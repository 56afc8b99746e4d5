"""A text classifier of a few bytes in the form that model hubs use: `model.onnx`, `tokenizer.json`, `config.json`.

Its logits are sums over the words of a text: one row of weights per word. The ONNX file is written by hand (ONNX is
protobuf), so that no test needs a library for it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FLOAT, INT64 = 1, 7  # element types
OPSET = 11
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def write_classifier(
    folder: Path,
    words: Mapping[str, Sequence[float]],
    labels: Sequence[str],
    *,
    window: int = 16,
    inputs: Sequence[str] = ("input_ids", "attention_mask"),
    config: Mapping[str, Any] | None = None,
) -> Path:
    """Write a model that adds up `words`; all other words weigh nothing. `window`: how many tokens it takes."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {word: number for number, word in enumerate((*SPECIAL, *words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(window)  # as in real folders; a reader must not obey
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    facts = {"id2label": {str(at): label for at, label in enumerate(labels)}, "max_position_embeddings": window}
    (folder / "config.json").write_text(json.dumps(facts | dict(config or {})))
    rows = [[0.0] * len(labels)] * len(SPECIAL) + [list(row) for row in words.values()]
    (folder / "model.onnx").write_bytes(_model(rows, inputs))
    return folder


def _model(rows: Sequence[Sequence[float]], inputs: Sequence[str]) -> bytes:
    """Gather a row per token, blank the padding, add up."""
    mask = "attention_mask" if "attention_mask" in inputs else inputs[0]
    nodes = (
        _node("Gather", ("weights", inputs[0]), "gathered"),
        _node("Cast", (mask,), "mask", _attribute("to", number=FLOAT)),
        _node("Unsqueeze", ("mask",), "column", _attribute("axes", numbers=(2,))),
        _node("Mul", ("gathered", "column"), "kept"),
        _node("ReduceSum", ("kept",), "logits", _attribute("axes", numbers=(1,)) + _attribute("keepdims", number=0)),
    )
    flat = [value for row in rows for value in row]
    tensor = _varints(1, (len(rows), len(rows[0]))) + _varint(2, FLOAT) + _bytes(8, b"weights")
    tensor += _bytes(9, struct.pack(f"<{len(flat)}f", *flat))
    graph = b"".join(_bytes(1, node) for node in nodes) + _bytes(2, b"tiny") + _bytes(5, tensor)
    graph += b"".join(_bytes(11, _value(name, INT64, ("batch", "length"))) for name in inputs)
    graph += _bytes(12, _value("logits", FLOAT, ("batch", "classes")))
    return _varint(1, 7) + _bytes(7, graph) + _bytes(8, _varint(2, OPSET))


def _node(operator: str, inputs: Sequence[str], output: str, attributes: bytes = b"") -> bytes:
    named = b"".join(_bytes(1, name.encode()) for name in inputs) + _bytes(2, output.encode())
    return named + _bytes(4, operator.encode()) + attributes


def _attribute(name: str, *, number: int | None = None, numbers: Sequence[int] = ()) -> bytes:
    if number is not None:
        return _bytes(5, _bytes(1, name.encode()) + _varint(3, number) + _varint(20, 2))
    return _bytes(5, _bytes(1, name.encode()) + b"".join(_varint(8, one) for one in numbers) + _varint(20, 7))


def _value(name: str, kind: int, dimensions: Sequence[str]) -> bytes:
    shape = b"".join(_bytes(1, _bytes(2, one.encode())) for one in dimensions)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, _varint(1, kind) + _bytes(2, shape)))


def _varints(field: int, values: Sequence[int]) -> bytes:
    return b"".join(_varint(field, value) for value in values)


def _varint(field: int, value: int) -> bytes:
    return _number(field << 3) + _number(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _number(field << 3 | 2) + _number(len(value)) + value


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
