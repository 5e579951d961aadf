"""Which other files an ONNX model keeps its weights in, read off the file without the onnx package.

An ONNX file is a protobuf message. Only the fields on the way from the model to a tensor's `external_data` are followed
(onnx.proto3); everything else is skipped by its length, so that a model of 100 MB takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator

from edge_c2vl.utils.protobuf import BYTES, fields

# Field numbers in onnx.proto3, message by message: field -> message that it holds. Every way to a tensor stands here:
# tests/edge_c2vl/bundle/test_onnx_files.py compares it with the onnx package's own description.
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
    try:
        return set(_locations(memoryview(model), "ModelProto", 0))
    except ValueError as error:
        raise ValueError(f"not an ONNX model, or a part of one: {error}") from None


def _locations(data: memoryview, message: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise ValueError("graphs nested too deeply")
    for field in fields(data):
        inner = FIELDS[message].get(field.number) if field.wire == BYTES else None
        if inner == "StringStringEntryProto":
            # 1 = key, 2 = value.
            entry = {part.number: bytes(part.content) for part in fields(field.content) if part.wire == BYTES}
            if entry.get(1) == b"location":
                yield entry.get(2, b"").decode("utf-8", "replace")
        elif inner:
            yield from _locations(field.content, inner, depth + 1)
