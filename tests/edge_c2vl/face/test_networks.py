"""The network's files: where they come from, and that nothing else is opened."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cli import edge_c2vl
from edge_c2vl.bundle.external_data import external_files
from edge_c2vl.errors import BundleError
from edge_c2vl.face.networks import FOLDER, open_mesh

ROOT = Path(__file__).resolve().parents[3]


def test_every_file_is_listed_and_the_weights_are_verified() -> None:
    listed = json.loads((FOLDER / "manifest.json").read_text())["files"]
    assert {path.name for path in FOLDER.iterdir()} == {*listed, "manifest.json"}
    assert external_files((FOLDER / "mesh.fp32.onnx").read_bytes()) == {"mesh.weights"}
    assert "Apache License, Version 2.0" in (FOLDER / "NOTICE").read_text()


@pytest.mark.parametrize("name", ["mesh.weights", "mesh.fp32.onnx", "manifest.json"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(FOLDER, tmp_path / "networks")
    content = bytearray((copy / name).read_bytes())
    content[10] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(BundleError, match=r"pip install") as caught:
        open_mesh(folder=copy)
    assert "\n" not in str(caught.value)


def test_the_wheels_file_gives_what_the_package_carries(tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    onnx = pytest.importorskip("onnx")
    done = CliRunner().invoke(edge_c2vl, ["build-face", str(tmp_path / "made"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads((FOLDER / "manifest.json").read_text())
    for path in FOLDER.iterdir():
        assert (tmp_path / "made" / path.name).read_bytes() == path.read_bytes(), path.name
    onnx.checker.check_model(str(tmp_path / "made" / "mesh.fp32.onnx"), full_check=True)


def test_what_the_network_answers() -> None:
    identity, network = open_mesh()
    assert identity.startswith("attention-mesh fp32 ")
    answers = network.run(np.zeros((1, 3, 192, 192), np.float32))
    assert {name: value.shape for name, value in answers.items()} == {
        "landmarks": (1, 478, 3),
        "presence": (1, 1, 1, 1),
    }
    assert answers["presence"].item() < 0


def test_the_run_time_needs_neither_mediapipe_nor_onnx() -> None:
    program = (
        "import sys\n"
        "for name in ('mediapipe', 'onnx', 'jax', 'flatbuffers', 'google.protobuf'): sys.modules[name] = None\n"
        "import numpy as np\nfrom edge_c2vl.face.tracker import FaceTracker\n"
        "print(FaceTracker.open().look(np.zeros((64, 64, 3), np.uint8), None))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "None", done.stderr
