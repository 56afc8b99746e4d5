"""Rampart's four-bit weights as eight-bit matrix products: the same model at less than half the time per text.

onnxruntime unpacks four-bit weights (`MatMulNBits`) to floats for each product. Here the weights are unpacked once,
while the model is loaded, and rounded to seven bits per column (`DynamicQuantizeMatMul`; seven, because the eight-bit
kernels of processors without VNNI saturate). The file on disk stays as it is; ONNX is protobuf, and the few fields
touched here are read and written by hand, which spares a dependency.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_TENSOR = 1, 5
NODE_INPUT, NODE_OUTPUT, NODE_NAME, NODE_OP, NODE_ATTRIBUTE, NODE_DOMAIN = 1, 2, 3, 4, 5, 7
ATTRIBUTE_NAME, ATTRIBUTE_INT = 1, 3
TENSOR_DIMS, TENSOR_TYPE, TENSOR_NAME, TENSOR_RAW = 1, 2, 8, 9
FLOAT, INT8 = 1, 3  # element types
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
WEIGHT_MAX = 63  # seven bits


class _Field(NamedTuple):
    number: int
    value: bytes | int
    raw: bytes  # the whole field as it was written


class _Product(NamedTuple):
    """One `MatMulNBits` node."""

    data: str
    packed: str
    scales: str
    output: bytes
    rows: int
    columns: int
    block: int


def eight_bit(model: bytes) -> bytes:
    """`model` (an ONNX file) with its four-bit products made eight-bit. Raises ValueError where it has another form."""
    return b"".join(
        _message(MODEL_GRAPH, _graph(_bytes(field))) if field.number == MODEL_GRAPH else field.raw
        for field in _fields(model)
    )


def _graph(data: bytes) -> bytes:
    fields = list(_fields(data))
    tensors = {_name(field): field for field in fields if field.number == GRAPH_TENSOR}
    products = [_product(field) if field.number == GRAPH_NODE else None for field in fields]
    replaced = {name for product in products if product for name in (product.packed, product.scales)}
    written: list[bytes] = []
    for field, product in zip(fields, products, strict=True):
        if product is not None:
            written += _quantized(product, tensors)
        elif field.number != GRAPH_TENSOR or _name(field) not in replaced:
            written.append(field.raw)
    return b"".join(written)


def _product(field: _Field) -> _Product | None:
    """The four-bit product that node `field` is, or None."""
    parts = list(_fields(_bytes(field)))
    if next((part.value for part in parts if part.number == NODE_OP), b"") != b"MatMulNBits":
        return None
    inputs = [_bytes(part).decode() for part in parts if part.number == NODE_INPUT]
    numbers: dict[str, int] = {}
    for part in parts:
        if part.number == NODE_ATTRIBUTE:
            inner = {one.number: one.value for one in _fields(_bytes(part))}
            numbers[str(inner[ATTRIBUTE_NAME], "ascii")] = int(inner[ATTRIBUTE_INT])  # type: ignore[arg-type]  # bytes
    if len(inputs) != 3 or numbers.get("bits") != 4:
        raise ValueError("not symmetric four-bit weights")
    data, packed, scales = inputs
    output = next(_bytes(part) for part in parts if part.number == NODE_OUTPUT)
    return _Product(data, packed, scales, output, numbers["K"], numbers["N"], numbers["block_size"])


def _quantized(product: _Product, tensors: dict[str, _Field]) -> list[bytes]:
    """The node and the two tensors that stand for `product`."""
    weights = _weights(product, _raw(tensors[product.packed]), _raw(tensors[product.scales]))
    scales = np.maximum(np.abs(weights).max(axis=0), 1e-12) / WEIGHT_MAX
    rounded = np.rint(weights / scales).astype(np.int8)
    names = [product.data, f"{product.packed}_int8", f"{product.packed}_int8_scale"]
    node = b"".join(_message(NODE_INPUT, name.encode()) for name in names)
    node += _message(NODE_OUTPUT, product.output) + _message(NODE_NAME, product.output + b"_int8")
    node += _message(NODE_OP, b"DynamicQuantizeMatMul") + _message(NODE_DOMAIN, b"com.microsoft")
    return [
        _message(GRAPH_NODE, node),
        _message(GRAPH_TENSOR, _tensor(names[1], rounded, INT8)),
        _message(GRAPH_TENSOR, _tensor(names[2], scales.astype("<f4"), FLOAT)),
    ]


def _weights(product: _Product, packed: bytes, scales: bytes) -> NDArray[np.float32]:
    """The weights as a float matrix of rows x columns; two of them lie in each byte, low half first, offset by 8."""
    pairs = np.frombuffer(packed, np.uint8).reshape(product.columns, -1, product.block // 2)
    values = np.stack([pairs & 15, pairs >> 4], axis=-1).reshape(product.columns, -1, product.block).astype(np.float32)
    scaled = (values - 8) * np.frombuffer(scales, "<f4").reshape(product.columns, -1, 1)
    matrix: NDArray[np.float32] = scaled.reshape(product.columns, -1)[:, : product.rows].T
    return matrix


def _tensor(name: str, values: NDArray[Any], kind: int) -> bytes:
    dims = b"".join(_number(TENSOR_DIMS, size) for size in values.shape)
    raw = np.ascontiguousarray(values).tobytes()
    return dims + _number(TENSOR_TYPE, kind) + _message(TENSOR_NAME, name.encode()) + _message(TENSOR_RAW, raw)


def _name(tensor: _Field) -> str:
    return next((_bytes(part).decode() for part in _fields(_bytes(tensor)) if part.number == TENSOR_NAME), "")


def _raw(tensor: _Field) -> bytes:
    for part in _fields(_bytes(tensor)):
        if part.number == TENSOR_RAW:
            return _bytes(part)
    raise ValueError("a weight is not stored in the file")


def _fields(data: bytes) -> Iterator[_Field]:
    """The fields of a protobuf message. Raises ValueError if `data` is none."""
    at, end = 0, len(data)
    while at < end:
        start = at
        key, at = _varint(data, at)
        kind, value = key & 7, 0
        if kind == VARINT:
            value, at = _varint(data, at)
            yield _Field(key >> 3, value, data[start:at])
            continue
        if kind == BYTES:
            size, at = _varint(data, at)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError("not a protobuf message")
        if at + size > end:
            raise ValueError("a protobuf message that breaks off")
        at += size
        yield _Field(key >> 3, data[at - size : at], data[start:at])


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError("a protobuf message that breaks off")


def _bytes(field: _Field) -> bytes:
    if isinstance(field.value, int):
        raise ValueError("not an ONNX model")  # noqa: TRY004  # of the file's content, not of an argument
    return field.value


def _number(number: int, value: int) -> bytes:
    return _encoded(number << 3 | VARINT) + _encoded(value)


def _message(number: int, value: bytes) -> bytes:
    return _encoded(number << 3 | BYTES) + _encoded(len(value)) + value


def _encoded(value: int) -> bytes:
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)
