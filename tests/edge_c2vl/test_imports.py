"""What goes into the vehicle needs nothing of the workstation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "edge_c2vl"
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)

# Heavy, or not part of the core install: an edge_c2vl module that imports one at its top would break a vehicle.
FORBIDDEN = ("torch", "train", "calibration", "pandas", "pyarrow", "onnx", "sklearn", "lightning_fabric")


def imported(statement: str) -> set[str]:
    """Names of the top-level packages in sys.modules after a statement, in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    return set(done.stdout.split("\n")[-2].split())


def test_no_module_of_edge_c2vl_imports_the_workstations_packages():
    assert len(MODULES) > 15
    found = imported("; ".join(f"import {module}" for module in MODULES))
    assert not found & set(FORBIDDEN)


def test_the_pose_network_brings_no_torch():
    assert "torch" not in imported("from edge_c2vl.pose import PoseEstimator\nPoseEstimator().close()")


def test_help_loads_nothing_heavy():
    statement = "import cli\ntry:\n    cli.main(['--help'])\nexcept SystemExit as stop: assert stop.code == 0"
    heavy = {"numpy", "cv2", "mediapipe", "onnxruntime", "rich", *FORBIDDEN} - {"train", "calibration"}
    assert not imported(statement) & heavy


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_function_imports_them_either(path):
    text = path.read_text()
    for package in ("torch", "train", "calibration"):
        assert f"import {package}" not in text
        assert f"from {package}" not in text
