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


# One process for all names: to start takes longer than to run.
RUN = """
import os, sys
from cli import main
for folder in sys.argv[1:]:
    os.chdir(folder)
    name = os.path.basename(folder)
    files = {"camera": "mp4", "bundle": "bundle", "events": "ev.jsonl", "decisions": "jsonl", "output": "out.mp4"}
    files["alert-clips"] = "clips"
    code = 0
    try:
        main(["run", "--json", *(f"--{option}={name}.{suffix}" for option, suffix in files.items())])
    except SystemExit as end:
        code = end.code
    print("exit code", code)
"""


def make_folder(name: str, parent: Path) -> Path:
    """A folder of that name; in it a video and the default bundle, of that name as well."""
    folder = parent / name
    folder.mkdir()
    video = cv2.VideoWriter(str(parent / "plain.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, (64, 48))
    for index in range(8):
        video.write(np.full((48, 64, 3), 20 * index, np.uint8))
    video.release()
    shutil.move(parent / "plain.mp4", folder / f"{name}.mp4")
    shutil.copytree(DEFAULT, folder / f"{name}.bundle")
    return folder


@pytest.fixture(params=NAMES.values(), ids=NAMES.keys())
def folder(request, tmp_path) -> Path:
    return make_folder(os.fsdecode(request.param), tmp_path)


def start(folder: Path, *arguments: str | Path) -> str:
    """What Python printed, started in that folder."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr.decode(errors="backslashreplace")[-600:]
    done.stderr.decode("utf-8")
    return done.stdout.decode("utf-8")


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> dict[str, tuple[Path, str]]:
    """What a run in a folder of each name printed: its summary, and its exit code where that was not 0."""
    parent = tmp_path_factory.mktemp("run")
    folders = [make_folder(os.fsdecode(name), parent) for name in NAMES.values()]
    printed = start(parent, "-c", RUN, *folders).split("exit code 0\n")
    assert len(printed) == len(NAMES) + 1, printed
    return dict(zip(NAMES, zip(folders, printed[:-1], strict=True), strict=True))


@pytest.mark.parametrize("kind", NAMES)
def test_run(ran, kind):
    folder, printed = ran[kind]
    name = folder.name
    assert json.loads(printed)["frames"] == 8
    assert (folder / f"{name}.out.mp4").stat().st_size > 500
    assert {file.name for file in folder.iterdir() if file.name.startswith(".")} == set()
    assert (folder / f"{name}.jsonl").is_file()


@pytest.mark.parametrize("folder", [NAMES["not UTF-8"], NAMES["long"]], ids=["not UTF-8", "long"], indirect=True)
def test_extract(folder):
    pytest.importorskip("pandas")
    archive = str(folder / f"{folder.name}.archive")
    start(folder.parent, ROOT / "cli.py", "extract", "--", str(folder), archive)
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
