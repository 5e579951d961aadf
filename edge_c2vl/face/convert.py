"""MediaPipe's attention mesh -> ONNX.

The network finds all landmarks roughly, cuts its own feature map to the lips and to each eye, and finds their landmarks
again in what was cut. TensorFlow Lite has no operators for that; MediaPipe brings three of its own, which are written
here with ONNX's: a transform from landmarks, a feature map seen through a transform, landmarks moved by one.
Grishchenko et al., "Attention Mesh: High-fidelity Face Mesh Prediction in Real-time", CVPR Workshops 2020.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_c2vl.pose.convert import Converter

# The network's outputs by their position. Left and right are the picture's: its left eye is the person's right one.
OUTPUTS = {0: "mesh", 1: "lips", 2: "left_eye", 3: "right_eye", 4: "left_iris", 5: "right_iris", 6: "presence"}
CUT_OUT = ("lips", "left_eye", "right_eye")
# The lids' edge: the first so many landmarks that an eye is cut out by.
LID_POINTS = 16


class MeshConverter(Converter):
    """Transforms are (1, 2, 3): pixels of what is cut out -> pixels of what it is cut out of.

    The graph answers with `landmarks` (1, 478, 3): 468 of the mesh, those found again put over the rough ones, and five
    of each iris; x, y and z in pixels of its input; and `presence` (1, 1, 1, 1), a logit.
    """

    graph_name = "attention_mesh"

    def __init__(self, source: bytes, names: dict[int, str], precision: str) -> None:
        super().__init__(source, names, precision)
        self._cut_out: list[list[int]] = []  # numbers of the landmarks of each part, in the order of CUT_OUT

    def _limits(self) -> None:
        """Nothing is cut off at 0 or 6 here."""

    def _outputs(self) -> list[tuple[str, list[int]]]:
        given = {name: self._names[number] for number, name in self._wanted.items()}
        step = _Steps(self, "joined")
        mesh = step("Reshape", given["mesh"], step.ints([-1, 3]))
        places, depths = step.part(mesh, 0, 2, axis=1), step.part(mesh, 2, 3, axis=1)
        irises = []
        for name, numbers in zip(CUT_OUT, self._cut_out, strict=True):
            again = step("Reshape", given[name], step.ints([-1, 2]))
            places = step("ScatterND", places, step.ints(np.reshape(numbers, (-1, 1))), again)
            if (iris := name.replace("eye", "iris")) != name:
                # MediaPipe gives an iris the mean depth of its lids.
                lids = step("Gather", depths, step.ints(numbers[:LID_POINTS]), axis=0)
                depth = step("Expand", step("ReduceMean", lids, axes=[0], keepdims=1), step.ints([5, 1]))
                irises.append(step("Concat", step("Reshape", given[iris], step.ints([5, 2])), depth, axis=1))
        joined = step("Concat", step("Concat", places, depths, axis=1), *irises, axis=0)
        self._emit("Reshape", [joined, step.ints([1, 478, 3])], "landmarks")
        self._emit("Identity", [given["presence"]], "presence")
        return [("landmarks", [1, 478, 3]), ("presence", [1, 1, 1, 1])]

    def _prelu(self, _options: Any, inputs: list[int], output: int) -> None:
        slope = self._weight(f"w{output}", self._value(inputs[1]).reshape(-1, 1, 1))
        self._names[output] = self._emit("PRelu", [self._names[inputs[0]], slope], f"t{output}")

    def _strided_slice(self, _options: Any, inputs: list[int], output: int) -> None:
        if self._source.shape(inputs[0]) != self._source.shape(output):
            raise ValueError("a part of a tensor is taken")
        self._names[output] = self._names[inputs[0]]

    def _reshape(self, _options: Any, inputs: list[int], output: int) -> None:
        """Always between one row of numbers and points, which lie in the same order in both."""
        shape = self._inside(f"s{output}", np.array(self._source.shape(output), np.int64))
        self._names[output] = self._emit("Reshape", [self._names[inputs[0]], shape], f"t{output}")

    def _mul(self, _options: Any, inputs: list[int], output: int) -> None:
        """By a constant. One for 4 x 4 matrices scales a transform: its upper rows, without the third column."""
        factor = self._value(inputs[1]).astype(np.float32)
        if factor.shape == (1, 4, 4):
            factor = factor[:, :2][..., [0, 1, 3]]
        self._names[output] = self._emit(
            "Mul", [self._names[inputs[0]], self._inside(f"k{output}", factor)], f"t{output}"
        )

    def _landmarks2transformmatrix(self, options: dict[str, Any], inputs: list[int], output: int) -> None:
        """To the upright box around some landmarks, made larger; upright: a line between two of them runs to the
        right."""
        self._cut_out.append(options["subset_idxs"])
        step = _Steps(self, f"t{output}")
        flat = step.part(self._names[inputs[0]], 0, 2)  # (1, 468, 2)
        ends = (step.ints([options[f"{side}_rotation_idx"]]) for side in ("right", "left"))
        along = step("Sub", *(step("Gather", flat, end, axis=1) for end in ends))
        across = step("Div", along, step("ReduceL2", along, axes=[2], keepdims=1))
        cosine, sine = step.part(across, 0, 1), step.part(across, 1, 2)
        # Rows: the box's axes in the picture.
        axes = step("Concat", across, step("Concat", step("Neg", sine), cosine, axis=2), axis=1)
        turned = step.transposed(axes)
        upright = step("MatMul", step("Gather", flat, step.ints(options["subset_idxs"]), axis=1), turned)
        low, high = (step(kind, upright, axes=[1], keepdims=1) for kind in ("ReduceMin", "ReduceMax"))
        pixels = np.array([options["output_width"], options["output_height"]], np.float32)
        larger = np.array([options["scale_x"], options["scale_y"]], np.float32)
        linear = step("Mul", turned, step("Mul", step("Sub", high, low), step.floats(larger / pixels)))
        centre = step("MatMul", step("Mul", step("Add", low, high), step.floats([0.5])), axes)
        corner = step("MatMul", step.floats(pixels.reshape(1, 1, 2) / 2), step.transposed(linear))
        self._names[output] = step("Concat", linear, step.transposed(step("Sub", centre, corner)), axis=2)

    def _transformtensorbilinear(self, options: dict[str, int], inputs: list[int], output: int) -> None:
        """What lies in a feature map where a transform takes the pixels' centres; bilinear, zeros around the map."""
        features, transform = (self._names[number] for number in inputs)
        rows, columns = options["output_height"], options["output_width"]
        height, width = self._source.shape(inputs[0])[1:3]
        row, column = np.mgrid[:rows, :columns] + 0.5
        step = _Steps(self, f"t{output}")
        pixels = step.floats(np.stack([column, row, np.ones_like(row)], axis=-1).reshape(1, -1, 3))
        # As GridSample counts: -1 is the outer edge of the first pixel, 1 that of the last one.
        shares = step("Mul", step("MatMul", pixels, step.transposed(transform)), step.floats([2 / width, 2 / height]))
        grid = step("Reshape", step("Sub", shares, step.floats([1.0])), step.ints([1, rows, columns, 2]))
        self._names[output] = step("GridSample", features, grid, mode="bilinear", padding_mode="zeros", align_corners=0)

    def _transformlandmarks(self, _options: dict[str, int], inputs: list[int], output: int) -> None:
        landmarks, transform = (self._names[number] for number in inputs)
        step = _Steps(self, f"t{output}")
        linear, shift = step.part(transform, 0, 2), step.part(transform, 2, 3)
        moved = step("MatMul", landmarks, step.transposed(linear))
        self._names[output] = step("Add", moved, step.transposed(shift))


class _Steps:
    """Puts one operator together of several, and names them and their constants."""

    def __init__(self, converter: MeshConverter, name: str) -> None:
        self._converter, self._name, self._count = converter, name, 0

    def __call__(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self._converter._emit(kind, inputs, self._next(), **attributes)

    def part(self, tensor: str, begin: int, end: int, axis: int = 2) -> str:
        return self("Slice", tensor, self.ints([begin]), self.ints([end]), self.ints([axis]))

    def transposed(self, tensor: str) -> str:
        return self("Transpose", tensor, perm=[0, 2, 1])

    def ints(self, values: Any) -> str:
        return self._converter._inside(self._next(), np.array(values, np.int64))

    def floats(self, values: Any) -> str:
        return self._converter._inside(self._next(), np.array(values, np.float32))

    def _next(self) -> str:
        self._count += 1
        return f"{self._name}_{self._count}"
