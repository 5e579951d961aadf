"""INT8 weights for TensorRT: what no Q/DQ pair can stand for is refused, and the build says so in one line. What an
exported model becomes, tests/calibration/test_quantize.py holds against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_c2vl.errors import BundleError
from edge_c2vl.inference.plan import BuildOptions, build_plan, choose_flags
from edge_c2vl.inference.tensorrt import this_device
from edge_c2vl.inference.weight_pairs import with_weight_pairs
from tests.support.fake_tensorrt import FakeTensorRT

LEVELS = np.arange(-3, 3, dtype=np.int8).reshape(3, 2)


def model(axis: int = 0, readers: int = 1, **change: Any) -> bytes:
    """The sum of a dequantised weight (3, 2) and the input; change: constants that are others, or None."""
    given = {"scale": np.float32([0.5, 1, 2]), "zero": np.zeros(3, np.int8)} | change
    constants = {"weight": LEVELS} | {name: value for name, value in given.items() if value is not None}
    inputs = ["weight", "scale", *(["zero"] if "zero" in constants else [])]
    nodes = [helper.make_node("DequantizeLinear", inputs, [f"wide{index}"], axis=axis) for index in range(readers)]
    nodes.append(helper.make_node("Sum", ["x", *(f"wide{index}" for index in range(readers))], ["y"]))
    entries = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3, 2]) for name in "xy"]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "weights", entries[:1], entries[1:], tensors)
    made: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return made


@pytest.mark.parametrize(
    ("axis", "change", "wide"),
    [
        (0, {}, LEVELS * np.float32([[0.5], [1], [2]])),
        (1, {"scale": np.float32([2, 4]), "zero": np.zeros(2, np.int8)}, LEVELS * np.float32([2, 4])),
        (0, {"scale": np.float32(2), "zero": np.int8(0)}, LEVELS * np.float32(2)),
    ],
    ids=["rows", "columns", "one scale"],
)
def test_a_weight_becomes_fp32_and_a_pair(axis: int, change: dict[str, Any], wide: np.ndarray) -> None:
    graph = onnx.load_from_string(with_weight_pairs(model(axis, **change))).graph
    assert [node.op_type for node in graph.node] == ["QuantizeLinear", "DequantizeLinear", "Sum"]
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    np.testing.assert_array_equal(values["weight"], wide)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"zero": np.int8([0, 1, 0])}, "zero point of the INT8 weight weight is not 0"),
    ({"zero": None}, "zero point of the INT8 weight weight is not 0"),
    ({"scale": np.float16([0.5, 1, 2])}, "scale of the INT8 weight weight is no FP32 constant"),
    ({"scale": None}, "scale of the INT8 weight weight is no FP32 constant"),
    ({"axis": 1}, "do not fit its axis 1"),
    ({"axis": -2}, "do not fit its axis"),
    ({"readers": 2}, "several nodes read the INT8 weight weight"),
]


@pytest.mark.parametrize(("change", "why"), REFUSED)
def test_a_weight_that_no_pair_can_stand_for_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        with_weight_pairs(model(**change))


@pytest.mark.parametrize("content", [b"junk", model()[:-9], model(zero=None)], ids=["junk", "cut off", "no zero point"])
def test_a_build_says_why_in_one_line(fake: FakeTensorRT, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.int8.onnx"
    file.write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.int8\.onnx cannot be prepared for TensorRT: ") as caught:
        build_plan(fake, file, choose_flags((10, 3), "int8"), BuildOptions(), this_device(fake), {})
    assert "\n" not in str(caught.value)
    assert "parsed" not in fake.seen
