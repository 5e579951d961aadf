"""Building a TensorRT engine: what each version is told, how the engine is checked, what a failure leaves. Against
stand-ins that compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.bundle.bundle import Bundle, revise_bundle
from edge_c2vl.errors import BundleError
from edge_c2vl.inference import engine_build as building
from edge_c2vl.inference.engine_build import build_engine
from edge_c2vl.inference.plan import BuildOptions
from edge_c2vl.inference.select import open_backend
from tests.support.fake_tensorrt import FakeTensorRT, install
from tests.support.tiny_bundle import clips


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
    assert fake.cuda.held == {}
    assert [entry.name for entry in bundle.path.parent.iterdir() if entry.name != "cache"] == ["b"]


def test_an_engine_that_gives_nan_is_not_kept(
    bundle: Bundle, fake: FakeTensorRT, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "checking_clips", lambda _bundle: clips(2) * np.float32(np.nan))
    with pytest.raises(BundleError, match="NaN"):
        build_engine(bundle, BuildOptions())
    assert Bundle.open(bundle.path).manifest.engines == []
