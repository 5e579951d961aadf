"""INT8 weights of an ONNX file -> the FP32 weights and the Q/DQ pair that every TensorRT takes.

In a bundle the weights stand as INT8 behind a DequantizeLinear alone, which is a quarter of the size. TensorRT before
10 takes no INT8 constants. Its parser is given each such constant in FP32, and a QuantizeLinear that makes the same
levels of it again. The onnx package is not needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.utils.protobuf import BYTES, Field, fields, integer, text

# Field numbers in onnx.proto3.
GRAPH = 7  # of ModelProto
NODE, INITIALIZER = 1, 5  # of GraphProto
INPUT, OUTPUT, NAME, OP_TYPE, ATTRIBUTE = 1, 2, 3, 4, 5  # of NodeProto
DIMS, DATA_TYPE, TENSOR_NAME, RAW_DATA = 1, 2, 8, 9  # of TensorProto
ATTRIBUTE_NAME, ATTRIBUTE_INTEGER = 1, 3  # of AttributeProto
FLOAT, INT8 = 1, 3  # of TensorProto.DataType
DTYPES: dict[int, type] = {FLOAT: np.float32, INT8: np.int8}
UNKNOWN: NDArray[Any] = np.zeros(0, np.uint8)  # in place of values that are not in the file as such bytes


@dataclass(frozen=True)
class Tensor:
    """A constant that keeps its values as bytes."""

    values: NDArray[Any]
    encoded: memoryview


@dataclass(frozen=True)
class Node:
    """kind: its operator. axis: the attribute, or ONNX's default of DequantizeLinear."""

    kind: bytes
    inputs: list[bytes]
    outputs: list[bytes]
    axis: int


def with_weight_pairs(model: bytes) -> bytes:
    """The same network with FP32 weights and pairs; a model without INT8 weights comes back as it is.

    Raises ValueError where it is not an ONNX model, or has an INT8 weight that no pair can stand for.
    """
    parts = []
    for field in fields(memoryview(model)):
        graph = field.number == GRAPH and field.wire == BYTES
        parts.append(text(GRAPH, _graph(field.content)) if graph else bytes(field.whole))
    return b"".join(parts)


def _graph(data: memoryview) -> bytes:
    entries = [field for field in fields(data) if field.wire == BYTES]
    tensors = dict(_tensor(field.content) for field in entries if field.number == INITIALIZER)
    nodes = [_node(field.content) for field in entries if field.number == NODE]
    readers = Counter(name for node in nodes for name in node.inputs)
    weights: dict[bytes, bytes] = {}
    for node in nodes:
        if node.kind == b"DequantizeLinear" and node.inputs and _values(tensors, node.inputs[0]).dtype == np.int8:
            if readers[node.inputs[0]] > 1:
                raise ValueError(f"several nodes read the INT8 weight {_shown(node)}")
            weights[node.inputs[0]] = _wide(tensors, node)
    parts: list[bytes] = []
    for field in fields(data):
        parts += _replaced(field, weights) or [bytes(field.whole)]
    return b"".join(parts)


def _replaced(field: Field, weights: Mapping[bytes, bytes]) -> list[bytes]:
    """What stands in this field's place; nothing where it stays."""
    if field.wire != BYTES:
        return []
    if field.number == INITIALIZER:
        name = next((bytes(part.content) for part in fields(field.content) if part.number == TENSOR_NAME), b"")
        return [text(INITIALIZER, weights[name])] if name in weights else []
    if field.number != NODE:
        return []
    node = _node(field.content)
    if not node.inputs or node.inputs[0] not in weights:
        return []
    levels = node.outputs[0] + b"/levels"
    quantize = {INPUT: node.inputs[0], OUTPUT: levels, NAME: levels, OP_TYPE: b"QuantizeLinear"}
    return [text(NODE, _changed(field.content, new)) for new in (quantize, {INPUT: levels})]


