"""The landmark network's graph in FP32 -> the same with most of its convolutions in INT8, for ONNX Runtime on a CPU.

Weights are int8, a scale a channel; activations uint8, a scale a tensor, with a zero point: half of them are behind a
ReLU6, whose other half of the levels a symmetric scale would waste. Additions, pooling and enlarging between integer
convolutions are in integers too. The first convolutions and the tail of 4x4 and 2x2 cells stay in floating point: there
position and presence are lost first, and the tail takes no time.

The ranges (ranges.json) were read off drawn drivers and one clip (benchmarks/pose_int8.py), and are part of the source:
the same files come out wherever they are built.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RANGES = Path(__file__).with_name("ranges.json")
# The convolutions that are quantised, by their position in the graph.
CHOSEN = slice(3, 60)
LEVELS, WEIGHT_LEVELS = 255, 127
SMALLEST_SCALE = 1e-9  # of a channel whose weights are all 0
BETWEEN = ("Add", "MaxPool", "Resize")


class Quantiser:
    """graph, weights: of the FP32 network, as convert.py makes them. ranges: tensor -> smallest and largest value."""

    def __init__(self, graph: bytes, weights: bytes, ranges: Mapping[str, Sequence[float]]) -> None:
        import onnx

        self._onnx, self._model, self._ranges = onnx, onnx.load_model_from_string(graph), ranges
        self._graph = self._model.graph
        self._constants = {tensor.name: self._read(tensor, weights) for tensor in self._graph.initializer}
        for node in self._graph.node:
            if node.op_type == "Cast" and node.input[0] in self._constants:
                self._constants[node.output[0]] = self._constants[node.input[0]].astype(np.float32)
        self._new: list[Any] = []  # initialisers
        self._before: list[Any] = []  # nodes that read constants alone
        self._pairs: dict[str, list[Any]] = {}  # tensor -> its Q and DQ
        self._scales: dict[str, float] = {}
        self._dropped: set[str] = set()

    def _read(self, tensor: Any, weights: bytes) -> NDArray[Any]:
        if tensor.data_location != self._onnx.TensorProto.EXTERNAL:
            value: NDArray[Any] = self._onnx.numpy_helper.to_array(tensor)
            return value
        place = {entry.key: int(entry.value) for entry in tensor.external_data if entry.key != "location"}
        content = weights[place["offset"] : place["offset"] + place["length"]]
        return np.frombuffer(content, np.float16).reshape(tuple(tensor.dims))

    def quantise(self) -> bytes:
        """The INT8 graph; what stays in floating point it reads from the same file of weights. Raises KeyError for a
        tensor without a range."""
        clips = self._clips()
        for node in self._chosen():
            if node.op_type == "Conv":
                self._convolution(node)
            else:
                for index, name in enumerate(node.input):
                    if name and name not in self._constants:
                        node.input[index] = self._pair(name)
            clip = clips.get(node.output[0])
            if clip is not None:  # the levels of what it lets through clip by themselves
                node.output[0] = clip.output[0]
                self._dropped.add(clip.name)
            self._pair(node.output[0])
        self._put_together()
        content: bytes = self._model.SerializeToString(deterministic=True)
        return content

    @property
    def ranged(self) -> list[str]:
        """The tensors whose ranges were used."""
        return list(self._pairs)

    def _clips(self) -> dict[str, Any]:
        """Tensor -> the Clip that alone reads it."""
        users: dict[str, list[Any]] = {}
        for node in self._graph.node:
            for name in node.input:
                users.setdefault(name, []).append(node)
        return {name: nodes[0] for name, nodes in users.items() if [node.op_type for node in nodes] == ["Clip"]}

    def _chosen(self) -> list[Any]:
        """The convolutions, and what lies between some of them."""
        chosen = [node for node in self._graph.node if node.op_type == "Conv"][CHOSEN]
        integers = {node.output[0] for node in chosen}
        for node in self._graph.node:  # in the order that they run in
            given = [name for name in node.input if name and name not in self._constants]
            if node.op_type in (*BETWEEN, "Clip") and integers.issuperset(given):
                integers.add(node.output[0])
                if node.op_type != "Clip":
                    chosen.append(node)
        return chosen

    def _convolution(self, node: Any) -> None:
        given, weight, bias = node.input
        node.input[0] = self._pair(given)
        values = self._constants[weight]
        scales = np.abs(values).max(axis=(1, 2, 3)) / WEIGHT_LEVELS
        scales = np.maximum(scales, SMALLEST_SCALE).astype(np.float32)
        levels = np.round(values / scales[:, None, None, None]).astype(np.int8)
        node.input[1] = self._constant(weight, levels, scales)
        scales = scales * np.float32(self._scales[given])
        node.input[2] = self._constant(bias, np.round(self._constants[bias] / scales).astype(np.int32), scales)

    def _constant(self, name: str, levels: NDArray[Any], scales: NDArray[Any]) -> str:
        """A constant with a scale for each of its channels, dequantised."""
        parts = {"levels": levels, "scale": scales, "zero": np.zeros(len(scales), levels.dtype)}
        self._new += [self._onnx.numpy_helper.from_array(part, f"{name}/{tag}") for tag, part in parts.items()]
        self._before.append(self._node("DequantizeLinear", [f"{name}/{tag}" for tag in parts], f"{name}/wide", axis=0))
        return f"{name}/wide"

    def _pair(self, name: str) -> str:
        """What comes out of the Q and DQ behind a tensor."""
        if name not in self._pairs:
            low, high = min(self._ranges[name][0], 0.0), max(self._ranges[name][1], 0.0)
            scale = max((high - low) / LEVELS, SMALLEST_SCALE)
            self._scales[name] = scale
            constants: dict[str, NDArray[Any]] = {
                "scale": np.array(scale, np.float32),
                "zero": np.array(round(-low / scale), np.uint8),
            }
            self._new += [self._onnx.numpy_helper.from_array(part, f"{name}/{tag}") for tag, part in constants.items()]
            given = [f"{name}/{tag}" for tag in constants]
            self._pairs[name] = [
                self._node("QuantizeLinear", [name, *given], f"{name}/q"),
                self._node("DequantizeLinear", [f"{name}/q", *given], f"{name}/dq"),
            ]
        return f"{name}/dq"

    def _node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
        return self._onnx.helper.make_node(kind, inputs, [output], name=f"{output}/{kind}", **attributes)

    def _put_together(self) -> None:
        """Everybody reads behind the pairs, so that integers run into integers; the outputs keep their names."""
        nodes = list(self._before)
        renamed = {output.name: f"{output.name}/raw" for output in self._graph.output if output.name in self._pairs}
        for node in self._graph.node:
            if node.name in self._dropped:
                continue
            behind = {name: f"{name}/dq" for name in node.input if name in self._pairs}
            node.input[:] = [behind.get(name, name) for name in node.input]
            nodes += [node, *(part for name in node.output for part in self._pairs.get(name, ()))]
        for node in nodes:
            for name, raw in renamed.items():
                for names in (node.input, node.output):
                    names[:] = [{name: raw, f"{name}/dq": name}.get(each, each) for each in names]
        read = {name for node in nodes for name in node.input} | {output.name for output in self._graph.output}
        nodes = [node for node in nodes if read.intersection(node.output)]  # a weight that is quantised is not widened
        used = {name for node in nodes for name in node.input}
        kept = [tensor for tensor in [*self._graph.initializer, *self._new] if tensor.name in used]
        copies = [self._onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del self._graph.node[:], self._graph.initializer[:], self._graph.value_info[:]
        self._graph.node.extend(copies)
        self._graph.initializer.extend(kept)


def in_int8(graph: bytes, weights: bytes) -> bytes:
    """The landmark network's FP32 graph in INT8, which reads what stays in floating point from the same weights."""
    return Quantiser(graph, weights, json.loads(RANGES.read_text("utf-8"))).quantise()
