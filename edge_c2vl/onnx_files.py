"""Which other files an ONNX model keeps its weights in, read off the file without the onnx package.

An ONNX file is a protobuf message. Only the fields on the way from the model to a tensor's `external_data` are followed
(onnx.proto3); everything else is skipped by its length, so that a model of 100 MB takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator

# Field numbers in onnx.proto3, message by message: field -> message that it holds. Every way to a tensor stands here:
# tests/edge_c2vl/test_onnx_files.py compares it with the onnx package's own description.
FIELDS: dict[str, dict[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        **{5: "TensorProto", 6: "GraphProto", 10: "TensorProto", 11: "GraphProto"},
        **{22: "SparseTensorProto", 23: "SparseTensorProto"},
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {13: "StringStringEntryProto"},
}
# Protobuf's own readers give up here, and ONNX Runtime with them.
_MAX_DEPTH = 100


def external_files(model: bytes) -> set[str]:
    """The `location` of all external data, as written in the model. Raises ValueError where it is not an ONNX model."""
    return set(_locations(memoryview(model), "ModelProto", 0))


def _locations(data: memoryview, message: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise ValueError("graphs nested too deeply")
    for field, value in _fields(data):
        inner = FIELDS[message].get(field)
        if inner == "StringStringEntryProto":
            # 1 = key, 2 = value.
            entry = {number: bytes(text) for number, text in _fields(value)}
            if entry.get(1) == b"location":
                yield entry.get(2, b"").decode("utf-8", "replace")
        elif inner:
            yield from _locations(value, inner, depth + 1)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The length-delimited fields of a message: (number, content)."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        if key >> 32:
            # Protobuf's readers drop the upper bits, and would see another field than is seen here.
            raise ValueError("not an ONNX model: a field number of more than 29 bits")
        kind = key & 7
        if kind == 0:
            _, position = _varint(data, position)
        elif kind == 1:
            position += 8
        elif kind == 5:
            position += 4
        elif kind == 2:
            size, position = _varint(data, position)
            if position + size > len(data):
                raise ValueError("not an ONNX model, or a part of one: it ends in the middle of a field")
            yield key >> 3, data[position : position + size]
            position += size
        else:
            raise ValueError(f"not an ONNX model: wire type {kind}")


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """A base-128 number at `position`, and where it ends."""
    value = shift = 0
    while position < len(data) and shift < 70:
        byte = data[position]
        value |= (byte & 127) << shift
        position += 1
        shift += 7
        if not byte & 128:
            return value, position
    raise ValueError("not an ONNX model, or a part of one: it ends in the middle of a number")
