"""Which other files an ONNX model keeps its weights in, read off the file without the onnx package.

An ONNX file is a protobuf message. Only the fields on the way from the model to a tensor's `external_data` are followed
(onnx.proto3); everything else is skipped by its length, so that a model of 100 MB takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator

# Field numbers in onnx.proto3, message by message: field -> message that it holds.
_MODEL = {7: "graph", 25: "function"}
_MESSAGES: dict[str, dict[int, str]] = {
    "model": _MODEL,
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external"},
}
_MAX_DEPTH = 64


def external_files(model: bytes) -> set[str]:
    """The `location` of all external data, as written in the model. Raises ValueError where it is not an ONNX model."""
    return set(_locations(memoryview(model), "model", 0))


def _locations(data: memoryview, message: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise ValueError("graphs nested too deeply")
    for field, value in _fields(data):
        inner = _MESSAGES[message].get(field)
        if inner == "external":
            # A StringStringEntryProto: 1 = key, 2 = value.
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
