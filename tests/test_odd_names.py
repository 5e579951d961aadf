"""Commands with file names that Linux takes and libraries stumble over."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_c2vl.bundle.bundle import DEFAULT

ROOT = Path(__file__).parents[1]
NAMES = {
    "not UTF-8": b"fahrt \xe4",
    "line break": b"a\nb",
    "FFmpeg's syntax": b"concat:%03d|b,?#",
    "an option": b"-i",
    "a formula": b"$\\frac{$ {0} ~'\"",
    "long": b"y" * 240,
    "right to left": "\u202eabc".encode(),
}


@pytest.fixture(params=NAMES.values(), ids=NAMES.keys())
def folder(request, tmp_path) -> Path:
    """A folder of an odd name; in it a video and the default bundle, of that name as well."""
    name = os.fsdecode(request.param)
    folder = tmp_path / name
    folder.mkdir()
    video = cv2.VideoWriter(str(tmp_path / "plain.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, (64, 48))
    for index in range(8):
        video.write(np.full((48, 64, 3), 20 * index, np.uint8))
    video.release()
    shutil.move(tmp_path / "plain.mp4", folder / f"{name}.mp4")
    shutil.copytree(DEFAULT, folder / f"{name}.bundle")
    return folder


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    done = subprocess.run(
        [sys.executable, ROOT / "cli.py", *arguments],
        cwd=folder,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr.decode(errors="backslashreplace")[-600:]
    done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
    return done


def test_run(folder):
    name = folder.name
    done = call(
        folder, "run", "--camera", f"{name}.mp4", "--bundle", f"{name}.bundle", "--events", f"{name}.ev.jsonl",
        "--decisions", f"{name}.jsonl", "--output", f"{name}.out.mp4", "--alert-clips", f"{name}.clips", "--json",
    )  # fmt: skip
    assert json.loads(done.stdout)["frames"] == 8
    assert (folder / f"{name}.out.mp4").stat().st_size > 500
    assert {file.name for file in folder.iterdir() if file.name.startswith(".")} == set()
    assert (folder / f"{name}.jsonl").is_file()


@pytest.mark.parametrize("folder", [NAMES["not UTF-8"], NAMES["long"]], ids=["not UTF-8", "long"], indirect=True)
def test_extract(folder):
    pytest.importorskip("pandas")
    archive = str(folder / f"{folder.name}.archive")
    call(folder.parent, "extract", "--", str(folder), archive)
    from edge_c2vl.skeletons.archive import Archive

    assert len(Archive.open(archive).frames) == 8
    assert Archive.open(archive).clips["name"][0].isprintable()


def test_a_bundle_is_opened_and_written_anew(folder):
    from edge_c2vl.bundle.bundle import Bundle, revise_bundle

    bundle = Bundle.open(folder / f"{folder.name}.bundle")
    revise_bundle(bundle, {"notes.txt": b"there"})
    assert Bundle.open(folder / f"{folder.name}.bundle").manifest.files["notes.txt"]["size"] == 5


def test_a_video_that_is_not_there_is_one_line(tmp_path):
    # One process for all: to start takes longer than to refuse.
    program = """
import sys
from cli import main
for name in sys.argv[1:]:
    try:
        main(["run", "--camera", name])
    except SystemExit as end:
        print("exit code", end.code, file=sys.stderr)
"""
    names = [os.fsdecode(b"gone/" + name + b".mp4") for name in NAMES.values()]
    done = subprocess.run(
        [sys.executable, "-c", program, *names],
        cwd=tmp_path,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0
    told = done.stderr.decode("utf-8").splitlines()
    assert told[1::2] == ["exit code 1"] * len(NAMES)
    assert len(told) == 2 * len(NAMES)
    for line in told[::2]:
        assert line.startswith(("error: there is no file", "error: no image matches"))
