"""The quantised file itself: what TensorRT takes, and what ONNX Runtime makes of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from calibration.evaluate import sqnr_db
from calibration.quantize import check_graph, insert_qdq, layers, load_folded, ranged_tensors, to_fp16
from calibration.ranges import CalibrationError
from edge_c2vl.inference.onnxruntime import OnnxRuntimeBackend, session_options
from edge_c2vl.inference.weight_pairs import with_weight_pairs

CLIPS = np.random.default_rng(0).normal(size=(8, 3, 16, 25)).astype(np.float32)


@pytest.fixture(scope="module", params=["trained_bundle", "joined_bundle"])
def folded(request: pytest.FixtureRequest) -> Any:
    bundle: Path = request.getfixturevalue(request.param)
    return load_folded(bundle / "model.fp32.onnx")


@pytest.fixture(scope="module")
def ranges(folded: Any) -> dict[str, float]:
    return largest(folded)


def largest(folded: Any) -> dict[str, float]:
    """The largest magnitude of each tensor on CLIPS, computed here without the calibrator."""
    watched = onnx.ModelProto()
    watched.CopyFrom(folded)
    names = [name for name in ranged_tensors(layers(folded)) if name != "clip"]
    for name in names:
        watched.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run(names, {"clip": CLIPS})
    return {name: float(np.abs(value).max()) for name, value in zip(names, values, strict=True)}


@pytest.fixture(scope="module")
def quantised(folded: Any, ranges: dict[str, float]) -> Any:
    return check_graph(insert_qdq(folded, layers(folded), ranges))


def constants(model: Any) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def pairs(model: Any) -> list[Any]:
    return [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]


def both(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Logits and embeddings of CLIPS."""
    with OnnxRuntimeBackend(model.SerializeToString(), "") as backend:
        return backend.infer(CLIPS)


def test_every_pair_is_symmetric_int8(quantised: Any) -> None:
    values = constants(quantised)
    assert len(pairs(quantised)) == 5 * len(convolutions(quantised)) > 0  # two pairs, and a DQ of the weights
    for node in pairs(quantised):
        zero, scale = values[node.input[2]], values[node.input[1]]
        assert zero.dtype == np.int8
        assert not zero.any()
        assert (scale > 0).all()
        assert scale.dtype == np.float32


def convolutions(model: Any) -> list[Any]:
    return [node for node in model.graph.node if node.op_type == "Conv"]


def test_weights_are_int8_with_a_scale_a_channel(quantised: Any, folded: Any) -> None:
    values, before = constants(quantised), constants(folded)
    producers = {node.output[0]: node for node in quantised.graph.node}
    weights = {node.name: before[node.input[1]] for node in convolutions(folded)}
    for node in convolutions(quantised):
        dequantize, weight = producers[node.input[1]], weights[node.name]
        assert dequantize.op_type == "DequantizeLinear"
        assert [attribute.i for attribute in dequantize.attribute if attribute.name == "axis"] == [0]
        levels, scale = values[dequantize.input[0]], values[dequantize.input[1]]
        assert levels.dtype == np.int8
        np.testing.assert_allclose(scale, np.abs(weight).max(axis=(1, 2, 3)) / 127, rtol=1e-6)
        np.testing.assert_allclose(levels * scale[:, None, None, None], weight, atol=0.51 * scale.max())
    wide = [value for value in values.values() if value.dtype == np.float32 and value.ndim == 4]
    assert sum(value.size for value in wide) < sum(value.size for value in weights.values()) / 10


def test_a_transformer_is_quantised_alike(tmp_path: Path) -> None:
    from tests.support.encoders import trained
    from train.model.export import write_onnx
    from train.settings.training import EncoderSettings

    encoder = trained(EncoderSettings("transformer", blocks=3, joined=32, stride=4, classes=4))
    write_onnx(encoder, 16, tmp_path / "model.onnx")
    folded = load_folded(tmp_path / "model.onnx")
    quantised = check_graph(insert_qdq(folded, layers(folded), largest(folded)))
    assert len(convolutions(folded)) == 5 + 3 * 4  # each part's patch, and four a layer
    assert len(pairs(quantised)) == 5 * len(convolutions(quantised)) == 5 * len(convolutions(folded))
    for found, expected in zip(both(quantised), both(folded), strict=True):
        assert sqnr_db(expected, found) > 20
    shapes = [[size.dim_value for size in value.type.tensor_type.shape.dim][1:] for value in folded.graph.output]
    assert shapes == [[4], [5 * 32]]  # the batch alone is open