def _changed(node: memoryview, new: Mapping[int, bytes]) -> bytes:
    """The node with the first of each of these fields replaced: its first input, output, name, operator."""
    left = dict(new)
    parts = [
        text(field.number, left.pop(field.number)) if field.number in left else bytes(field.whole)
        for field in fields(node)
    ]
    return b"".join([*parts, *(text(number, content) for number, content in left.items())])


def _wide(tensors: Mapping[bytes, Tensor], node: Node) -> bytes:
    """The INT8 constant of this node as an FP32 one of the same name, encoded."""
    levels = tensors[node.inputs[0]]
    scales, zeros = (_values(tensors, name) for name in (*node.inputs[1:], b"", b"")[:2])
    if scales.dtype != np.float32:
        raise ValueError(f"the scale of the INT8 weight {_shown(node)} is no FP32 constant")
    # Without a zero point a QuantizeLinear gives UINT8.
    if zeros.dtype != np.int8 or zeros.any():
        raise ValueError(f"the zero point of the INT8 weight {_shown(node)} is not 0 in INT8")
    shape = [1] * levels.values.ndim
    if scales.size != 1:
        if scales.shape != levels.values.shape[node.axis : node.axis + 1]:
            raise ValueError(f"the scales of the INT8 weight {_shown(node)} do not fit its axis {node.axis}")
        shape[node.axis] = len(scales)
    values = levels.values.astype(np.float32) * scales.reshape(shape)
    kept = [bytes(part.whole) for part in fields(levels.encoded) if part.number not in (DATA_TYPE, RAW_DATA)]
    return b"".join([*kept, integer(DATA_TYPE, FLOAT), text(RAW_DATA, values.astype("<f4").tobytes())])


def _values(tensors: Mapping[bytes, Tensor], name: bytes) -> NDArray[Any]:
    return tensors[name].values if name in tensors else UNKNOWN


def _shown(node: Node) -> str:
    return node.inputs[0].decode("utf-8", "replace")


def _tensor(data: memoryview) -> tuple[bytes, Tensor]:
    """Name and tensor; one that keeps its values elsewhere, or of another type, has none."""
    name, kind, dims, raw = b"", 0, [], b""
    for part in fields(data):
        if part.number == DIMS:
            dims += _integers(part)
        elif part.number == DATA_TYPE:
            kind = part.value
        elif part.number == TENSOR_NAME:
            name = bytes(part.content)
        elif part.number == RAW_DATA:
            raw = bytes(part.content)
    dtype = DTYPES.get(kind, np.uint8)
    if kind not in DTYPES or len(raw) != int(np.prod(dims)) * np.dtype(dtype).itemsize:
        return name, Tensor(UNKNOWN, data)
    return name, Tensor(np.frombuffer(raw, dtype).reshape(dims), data)


def _integers(field: Field) -> list[int]:
    """A repeated number, packed or not."""
    if field.wire != BYTES:
        return [field.value]
    numbers, value, shift = [], 0, 0
    for byte in field.content:
        value |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            numbers.append(value)
            value = shift = 0
    return numbers


def _node(data: memoryview) -> Node:
    found: dict[int, list[memoryview]] = {INPUT: [], OUTPUT: [], OP_TYPE: [], ATTRIBUTE: []}
    for part in fields(data):
        if part.number in found:
            found[part.number].append(part.content)
    axis = 1
    for attribute in found[ATTRIBUTE]:
        parts = {part.number: part for part in fields(attribute)}
        if ATTRIBUTE_NAME in parts and bytes(parts[ATTRIBUTE_NAME].content) == b"axis":
            # 0 is not written at all.
            axis = parts[ATTRIBUTE_INTEGER].value if ATTRIBUTE_INTEGER in parts else 0
    inputs, outputs = ([bytes(name) for name in found[number]] for number in (INPUT, OUTPUT))
    return Node(bytes(found[OP_TYPE][0]) if found[OP_TYPE] else b"", inputs, outputs, axis)
