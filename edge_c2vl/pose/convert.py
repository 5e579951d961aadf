"""One of BlazePose's TensorFlow Lite files -> ONNX: channels first, without what the wanted outputs do not need.

The weights are half precision in the source. They are stored as such, in a file beside the graph, and widened when the
graph is loaded (FP32) or used as they are (FP16), so that both graphs share one file of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.pose.tflite import Graph, schema

OPSET, IR_VERSION = 17, 9


@dataclass
class Weights:
    """Half-precision arrays, one behind the other. `places`: name -> (offset, array)."""

    content: bytearray = field(default_factory=bytearray)
    places: dict[str, tuple[int, NDArray[Any]]] = field(default_factory=dict)

    def add(self, name: str, array: NDArray[Any]) -> None:
        self.content += bytes(-len(self.content) % 64)
        self.places[name] = (len(self.content), array)
        self.content += array.tobytes()


class Converter:
    """precision: "fp32" or "fp16", what the graph computes in; it takes and gives FP32. names: of the outputs that are
    kept, by their position in the source."""

    graph_name = "blazepose"

    def __init__(self, source: bytes, names: dict[int, str], precision: str) -> None:
        import onnx

        self._onnx, self._source = onnx, Graph(source)
        self._half = precision == "fp16"
        self._wanted = {self._source.outputs[position]: name for position, name in names.items()}
        self._weights = Weights()
        self._nodes: list[Any] = []
        self._initialisers: list[Any] = []
        self._constants: dict[int, NDArray[Any]] = {}
        self._names: dict[int, str] = {}
        self._pads: dict[int, tuple[int, NDArray[Any]]] = {}  # padded tensor -> what it pads, and by how much

    def convert(self, weights_file: str) -> tuple[bytes, bytes]:
        """The graph, which refers to `weights_file`, and that file's content. Raises ValueError for a graph that is
        not BlazePose's."""
        helper, kinds = self._onnx.helper, self._onnx.TensorProto
        source, image = self._source, self._source.inputs[0]
        self._limits()
        self._names[image] = self._emit("Cast", ["image"], "half_image", to=kinds.FLOAT16) if self._half else "image"
        for operator in self._needed():
            outputs = [int(number) for number in operator.outputs]
            inputs = [int(number) for number in operator.inputs]
            do = getattr(self, f"_{source.kind(operator).lower()}", None)
            if do is None:
                raise ValueError(f"there is no way to convert {source.kind(operator)}")
            do(source.options(operator), inputs, outputs[0])
        named = self._outputs()
        graph = helper.make_graph(
            self._nodes,
            self.graph_name,
            [helper.make_tensor_value_info("image", kinds.FLOAT, _channels_first(source.shape(image)))],
            [helper.make_tensor_value_info(name, kinds.FLOAT, shape) for name, shape in named],
            self._stored(weights_file) + self._initialisers,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="edge-c2vl"
        )
        return model.SerializeToString(deterministic=True), bytes(self._weights.content)

    def _needed(self) -> list[Any]:
        """The operators that the wanted outputs depend on, in order."""
        needed, kept = set(self._wanted), []
        for operator in reversed(self._source.operators):
            if needed & {int(number) for number in operator.outputs}:
                needed |= {int(number) for number in operator.inputs if number >= 0}
                kept.append(operator)
        return kept[::-1]

    def _outputs(self) -> list[tuple[str, list[int]]]:
        """The graph's outputs: names, which their tensors get here, and shapes."""
        names = {self._names[number]: name for number, name in self._wanted.items()}
        if self._half:
            for inner, name in names.items():
                self._emit("Cast", [inner], name, to=self._onnx.TensorProto.FLOAT)
        else:
            for node in self._nodes:
                node.input[:] = [names.get(name, name) for name in node.input]
                node.output[:] = [names.get(name, name) for name in node.output]
        return [(name, _channels_first(self._source.shape(number))) for number, name in self._wanted.items()]

    def _stored(self, file: str) -> list[Any]:
        """The weights as initialisers that lie outside of the graph."""
        tensors = []
        for name, (offset, array) in self._weights.places.items():
            tensor = self._onnx.TensorProto(name=name, data_type=self._onnx.TensorProto.FLOAT16, dims=array.shape)
            tensor.data_location = self._onnx.TensorProto.EXTERNAL
            for key, value in (("location", file), ("offset", offset), ("length", array.nbytes)):
                tensor.external_data.add(key=key, value=str(value))
            tensors.append(tensor)
        return tensors

    # What the graph is put together of

    def _emit(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(kind, list(inputs), [output], name=name, **attributes))
        return output

    def _inside(self, name: str, array: NDArray[Any]) -> str:
        """A small constant, kept in the graph."""
        self._initialisers.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _limits(self) -> None:
        kind = np.float16 if self._half else np.float32
        self._inside("zero", np.array(0, kind))
        self._inside("six", np.array(6, kind))

    def _weight(self, name: str, array: NDArray[Any]) -> str:
        half = np.ascontiguousarray(array, np.float16)
        if not np.array_equal(half.astype(array.dtype), array):
            raise ValueError(f"the weights {name} are no half-precision numbers")
        self._weights.add(name, half)
        return name if self._half else self._emit("Cast", [name], f"{name}_wide", to=self._onnx.TensorProto.FLOAT)

    def _value(self, number: int) -> NDArray[Any]:
        if number not in self._constants:
            stored = self._source.stored(number)
            if stored is None:
                raise ValueError(f"tensor {number} is no constant")
            self._constants[number] = stored
        return self._constants[number]

    def _activated(self, name: str, function: int, number: int) -> None:
        functions = schema().ActivationFunctionType
        if function == functions.NONE:
            self._names[number] = name
        elif function == functions.RELU6:
            self._names[number] = self._emit("Clip", [name, "zero", "six"], f"t{number}")
        elif function == functions.RELU:
            self._names[number] = self._emit("Relu", [name], f"t{number}")
        else:
            raise ValueError(f"there is no way to convert the activation function {function}")

    # One method for each kind of operator

    def _densify(self, _options: Any, inputs: list[int], output: int) -> None:
        self._constants[output] = self._value(inputs[0])

    def _dequantize(self, _options: Any, inputs: list[int], output: int) -> None:
        self._constants[output] = self._value(inputs[0]).astype(np.float32)

    def _pad(self, _options: Any, inputs: list[int], output: int) -> None:
        self._pads[output] = (inputs[0], self._value(inputs[1]))

    def _conv_2d(self, options: Any, inputs: list[int], output: int) -> None:
        kernel = self._value(inputs[1]).transpose(0, 3, 1, 2)  # output, height, width, input
        dilation = [options.dilationHFactor, options.dilationWFactor]
        self._convolution(options, inputs, output, kernel, 1, dilation)

    def _depthwise_conv_2d(self, options: Any, inputs: list[int], output: int) -> None:
        kernel = self._value(inputs[1]).transpose(3, 0, 1, 2)  # 1, height, width, channel
        dilation = [options.dilationHFactor, options.dilationWFactor]
        self._convolution(options, inputs, output, kernel, len(kernel), dilation)

    def _convolution(
        self, options: Any, inputs: list[int], output: int, kernel: NDArray[Any], groups: int, dilation: list[int]
    ) -> None:
        source, padding = inputs[0], schema().Padding
        strides = [options.strideH, options.strideW]
        pads = [0, 0, 0, 0]
        if source in self._pads:
            source, around = self._pads[source]
            if options.padding != padding.VALID or around[[0, 3]].any():
                raise ValueError("a padding before a convolution is not of rows and columns")
            pads = [*around[1:3, 0].tolist(), *around[1:3, 1].tolist()]
        elif options.padding == padding.SAME:
            for axis, size in enumerate(self._source.shape(source)[1:3]):
                steps = -(-size // strides[axis])
                total = max(0, (steps - 1) * strides[axis] + kernel.shape[2 + axis] - size)
                pads[axis], pads[axis + 2] = total // 2, total - total // 2
        given = [self._weight(f"w{output}", kernel), self._weight(f"b{output}", self._value(inputs[2]))]
        name = self._emit(
            "Conv",
            [self._names[source], *given],
            f"c{output}",
            kernel_shape=list(kernel.shape[2:]),
            strides=strides,
            pads=pads,
            group=groups,
            dilations=dilation,
        )
        self._activated(name, options.fusedActivationFunction, output)

    def _add(self, options: Any, inputs: list[int], output: int) -> None:
        name = self._emit("Add", [self._padded(number) for number in inputs], f"a{output}")
        self._activated(name, options.fusedActivationFunction, output)

    def _padded(self, number: int) -> str:
        """A tensor that may be one with more channels, of zeros, behind those of another."""
        if number not in self._pads:
            return self._names[number]
        source, around = self._pads[number]
        if around[:3].any():
            raise ValueError("a padding before an addition is not of channels")
        sizes = np.array([0, 0, 0, 0, 0, around[3, 1], 0, 0], np.int64)
        return self._emit("Pad", [self._names[source], self._inside(f"p{number}", sizes)], f"t{number}")

    def _max_pool_2d(self, options: Any, inputs: list[int], output: int) -> None:
        kernel, strides = [options.filterHeight, options.filterWidth], [options.strideH, options.strideW]
        (_, *before, _), (_, *after, _) = self._source.shape(inputs[0]), self._source.shape(output)
        if kernel != strides or before != [size * step for size, step in zip(after, strides, strict=True)]:
            raise ValueError("a pooling overlaps or is padded")
        name = self._emit("MaxPool", [self._names[inputs[0]]], f"t{output}", kernel_shape=kernel, strides=strides)
        self._names[output] = name

    def _resize_bilinear(self, options: Any, inputs: list[int], output: int) -> None:
        if options.alignCorners or not options.halfPixelCenters:
            raise ValueError("a picture is enlarged otherwise than by the centres of its pixels")
        (_, *before, _), (_, *after, _) = self._source.shape(inputs[0]), self._source.shape(output)
        factors = np.array([1, 1, after[0] / before[0], after[1] / before[1]], np.float32)
        self._names[output] = self._emit(
            "Resize",
            [self._names[inputs[0]], "", self._inside(f"s{output}", factors)],
            f"t{output}",
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )

    def _depth_to_space(self, options: Any, inputs: list[int], output: int) -> None:
        given = [self._names[inputs[0]]]
        self._names[output] = self._emit("DepthToSpace", given, f"t{output}", blocksize=options.blockSize, mode="DCR")

    def _reshape(self, _options: Any, inputs: list[int], output: int) -> None:
        """To rows, the channels of a place beside each other, as in the source."""
        rows = self._emit("Transpose", [self._names[inputs[0]]], f"r{output}", perm=[0, 2, 3, 1])
        shape = self._inside(f"s{output}", np.array(self._source.shape(output), np.int64))
        self._names[output] = self._emit("Reshape", [rows, shape], f"t{output}")

    def _concatenation(self, options: Any, inputs: list[int], output: int) -> None:
        given = [self._names[number] for number in inputs]
        self._names[output] = self._emit("Concat", given, f"t{output}", axis=options.axis)

    def _logistic(self, _options: Any, inputs: list[int], output: int) -> None:
        self._names[output] = self._emit("Sigmoid", [self._names[inputs[0]]], f"t{output}")


def _channels_first(shape: list[int]) -> list[int]:
    return [shape[0], shape[3], shape[1], shape[2]] if len(shape) == 4 else shape
