"""edge-c2vl bench --stage pose: two real estimators in turns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from cli import edge_c2vl

ROOT = Path(__file__).resolve().parents[2]


ONE_THREAD = """
import sys
from edge_c2vl.commands.bench import _pose_text
from edge_c2vl.runtime.benchmark_pose import bench_pose
print(_pose_text(bench_pose(sys.argv[1], None, [1], rounds=1)))
"""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(12):
        cv2.imwrite(str(folder / f"{index:02}.png"), np.full((48, 64, 3), 20 * index, np.uint8))
    return folder


def test_both_in_turns(pictures: Path) -> None:
    pytest.importorskip("mediapipe")
    done = CliRunner().invoke(edge_c2vl, ["bench", "--stage", "pose", "--camera", str(pictures), "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    shown = [(*row["pose"].split()[:2], row["threads"]) for row in result["rows"]]
    assert [(kind, precision if kind == "blazepose" else "", threads) for kind, precision, threads in shown] == [
        (kind, precision, threads)
        for threads in (1, 2)
        for kind, precision in (("mediapipe", ""), ("blazepose", "fp32"), ("blazepose", "int8"))
    ]
    assert all(
        row["frames"] == 12 and row["found"] == 0 and 0 < row["p50_ms"] <= row["p95_ms"] for row in result["rows"]
    )
    assert set(result["ratio"]) == {"1", "2"}
    for ratios in result["ratio"].values():
        assert set(ratios) == {"blazepose", "blazepose:int8"}
        assert all(ratio > 0 for ratio in ratios.values())


def test_without_mediapipe_ours_is_measured_alone(pictures: Path, tmp_path: Path) -> None:
    """In processes that find no MediaPipe: a module of that name stands before it and fails. With one thread: the
    command also asks for two."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "mediapipe.py").write_text("raise ImportError('hidden')\n")
    done = subprocess.run(
        [sys.executable, "-c", ONE_THREAD, pictures],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(tmp_path / "hidden"), "PATH": "/usr/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert "mediapipe: MediaPipe is missing" in done.stdout
    assert "blazepose fp32" in done.stdout
    assert "times MediaPipe's" not in done.stdout


def test_a_recording_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "cli.py", "bench", "--stage", "pose", "--camera", tmp_path / "gone.mp4"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no file")
    assert done.stderr.count("\n") == 1