def test_tensorrt_is_given_the_same_network_with_fp32_weights_in_pairs(quantised: Any) -> None:
    """TensorRT before 10 takes no INT8 weights."""
    model = check_graph(onnx.load_from_string(with_weight_pairs(quantised.SerializeToString())))
    values = constants(model)
    producers = {node.output[0]: node for node in model.graph.node}
    assert len(pairs(model)) == 2 * 3 * len(convolutions(model)) > 0
    for node in convolutions(model):
        dequantize = producers[node.input[1]]
        quantize = producers[dequantize.input[0]]
        assert (dequantize.op_type, quantize.op_type) == ("DequantizeLinear", "QuantizeLinear")
        assert values[quantize.input[0]].dtype == np.float32
        assert quantize.input[1:] == dequantize.input[1:]
        assert list(quantize.attribute) == list(dequantize.attribute)
    for found, expected in zip(both(model), both(quantised), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_model_without_int8_weights_is_given_as_it_is(folded: Any) -> None:
    assert with_weight_pairs(folded.SerializeToString()) == folded.SerializeToString()


def test_biases_stay_float_and_nothing_is_int32(quantised: Any) -> None:
    values = constants(quantised)
    for node in convolutions(quantised):
        assert values[node.input[2]].dtype == np.float32
    kinds = {tensor.data_type for tensor in quantised.graph.initializer}
    assert onnx.TensorProto.INT32 not in kinds


def test_standard_operators_only(quantised: Any) -> None:
    assert {node.domain for node in quantised.graph.node} <= {"", "ai.onnx"}
    assert [entry.domain for entry in quantised.opset_import] == [""]
    assert quantised.opset_import[0].version >= 17
    assert "Einsum" not in {node.op_type for node in quantised.graph.node}
    onnx.checker.check_model(quantised, full_check=True)


def test_every_pair_has_one_consumer(quantised: Any) -> None:
    uses = Counter(name for node in quantised.graph.node for name in node.input)
    assert all(uses[node.output[0]] == 1 for node in pairs(quantised))


def test_a_layer_can_stay_in_floating_point(folded: Any, ranges: dict[str, float]) -> None:
    kept = layers(folded)[1].node
    model = insert_qdq(folded, layers(folded), ranges, [kept])
    producers = {node.output[0]: node for node in model.graph.node}
    for node in convolutions(model):
        assert (node.input[1] in producers) == (node.name != kept)


def test_all_layers_in_floating_point_is_the_model(folded: Any, ranges: dict[str, float]) -> None:
    model = insert_qdq(folded, layers(folded), ranges, [layer.node for layer in layers(folded)])
    assert not pairs(model)
    np.testing.assert_array_equal(both(model)[0], both(folded)[0])


def test_onnxruntime_turns_every_layer_into_an_integer_convolution(quantised: Any, tmp_path: Path) -> None:
    options = session_options(1)
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(quantised.SerializeToString(), options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node)
    assert kinds["QLinearConv"] == len(convolutions(quantised))
    assert kinds["Conv"] == kinds["FusedConv"] == 0


def fake_quantised(folded: Any, ranges: dict[str, float]) -> np.ndarray:
    """The logits of the INT8 model by PyTorch: every tensor rounded to its grid, written without ONNX's Q/DQ."""
    import torch
    from torch.nn import functional as F

    values = {name: torch.from_numpy(value.copy()) for name, value in constants(folded).items()}
    values["clip"] = torch.from_numpy(CLIPS)
    found = {layer.node: layer for layer in layers(folded)}

    def on_grid(x: torch.Tensor, limit: torch.Tensor | float) -> torch.Tensor:
        step = torch.as_tensor(limit, dtype=torch.float32) / 127
        return torch.clamp(torch.round(x / step), -128, 127) * step

    for node in folded.graph.node:
        if node.op_type in ("Mul", "ReduceSum", "Sqrt", "Div") or not all(name in values for name in node.input):
            continue  # the embedding's length, which the logits do not need
        x = [values[name] for name in node.input]
        attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        if node.op_type == "Conv":
            layer = found[node.name]
            weight = on_grid(x[1], x[1].abs().amax(dim=(1, 2, 3), keepdim=True))
            top, left, bottom, right = attributes["pads"]
            padded = F.pad(on_grid(x[0], ranges[layer.input]), (left, right, top, bottom))
            y = on_grid(F.conv2d(padded, weight, x[2], attributes["strides"]), ranges[layer.ranged])
        elif node.op_type == "MatMul":
            y = x[0] @ x[1]
        elif node.op_type == "Transpose":
            y = x[0].permute(attributes["perm"])
        elif node.op_type == "Reshape":
            y = x[0].reshape(x[1].tolist())
        elif node.op_type == "Relu":
            y = x[0].relu()
        elif node.op_type == "Add":
            y = x[0] + x[1]
        elif node.op_type == "AveragePool":
            assert not any(attributes["pads"])
            y = F.avg_pool2d(x[0], attributes["kernel_shape"], attributes["strides"], ceil_mode=True)
        elif node.op_type == "ReduceMean":
            y = x[0].mean(dim=tuple(attributes["axes"]))
        elif node.op_type == "Gemm":
            assert attributes["transB"] == 1
            return (x[0] @ x[1].T + x[2]).numpy()
        else:
            raise AssertionError(f"this reference does not know {node.op_type}")
        values[node.output[0]] = y
    raise AssertionError("no Gemm")


def test_int8_computes_what_its_scales_say(folded: Any, ranges: dict[str, float], quantised: Any) -> None:
    reference = fake_quantised(folded, ranges)
    found, embedding = both(quantised)
    # Integer kernels round elsewhere than floating point does, now and then by one step: far below the INT8 noise.
    assert sqnr_db(reference, found) > 35
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)


def test_fp16_takes_and_gives_fp32_and_keeps_the_head(folded: Any) -> None:
    model = to_fp16(folded)
    kinds = {entry.type.tensor_type.elem_type for entry in (*model.graph.input, *model.graph.output)}
    assert kinds == {onnx.TensorProto.FLOAT}
    values = constants(model)
    for node in model.graph.node:
        if node.op_type == "Conv":
            assert values[node.input[1]].dtype == np.float16
        if node.op_type == "Gemm":
            assert values[node.input[1]].dtype == np.float32
    for whole, half in zip(both(folded), both(model), strict=True):
        assert sqnr_db(whole, half) > 45


def test_a_model_without_convolutions_is_refused(tmp_path: Path) -> None:
    helper = onnx.helper
    clip = helper.make_tensor_value_info("clip", onnx.TensorProto.FLOAT, ["N", 3, 16, 25])
    logits = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["N", 3, 16, 25])
    graph = helper.make_graph([helper.make_node("Relu", ["clip"], ["logits"])], "g", [clip], [logits])
    with pytest.raises(CalibrationError, match="no convolution"):
        layers(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))
