"""An FP32 ONNX model -> the same with explicit Q/DQ, and the same in FP16.

The form is what TensorRT takes from 8.6 to 11 (strongly typed) and ONNX Runtime turns into integer kernels on a CPU:

- symmetric INT8 (zero point 0), one scale a tensor for activations, one a channel for weights;
- weights are INT8 constants behind a DequantizeLinear; TensorRT before 10 takes no such constants, so build-engine puts
  FP32 weights and a Q/DQ pair in their place (edge_c2vl/inference/weight_pairs.py);
- biases stay FP32: TensorRT takes no INT32 bias behind a DequantizeLinear;
- a pair has one consumer, or ONNX Runtime leaves the operator behind it in floating point on x86.

Convolutions are quantised, at their inputs, weights and outputs. The MatMuls that gather neighbours stay in floating
point (25 x 25 is too small: INT8 takes longer), and so do the residual additions and the head. The pair between a
convolution and its ReLU has the range of what the ReLU lets through: it loses nothing that the pair behind would keep.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calibration.ranges import LEVELS, CalibrationError
from edge_c2vl.names import utf8_name

SMALLEST_SCALE = 1e-8  # of a channel whose weights are all 0; TensorRT refuses a scale of 0


@dataclass(frozen=True)
class Layer:
    """A convolution that can be quantised: its node's name, its input, its output, and the tensor that the output's
    range is read from (behind the ReLU, where one follows)."""

    node: str
    input: str
    output: str
    ranged: str


def load_folded(path: Path) -> Any:
    """The model (onnx.ModelProto) with constants folded and identities gone, in ONNX's own operators only."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(target)
        with utf8_name(path) as source:
            onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        model = onnx.load(str(target))
    foreign = sorted(
        {f"{node.op_type} ({node.domain})" for node in model.graph.node if node.domain not in ("", "ai.onnx")}
    )
    if foreign:
        raise CalibrationError(f"{path} holds operators outside ONNX's own: {', '.join(foreign)}; export it again")
    standard = [entry for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    del model.opset_import[:]
    model.opset_import.extend(standard)
    return model


def layers(model: Any) -> list[Layer]:
    """The convolutions with constant weights, in the order of the graph."""
    constants = {tensor.name for tensor in model.graph.initializer}
    consumers = _consumers(model)
    found = []
    for node in model.graph.node:
        if node.op_type != "Conv" or node.input[1] not in constants:
            continue
        output = node.output[0]
        behind = consumers[output]
        rectified = len(behind) == 1 and behind[0].op_type == "Relu"
        found.append(Layer(node.name, node.input[0], output, behind[0].output[0] if rectified else output))
    if not found:
        raise CalibrationError("the model has no convolution to quantise: export it again with edge-c2vl export")
    return found


def ranged_tensors(found: Sequence[Layer]) -> list[str]:
    """The tensors that need a threshold, each once."""
    return list(dict.fromkeys(name for layer in found for name in (layer.input, layer.ranged)))


def insert_qdq(
    model: Any, found: Sequence[Layer], thresholds: Mapping[str, float], floating: Collection[str] = ()
) -> Any:
    """A copy of the model with Q/DQ and INT8 weights at its convolutions, except at the nodes named in `floating`.

    found: `layers(model)`. The copy is not checked, because a search makes one after another: `check_graph` does that
    for the one that is kept.
    """
    import onnx
    from onnx import numpy_helper

    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    chosen = {layer.node: layer for layer in found if layer.node not in floating}
    nodes: list[Any] = []
    replaced: dict[str, str] = {}  # a convolution's output -> what its consumers read instead

    def constant(name: str, value: Any) -> str:
        graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def node_of(kind: str, source: str, target: str, scale: Any, **attributes: Any) -> str:
        """Appends a Q or DQ; returns the name of what comes out."""
        given = [constant(f"{target}/scale", scale), constant(f"{target}/zero", np.zeros(scale.shape, np.int8))]
        nodes.append(onnx.helper.make_node(kind, [source, *given], [target], name=f"{target}/{kind}", **attributes))
        return target

    def pair(tensor: str, tag: str, scale: float) -> str:
        """Appends Q and DQ behind the tensor; returns the name of what comes out."""
        value = np.asarray(scale, np.float32)
        levels = node_of("QuantizeLinear", tensor, f"{tensor}/{tag}/int8", value)
        return node_of("DequantizeLinear", levels, f"{tensor}/{tag}", value)

    def dequantised(weight: str, tag: str) -> str:
        """Appends the weight's levels, a scale a channel, and a DQ; returns the name of what comes out."""
        values = weights[weight]
        largest = np.abs(values).max(axis=tuple(range(1, values.ndim)))
        scale = np.maximum(largest / LEVELS, SMALLEST_SCALE).astype(np.float32)
        levels = np.round(values / scale.reshape(-1, *[1] * (values.ndim - 1)))
        name = f"{weight}/{tag}"
        stored = constant(f"{name}/int8", np.clip(levels, -LEVELS, LEVELS).astype(np.int8))
        return node_of("DequantizeLinear", stored, name, scale, axis=0)

    for node in graph.node:
        layer = chosen.get(node.name)
        if layer is not None:
            node.input[0] = pair(replaced.get(layer.input, layer.input), layer.node, thresholds[layer.input] / LEVELS)
            node.input[1] = dequantised(node.input[1], layer.node)
            nodes.append(node)
            replaced[layer.output] = pair(layer.output, "out", thresholds[layer.ranged] / LEVELS)
        else:
            for index, name in enumerate(node.input):
                node.input[index] = replaced.get(name, name)
            nodes.append(node)
    ordered = [_copy(node) for node in nodes]
    del graph.node[:]
    graph.node.extend(ordered)
    read = {name for node in ordered for name in node.input}
    kept = [_copy(tensor) for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.value_info[:]
    return result


def check_graph(model: Any) -> Any:
    """The model itself. Raises onnx.checker.ValidationError where ONNX's rules or shapes do not hold."""
    import onnx

    onnx.checker.check_model(model, full_check=True)
    return model


def to_fp16(model: Any) -> Any:
    """A copy in FP16 that takes and gives FP32. The head stays FP32: a sum over squares overflows at 65,504."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    half = convert_float_to_float16(copy, keep_io_types=True, node_block_list=_head(model))
    OnnxModel(half).topological_sort()  # the conversion leaves the cast of the input behind its consumers
    return half


def _head(model: Any) -> list[str]:
    """The nodes that no convolution comes after."""
    producers = {output: node for node in model.graph.node for output in node.output}
    before: set[str] = set()
    waiting = [node for node in model.graph.node if node.op_type == "Conv"]
    while waiting:
        node = waiting.pop()
        if node.output[0] in before:
            continue
        before.add(node.output[0])
        waiting += [producers[name] for name in node.input if name in producers]
    return [node.name for node in model.graph.node if node.output[0] not in before]


def _consumers(model: Any) -> dict[str, list[Any]]:
    consumers = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            consumers[name].append(node)
    return consumers


def _copy(message: Any) -> Any:
    copied = type(message)()
    copied.CopyFrom(message)
    return copied
