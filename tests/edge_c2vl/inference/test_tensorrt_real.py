"""TensorRT itself, where it is installed: the names that are used, and, on a GPU, engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.errors import BundleError
from edge_c2vl.inference import plan
from edge_c2vl.inference import tensorrt as tensorrt_module
from edge_c2vl.inference.cuda import Cuda
from edge_c2vl.inference.engine_build import build_engine
from edge_c2vl.inference.onnxruntime import OnnxRuntimeBackend
from edge_c2vl.inference.plan import BuildOptions
from edge_c2vl.inference.plan_runner import make_log
from edge_c2vl.inference.select import open_backend
from tests.support.tiny_bundle import clips, model


def real_tensorrt() -> Any:
    """The real tensorrt and a GPU, or a skip that says what is missing."""
    trt = pytest.importorskip("tensorrt", reason="TensorRT is not installed here")
    try:
        Cuda().close()
    except BundleError as error:
        pytest.skip(f"TensorRT needs a GPU: {error}")
    return trt


def test_the_names_that_are_used_exist() -> None:
    """Needs the library, but no GPU."""
    trt = pytest.importorskip("tensorrt", reason="TensorRT is not installed here")
    version = tensorrt_module.version_of(trt)
    for precision in ("int8", "fp16", "fp32"):
        flags = plan.choose_flags(version, precision, version_compatible=True)
        assert all(hasattr(trt.NetworkDefinitionCreationFlag, name) for name in flags.network)
        assert all(hasattr(trt.BuilderFlag, name) for name in (*flags.builder, "GPU_FALLBACK"))
    assert trt.MemoryPoolType.WORKSPACE is not None
    assert trt.HardwareCompatibilityLevel.AMPERE_PLUS is not None
    assert trt.DeviceType.DLA is not None
    for owner, names in {
        trt.Builder: "create_network create_builder_config create_optimization_profile build_serialized_network "
        "num_DLA_cores",
        trt.IOptimizationProfile: "set_shape",
        trt.ITimingCache: "serialize",
        trt.IBuilderConfig: "set_flag set_memory_pool_limit builder_optimization_level hardware_compatibility_level "
        "add_optimization_profile create_timing_cache set_timing_cache get_timing_cache default_device_type DLA_core "
        "can_run_on_DLA",
        trt.OnnxParser: "parse num_errors get_error",
        trt.Runtime: "deserialize_cuda_engine engine_host_code_allowed DLA_core",
        trt.ICudaEngine: "create_execution_context num_io_tensors get_tensor_name get_tensor_shape get_tensor_mode",
        trt.TensorIOMode: "INPUT",
        trt.IExecutionContext: "set_tensor_address set_input_shape execute_async_v3",
        trt.INetworkDefinition: "get_layer num_layers get_input",
        trt.ILayer: "name type get_output",
        trt.ITensor: "dtype shape",
    }.items():
        assert [name for name in names.split() if not hasattr(owner, name)] == []
    if version >= (10,):
        assert hasattr(trt.IBuilderConfig, "progress_monitor")
        own = {name for name in vars(type(plan._monitor(trt, print))) if not name.startswith("_")}
        assert own == {name for name in vars(trt.IProgressMonitor) if not name.startswith("_")}
    log = make_log(trt)
    log.log(trt.ILogger.Severity.WARNING, "no")
    log.log(trt.ILogger.Severity.ERROR, "two\nlines")
    assert log.last == "two lines"


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_a_real_engine(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    real_tensorrt()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    revised, entry = build_engine(bundle, BuildOptions(precision, batch=(1, 2, 4)))
    assert entry.measured["largest_logit_difference"] < 0.05 * entry.measured["largest_logit"] + 1e-3
    assert entry.measured["p50_ms"] > 0
    with open_backend(revised, "tensorrt", precision) as backend, OnnxRuntimeBackend(model(), precision) as reference:
        for count in (1, 3, 4, 9, 1, 1, 1):
            np.testing.assert_allclose(backend.infer(clips(count))[0], reference.infer(clips(count))[0], atol=1e-2)
