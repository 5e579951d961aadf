"""The TensorRT backend: what it does with memory, batches and graphs (against stand-ins that compute), what it refuses,
and, where there is a GPU, the real thing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_c2vl.bundle.bundle import Bundle, revise_bundle
from edge_c2vl.errors import BundleError
from edge_c2vl.inference import cuda as cuda_module
from edge_c2vl.inference import engine_build as building
from edge_c2vl.inference import plan
from edge_c2vl.inference import tensorrt as tensorrt_module
from edge_c2vl.inference.cuda import Cuda
from edge_c2vl.inference.engine_build import build_engine
from edge_c2vl.inference.onnxruntime import OnnxRuntimeBackend
from edge_c2vl.inference.plan import BuildOptions
from edge_c2vl.inference.plan_runner import make_log
from edge_c2vl.inference.select import open_backend
from edge_c2vl.inference.tensorrt import TensorRTBackend
from tests.support.engines import engine_for
from tests.support.fake_nvidia import FakeCuda, FakeTensorRT
from tests.support.tiny_bundle import clips, make_bundle, model


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "b")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeTensorRT:
    """TensorRT 10.3 on a GPU, as far as the code can tell."""
    return install(monkeypatch, tmp_path, "10.3.0")


def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str) -> FakeTensorRT:
    runtime = FakeCuda()
    trt = FakeTensorRT(version, runtime)
    monkeypatch.setattr(tensorrt_module, "load_tensorrt", lambda: trt)
    monkeypatch.setattr(cuda_module, "open_library", lambda: runtime)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return trt


def backend_for(bundle: Bundle, fake: FakeTensorRT, batch: list[int]) -> TensorRTBackend:
    return TensorRTBackend(model(), engine_for(bundle, batch=batch), bundle.manifest, fake, Cuda(fake.cuda))


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9, 20])
def test_batches_are_padded_and_split(bundle: Bundle, fake: FakeTensorRT, count: int) -> None:
    given = clips(count, seed=count)
    with backend_for(bundle, fake, [2, 4, 8]) as backend, OnnxRuntimeBackend(model(), "fp32") as reference:
        for _ in range(3):
            for found, expected in zip(backend.infer(given), reference.infer(given), strict=True):
                np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_repeated_shape_becomes_one_launch(bundle: Bundle, fake: FakeTensorRT) -> None:
    with backend_for(bundle, fake, [1, 1, 4]) as backend, OnnxRuntimeBackend(model(), "fp32") as reference:
        for number in range(5):
            one = clips(1, seed=number)  # new data each time: a graph that kept the old would show
            np.testing.assert_allclose(backend.infer(one)[0], reference.infer(one)[0], atol=1e-6)
        assert fake.cuda.launches == 4
        np.testing.assert_allclose(backend.infer(clips(3))[0], reference.infer(clips(3))[0], atol=1e-6)
        assert not fake.cuda.graphs  # the graph of the other shape is gone
        np.testing.assert_allclose(backend.infer(clips(1))[0], reference.infer(clips(1))[0], atol=1e-6)


def test_an_engine_that_cannot_be_captured_runs_as_it_is(bundle: Bundle, fake: FakeTensorRT) -> None:
    fake.cuda.can_capture = False
    with backend_for(bundle, fake, [1, 1, 1]) as backend, OnnxRuntimeBackend(model(), "fp32") as reference:
        for _ in range(3):
            np.testing.assert_allclose(backend.infer(clips(1))[0], reference.infer(clips(1))[0], atol=1e-6)
    assert fake.cuda.launches == 0


def test_results_outlive_the_next_inference(bundle: Bundle, fake: FakeTensorRT) -> None:
    with backend_for(bundle, fake, [1, 1, 1]) as backend:
        first, _ = backend.infer(clips(1, seed=1))
        kept = first.copy()
        backend.infer(clips(1, seed=2))
        np.testing.assert_array_equal(first, kept)


def test_closing_gives_everything_back_once(bundle: Bundle, fake: FakeTensorRT) -> None:
    backend = backend_for(bundle, fake, [1, 1, 2])
    for _ in range(3):
        backend.infer(clips(2))
    assert backend.gpu_ms(clips(1), times=3) == [0.25] * 3
    backend.close()
    backend.close()
    assert (fake.cuda.memory, fake.cuda.graphs, fake.cuda.events, fake.cuda.retained) == ({}, set(), 0, 0)
    with pytest.raises(RuntimeError, match="closed"):
        backend.infer(clips(1))


def test_a_batch_that_tensorrt_does_not_take(bundle: Bundle, fake: FakeTensorRT) -> None:
    with backend_for(bundle, fake, [1, 1, 9]) as backend, pytest.raises(BundleError, match="batch of 9"):
        backend.infer(clips(9))


def listed(bundle: Bundle, **change: Any) -> Bundle:
    """The bundle with an engine as the fake GPU would have built it."""
    plan = model()
    entry = engine_for(bundle, gpu="Fake GPU", tensorrt="10.3.0", sha256=_sha(plan))
    entry = replace(entry, **change)
    return revise_bundle(bundle, {entry.path: plan}, engines=[entry])


def _sha(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("change", [{"gpu": "Other GPU"}, {"sha256": "0" * 64}], ids=["other device", "damaged"])
def test_an_engine_that_is_refused_leaves_the_gpu(bundle: Bundle, fake: FakeTensorRT, change: dict[str, str]) -> None:
    with pytest.raises(BundleError, match="build-engine"):
        TensorRTBackend.open(listed(bundle, **change))
    assert fake.cuda.retained == 0


def test_auto_takes_tensorrt_where_an_engine_fits(
    bundle: Bundle, fake: FakeTensorRT, caplog: pytest.LogCaptureFixture
) -> None:
    with open_backend(listed(bundle)) as backend:
        assert (backend.unused_engine, caplog.messages) == ("", [])
        assert (backend.name, backend.precision, backend.note) == ("tensorrt", "int8", "")
        assert backend.infer(clips(1))[0].shape == (1, 2)
    assert fake.seen["host_code"] is False


def test_only_a_version_compatible_engine_may_bring_code(bundle: Bundle, fake: FakeTensorRT) -> None:
    open_backend(listed(bundle, version_compatible=True), "tensorrt").close()
    assert fake.seen["host_code"] is True


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tensorrt": "10.13.0"}, "was built by TensorRT 10.13.0"),
        ({"gpu": "Orin"}, "was built for Orin"),
        ({"sm": "9.0"}, "was built for Fake GPU"),
        ({"model_sha256": "0" * 64}, "is stale"),
        ({"sha256": "0" * 64}, "vouches for"),
    ],
)
def test_what_does_not_fit_is_never_deserialised(bundle: Bundle, fake: FakeTensorRT, change: dict, why: str) -> None:
    refused = listed(bundle, **change)
    with pytest.raises(BundleError, match=f"{why}.*build-engine {bundle.path} --precision int8") as caught:
        open_backend(refused, "tensorrt")
    assert "\n" not in str(caught.value)
    with open_backend(refused) as backend:  # auto goes on without it, and says so
        assert backend.name == "onnxruntime:cpu"
        assert why in backend.note
    assert fake.seen["deserialised"] == []


def test_a_plan_swapped_after_the_bundle_was_verified(bundle: Bundle, fake: FakeTensorRT) -> None:
    opened = listed(bundle)
    (opened.path / opened.manifest.engines[0].path).write_bytes(b"something that runs")
    with pytest.raises(BundleError, match="vouches for"):
        open_backend(opened, "tensorrt")
    assert fake.seen["deserialised"] == []


def test_a_plan_that_tensorrt_rejects(bundle: Bundle, fake: FakeTensorRT) -> None:
    fake.broken = "load"
    with pytest.raises(BundleError, match="cannot load .* magic tag mismatch"):
        open_backend(listed(bundle), "tensorrt")


def test_no_gpu(bundle: Bundle, fake: FakeTensorRT) -> None:
    fake.cuda.gpus = 0
    with pytest.raises(BundleError, match="no GPU"):
        open_backend(listed(bundle), "tensorrt")


def test_an_engine_that_cannot_be_used_is_logged_whoever_asked_for_quiet(
    bundle: Bundle, fake: FakeTensorRT, caplog: pytest.LogCaptureFixture
) -> None:
    fake.cuda.broken["cuInit"] = 100
    with open_backend(listed(bundle)) as backend:
        assert "CUDA failed in cuInit: CUDA_ERROR_NO_DEVICE" in backend.unused_engine
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "running on onnxruntime:cpu, because the bundle's engine cannot be used: tensorrt: CUDA" in caplog.text
    with open_backend(bundle) as backend:  # a bundle without an engine misses nothing
        assert backend.unused_engine == ""
    assert len(caplog.records) == 1


def test_inference_in_another_thread_than_the_one_that_opened_it(bundle: Bundle, fake: FakeTensorRT) -> None:
    with backend_for(bundle, fake, [1, 1, 1]) as backend, ThreadPoolExecutor(1) as pool:
        here = backend.infer(clips(1))[0]
        np.testing.assert_array_equal(pool.submit(backend.infer, clips(1)).result()[0], here)


def test_no_cuda(bundle: Bundle, fake: FakeTensorRT, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(cuda_module, "LIBRARY", "libno-such-cuda.so.1")
    with pytest.raises(BundleError, match=r"libno-such-cuda.so.1.*it comes with NVIDIA's driver"):
        Cuda()


def test_no_tensorrt(bundle: Bundle) -> None:
    try:
        import tensorrt  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("TensorRT is installed here")
    with pytest.raises(BundleError, match=r"TensorRT's Python binding is missing: .*install"):
        open_backend(listed(bundle), "tensorrt")


# Building


@pytest.mark.parametrize(
    ("version", "precision", "flags", "network", "parsed"),
    [
        ("8.6.2", "int8", ["INT8", "FP16"], 1, "model.int8.onnx"),
        ("8.6.2", "fp32", [], 1, "model.fp32.onnx"),
        ("10.3.0", "int8", [], 2, "model.int8.onnx"),
        ("11.4.1", "int8", [], 0, "model.int8.onnx"),
    ],
)
def test_a_build_of_each_version(
    bundle: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    version: str,
    precision: str,
    flags: list[str],
    network: int,
    parsed: str,
) -> None:
    trt = install(monkeypatch, tmp_path, version)
    said: list[str] = []
    options = BuildOptions(precision, batch=(1, 2, 4), workspace_mb=64, optimisation_level=4)
    revised, entry = build_engine(bundle, options, said.append)
    config = trt.seen["config"]
    assert config.flags == flags
    assert trt.seen["network_bits"] == network
    assert Path(trt.seen["parsed"]).name == parsed
    assert trt.seen["profile"] == ("clip", *[(size, 3, 8, 25) for size in (1, 2, 4)])
    assert config.pools == {trt.MemoryPoolType.WORKSPACE: 64 << 20}
    assert config.builder_optimization_level == 4
    assert ("Building: 100 %" in said) == (version != "8.6.2")  # progress monitors came with 10
    assert not any("Timing" in line for line in said)
    assert Bundle.open(bundle.path).manifest.engines == [entry] == revised.manifest.engines
    assert (entry.tensorrt, entry.cuda, entry.gpu, entry.sm) == (version, "12.6", "Fake GPU", "8.7")
    assert entry.batch == [1, 2, 4]
    assert entry.measured["largest_logit_difference"] < 1e-5
    assert entry.measured["same_decision_as_fp32"] == 1
    assert entry.measured["layers"] == {"CONV FLOAT": 1, "MATMUL FLOAT": 1}
    assert (entry.measured["p50_ms"], entry.measured["p95_ms"]) == (0.25, 0.25)
    with open_backend(revised) as backend:
        assert backend.name == "tensorrt"


def test_kernel_timings_are_kept_and_reused(bundle: Bundle, fake: FakeTensorRT, tmp_path: Path) -> None:
    build_engine(bundle, BuildOptions())
    assert fake.seen["config"].given_cache == b""
    build_engine(Bundle.open(bundle.path), BuildOptions())
    assert fake.seen["config"].given_cache == b"+"
    named = tmp_path / "named.cache"
    build_engine(Bundle.open(bundle.path), BuildOptions(timing_cache=named))
    assert named.read_bytes() == b"+"


def test_a_model_of_a_fixed_batch(bundle: Bundle, fake: FakeTensorRT) -> None:
    fake.shape = (4, 3, 8, 25)
    with pytest.raises(BundleError, match="--batch 4 4 4"):
        build_engine(bundle, BuildOptions())
    _, entry = build_engine(bundle, BuildOptions(batch=(4, 4, 4)))
    assert entry.batch == [4, 4, 4]


@pytest.mark.parametrize("content", [b"junk", b"from another GPU"])
def test_a_timing_cache_that_cannot_be_used_counts_as_none(
    bundle: Bundle, fake: FakeTensorRT, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "timing.cache"
    file.write_bytes(content)
    build_engine(bundle, BuildOptions(timing_cache=file))
    assert file.read_bytes() == b"+"


def test_a_timing_cache_that_cannot_be_written_costs_no_engine(
    bundle: Bundle, fake: FakeTensorRT, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    said: list[str] = []
    _, entry = build_engine(bundle, BuildOptions(timing_cache=tmp_path / "file" / "timing.cache"), said.append)
    assert Bundle.open(bundle.path).manifest.engines == [entry]
    assert any("cannot be written" in line for line in said)


def test_ctrl_c_cancels_a_build(bundle: Bundle, fake: FakeTensorRT) -> None:
    def say(line: str) -> None:
        if line == "Building: 50 %":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_engine(bundle, BuildOptions(), say)
    assert Bundle.open(bundle.path).manifest.engines == []


def test_dla_names_the_layers_that_the_gpu_runs(bundle: Bundle, fake: FakeTensorRT) -> None:
    bundle = revise_bundle(bundle, {"model.fp16.onnx": bundle.model_path().read_bytes()})
    said: list[str] = []
    _, entry = build_engine(bundle, BuildOptions(dla=1), said.append)
    config = fake.seen["config"]
    assert (config.default_device_type, config.DLA_core) == (fake.DeviceType.DLA, 1)
    assert config.flags == ["FP16", "GPU_FALLBACK"]
    assert (entry.precision, Path(fake.seen["parsed"]).name) == ("fp16", "model.fp32.onnx")
    assert "DLA 1 runs 1 of 2 layers; on the GPU:" in said
    assert "  matmul" in said
    assert entry.dla == 1
    with pytest.raises(BundleError, match="2 DLA cores"):
        build_engine(bundle, BuildOptions(dla=2))


def test_compatible_engines(bundle: Bundle, fake: FakeTensorRT) -> None:
    _, entry = build_engine(bundle, BuildOptions(version_compatible=True, hardware_compatible=True))
    config = fake.seen["config"]
    assert config.flags == ["VERSION_COMPATIBLE"]
    assert config.hardware_compatibility_level == fake.HardwareCompatibilityLevel.AMPERE_PLUS
    assert (entry.version_compatible, entry.hardware_compatible) == (True, True)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("parse", r"cannot read .*: node 3: unknown operator"),
        ("build", "could not build .*: no kernel for conv"),
        ("load", "magic tag mismatch"),
    ],
)
def test_a_failed_build_leaves_the_bundle(bundle: Bundle, fake: FakeTensorRT, broken: str, message: str) -> None:
    before = (bundle.path / "manifest.json").read_bytes()
    fake.broken = broken
    with pytest.raises(BundleError, match=message) as caught:
        build_engine(bundle, BuildOptions())
    assert "\n" not in str(caught.value)
    assert (bundle.path / "manifest.json").read_bytes() == before
    assert not (bundle.path / "engines").exists()
    assert [entry.name for entry in bundle.path.parent.iterdir() if entry.name != "cache"] == ["b"]


def test_an_engine_that_gives_nan_is_not_kept(
    bundle: Bundle, fake: FakeTensorRT, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "checking_clips", lambda _bundle: clips(2) * np.float32(np.nan))
    with pytest.raises(BundleError, match="NaN"):
        build_engine(bundle, BuildOptions())
    assert Bundle.open(bundle.path).manifest.engines == []


# The real library


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
