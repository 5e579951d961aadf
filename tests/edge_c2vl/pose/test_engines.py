"""The pose networks' TensorRT plans in a bundle: built, verified and run against stand-ins that compute."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from cli import edge_c2vl
from edge_c2vl.bundle.bundle import Bundle, write_bundle
from edge_c2vl.cameras.camera import Frame
from edge_c2vl.errors import BundleError
from edge_c2vl.inference import cuda as cuda_module
from edge_c2vl.inference import tensorrt as tensorrt_module
from edge_c2vl.inference.plan_runner import PlanRunner
from edge_c2vl.inference.select import open_backend
from edge_c2vl.pose import PoseEstimator, engines, fastest, networks
from tests.support.fake_cuda import FakeCuda
from tests.support.fake_tensorrt import FakeTensorRT
from tests.support.tiny_bundle import make_bundle

CAMERA = "simulated:story?live=no&fps=1&seconds=3"


@pytest.fixture(scope="module")
def nvidia() -> tuple[FakeCuda, FakeTensorRT]:
    runtime = FakeCuda()
    return runtime, FakeTensorRT("10.3.0", runtime)


def install(nvidia, patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setattr(tensorrt_module, "load_tensorrt", lambda: nvidia[1])
    patch.setattr(cuda_module, "open_library", lambda: nvidia[0])
    patch.setattr(PlanRunner, "gpu_ms", lambda *_: [0.25])  # 200 runs of each network, on the CPU
    patch.setenv("XDG_CACHE_HOME", str(folder))


@pytest.fixture(autouse=True)
def installed(nvidia, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(nvidia, monkeypatch, tmp_path / "cache")


@pytest.fixture(scope="module")
def built(nvidia, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, dict]:
    """A bundle with engines by the command, and what it told."""
    with pytest.MonkeyPatch.context() as patch:
        install(nvidia, patch, tmp_path_factory.mktemp("cache"))
        made = make_bundle(tmp_path_factory.mktemp("built") / "b")
        done = CliRunner().invoke(edge_c2vl, ["build-engine", str(made.path), "--camera", CAMERA, "--json"])
    assert done.exit_code == 0, done.output
    return Bundle.open(made.path), json.loads(done.stdout)


def test_one_command_builds_the_encoder_and_both_networks(built) -> None:
    bundle, told = built
    assert [(engine.model, engine.precision) for engine in bundle.manifest.engines] == [
        ("encoder", "int8"),
        ("detector", "fp16"),
        ("landmarks", "fp16"),
    ]
    assert [network["model"] for network in told["pose"]] == ["detector", "landmarks"]
    for network in told["pose"]:
        found = network["measured"]
        assert (found["pictures"], found["found_alike"]) == (3, 1)
        # Their FP16 is rounded on the CPU as well, so that it is near FP32 and not equal to it.
        assert 0 < found["apart_p95"] < 0.005
        assert (found["p50_ms"], found["layers"]) == (0.25, {"CONV FLOAT": 1, "MATMUL FLOAT": 1})


def test_the_plans_run_a_pose_estimator(built) -> None:
    image = engines.spread_pictures(CAMERA)[0]
    with PoseEstimator(kind="blazepose:tensorrt", bundle=built[0]) as ours, PoseEstimator(kind="blazepose") as cpu:
        assert ours.name.endswith(" on tensorrt")
        assert ours.identity == networks.verify(networks.FOLDER, "fp16")
        first, second = ours.estimate(image, 0.0), cpu.estimate(image, 0.0)
    assert first is not None
    assert second is not None
    seen = second[:, 3] > 0.5
    assert np.abs(first - second)[seen, :2].max() < 3  # pixels of 640


@pytest.mark.parametrize(("gpu_ms", "taken"), [(2.0, "tensorrt"), (9.0, "onnxruntime:cpu")])
def test_auto_takes_them_where_they_are_faster(
    built, monkeypatch: pytest.MonkeyPatch, gpu_ms: float, taken: str
) -> None:
    monkeypatch.setattr(fastest, "latency_ms", lambda network: gpu_ms if network.name == "tensorrt" else 8.0)
    chosen = fastest.open_fastest(bundle=built[0])
    assert chosen.landmarks.name == taken
    assert "8.0 ms" in chosen.note
    assert f"{gpu_ms:.1f} ms" in chosen.note
    chosen.close()


def test_auto_goes_on_without_plans_that_open_and_do_not_run(
    built, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise BundleError("TensorRT failed: out of memory")

    monkeypatch.setattr(engines.TensorRTNetwork, "run", fail)
    chosen = fastest.open_fastest(bundle=built[0])
    assert (chosen.landmarks.name, chosen.note) == ("onnxruntime:cpu", "not tensorrt: TensorRT failed: out of memory")
    assert ["out of memory" in line for line in caplog.messages] == [True]
    chosen.close()


def test_a_plan_of_other_networks_or_another_device_is_not_loaded(
    built, nvidia, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = built[0]
    stale = [replace(e, model_sha256="0" * 64) if e.model == "landmarks" else e for e in bundle.manifest.engines]
    foreign = [replace(e, gpu="Orin") if e.model == "detector" else e for e in bundle.manifest.engines]
    for entries, why in ((stale, "is stale"), (foreign, "was built for Orin")):
        files = {name: bundle.path / name for name in bundle.manifest.files}
        copy = replace_engines(tmp_path / why.replace(" ", "-"), bundle, files, entries)
        nvidia[1].seen["deserialised"].clear()
        with pytest.raises(BundleError, match=rf"{why}.*build it on this device with edge-c2vl build-engine \S+$"):
            PoseEstimator(kind="blazepose:tensorrt", bundle=copy)
        with PoseEstimator(bundle=copy) as pose:  # auto goes on without them, and says so
            assert " on onnxruntime:cpu (not tensorrt: " in pose.name
            assert why in pose.name
        assert [why in line for line in caplog.messages] == [True]
        caplog.clear()


def replace_engines(path: Path, bundle: Bundle, files, entries) -> Bundle:
    return write_bundle(path, replace(bundle.manifest, engines=entries), files)


def test_a_plan_that_answers_otherwise_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_bundle(tmp_path / "b")
    run = engines.TensorRTNetwork.run
    monkeypatch.setattr(
        engines.TensorRTNetwork,
        "run",
        lambda self, image: {k: v * np.float32(1.05) for k, v in run(self, image).items()},
    )
    done = CliRunner().invoke(edge_c2vl, ["build-engine", str(made.path), "--camera", CAMERA])
    assert done.exit_code == 1
    assert "answers otherwise than ONNX Runtime" in str(done.exception)
    assert "--no-pose" in str(done.exception)
    assert {engine.model for engine in Bundle.open(made.path).manifest.engines} == {"encoder"}


@pytest.mark.parametrize(
    ("fps", "seconds", "count", "last_s"),
    [(1, 3, 3, 2.0), (1, 300, 31, 30.0), (30, 2, 30, 58 / 30), (30, 300, 29, 896 / 30)],
)
def test_pictures_are_spread_over_the_recording(
    monkeypatch: pytest.MonkeyPatch, fps: int, seconds: int, count: int, last_s: float
) -> None:
    times = [number / fps for number in range(fps * seconds)]
    frames = (
        Frame(np.full((2, 2, 3), number % 256, np.uint8), 7.0 + time_s, 0.0, number)
        for number, time_s in enumerate(times)
    )
    source = SimpleNamespace(read=lambda: next(frames, None))
    monkeypatch.setattr(engines, "open_camera", lambda *_: nullcontext(source))
    found = engines.spread_pictures("drive.mp4")
    assert len(found) == count
    shown = [number % 256 for number in range(0, len(times), round(last_s * fps / (count - 1)))][:count]
    assert [int(picture[0, 0, 0]) for picture in found] == shown


def test_pictures_without_anybody_verify_nothing(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        edge_c2vl,
        ["build-engine", str(make_bundle(tmp_path / "b").path), "--camera", "simulated:empty?live=no&fps=2&seconds=1"],
    )
    assert done.exit_code == 1
    assert "name a recording with --camera" in str(done.exception)


def test_the_encoder_does_not_take_a_pose_plan(built) -> None:
    bundle = built[0]
    without = [engine for engine in bundle.manifest.engines if engine.model != "encoder"]
    with pytest.raises(BundleError, match="has no TensorRT engine"):
        open_backend(Bundle(bundle.path, replace(bundle.manifest, engines=without)), "tensorrt")
