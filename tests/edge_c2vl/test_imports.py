"""What goes into the vehicle needs nothing of the workstation."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.imports import FORBIDDEN, imported

PACKAGE = Path(__file__).resolve().parents[2] / "edge_c2vl"
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)


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
