"""tools/gpu-check as far as it goes without a GPU: against stand-ins that compute, and its word where there is none."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from edge_c2vl.inference import cuda as cuda_module
from edge_c2vl.inference import tensorrt as tensorrt_module
from tests.support.fake_cuda import FakeCuda
from tests.support.fake_tensorrt import FakeTensorRT
from tests.support.tiny_bundle import make_bundle

TOOL = Path(__file__).resolve().parents[1] / "tools" / "gpu-check"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    runtime = FakeCuda()
    trt = FakeTensorRT("8.6.0", runtime)
    loader = SourceFileLoader("gpu_check", str(TOOL))
    module = module_from_spec(spec_from_loader("gpu_check", loader))
    loader.exec_module(module)
    for place in (tensorrt_module, module):
        monkeypatch.setattr(place, "load_tensorrt", lambda: trt)
    monkeypatch.setattr(cuda_module, "open_library", lambda: runtime)
    monkeypatch.setattr(module, "FLOOR_RUNS", 3)
    monkeypatch.setattr(module, "PICTURES", 1)
    return module


@pytest.mark.slow
def test_every_part_runs_up_to_the_driver(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_c2vl.inference.plan_runner.PlanRunner.gpu_ms", lambda *_: [0.5, 0.7])
    monkeypatch.setattr(tool, "training", lambda _until: None)
    bundle = make_bundle(tmp_path / "b")
    assert tool.main(["--bundle", str(bundle.path)]) == 1  # ONNX Runtime has no CUDA here
    said = capsys.readouterr().out
    assert "Fake GPU (SM 8.7), CUDA 12.6, TensorRT 8.6.0" in said
    assert "launch floor: 0.2500 / 0.2500 ms" in said
    rows = re.findall(r"^\| (fp32|int8) \| [\d.]+ \| [\d.]+ \| [\d.e-]+ of .*\| 100.0 % of", said, re.MULTILINE)
    assert sorted(rows) == sorted(bundle.precisions)
    networks = re.findall(r"^\| (detector|landmarks) \| (fp32|fp16) \|", said, re.MULTILINE)
    assert networks == [("detector", "fp32"), ("detector", "fp16"), ("landmarks", "fp32"), ("landmarks", "fp16")]
    assert said.count("not measured") == 1
    assert "this ONNX Runtime has no CUDAExecutionProvider" in said


def test_pictures_for_a_machine_without_opencv(tool: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "pictures.npz"
    assert tool.main(["--write-pictures", str(file)]) == 0
    pictures = tool.np.load(file)["pictures"]
    assert (pictures.shape, str(pictures.dtype)) == ((1, 256, 256, 3), "uint8")
    assert tool.as_inputs(pictures, "detector", (1, 3, 224, 224)).shape == (1, 1, 3, 224, 224)
    program = f"""import runpy, sys
sys.modules["cv2"] = None
sys.argv = ["gpu-check", "--pictures", "{file}", "--minutes", "0"]
runpy.run_path("{TOOL}", run_name="__main__")"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")


def test_it_keeps_to_its_time(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--minutes", "0"]) == 1
    assert "### Pose networks\n\nnot measured: EdgeC2VLError: out of time" in capsys.readouterr().out


@pytest.mark.slow
def test_without_a_gpu_each_part_says_why() -> None:
    done = subprocess.run([sys.executable, TOOL], capture_output=True, text=True)
    if "Fake" not in done.stdout and done.returncode == 0:
        pytest.skip("there is a GPU here")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout.count("not measured") == done.stdout.count("###")
