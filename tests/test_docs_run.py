"""Runs the commands of the documentation, page by page in order, with small videos of the simulated driver."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from edge_c2vl.cameras.simulated import make_film, parse
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from tests.support.docs_commands import PAGES, ROOT, Command, commands_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

TO_RUN = {page.name: [c for c in commands_of(page) if c.block and not c.reason] for page in PAGES}
FPS, EACH_S = 10, 8
# What the pages call the activities.
NAMES = {"attentive": "attentive", "talking_on_phone": "phone", "drinking": "drinking"}
# These go on until Ctrl-C.
ENDLESS_S = 15


def film(path: Path, driver: int) -> None:
    """A drive of 24 s, attentive, phone, drinking, and its labels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drive = make_film(parse(f"simulated:{','.join(NAMES)}?driver={driver}&each={EACH_S}&camera=a_column_co_driver"))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, (drive.view.width, drive.view.height))
    for number in range(FPS * EACH_S * len(NAMES)):
        writer.write(drive.image(number / FPS))
    writer.release()
    rows = [f"{EACH_S * number},{EACH_S * (number + 1)},{name}" for number, name in enumerate(NAMES.values()) if number]
    path.with_suffix(".csv").write_text("\n".join(["start,end,label", *rows]) + "\n")


def edge_c2vl(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, ROOT / "cli.py", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages take for granted, under the names that they use."""
    folder = tmp_path_factory.mktemp("desk")
    film(folder / "drives/anna/monday.mp4", 2)
    film(folder / "drives/carl/monday.mp4", 3)
    film(folder / "drives/ben/tuesday.mp4", 5)
    shutil.copy(folder / "drives/anna/monday.mp4", folder / "drive.mp4")
    (folder / "drive.csv").write_text(f"start,end,label\n{EACH_S},{3 * EACH_S},distracted\n")
    edge_c2vl(folder, "run", "--camera", "drive.mp4", "--decisions", "decisions.jsonl", "--events", "events.jsonl")
    edge_c2vl(folder, "extract", "drives", "extracted")
    extracted = Archive.open(folder / "extracted")
    with ArchiveWriter(
        folder / "ARCHIVE", labels=[], source="", licence="", source_layout="mediapipe33", dimensions=2
    ) as writer:
        for row, name in enumerate(("CLIP", "another")):
            writer.append(name, extracted.sequence(row), FPS, timestamps=extracted.timestamps(row))
    edge_c2vl(folder, "knowledge", "encode", "ARCHIVE", "BANK", "--seconds", "3", "--hop-s", "1", "--pool", "clauses")
    shutil.rmtree(folder / "extracted")
    return folder


@pytest.mark.parametrize("page", [page for page, commands in TO_RUN.items() if commands])
def test_the_commands_of_a_page_work(page: str, desk: Path, tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    shutil.copytree(desk, folder)
    for command in TO_RUN[page]:
        code, said = run(command, folder)
        assert code == 0, f"{command}\nended with {code}:\n{said[-2000:]}"


def run(command: Command, folder: Path) -> tuple[int, str]:
    """Exit code and output. What has no end of its own gets Ctrl-C after a while."""
    program = {"edge-c2vl": [sys.executable, str(ROOT / "cli.py")], "make": ["make", "-C", str(ROOT)]}
    name = command.words[0]
    words = [*program.get(name, [sys.executable]), *command.words[1:]]
    endless = command.words[1:2] == ("replay",) or ("simulated" in command.text and command.words[1:2] == ("run",))
    environment = os.environ | {"EDGE_C2VL_CACHE": str(folder / "cache")}
    with subprocess.Popen(
        words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            said, _ = process.communicate(timeout=ENDLESS_S if endless else 900)
        except subprocess.TimeoutExpired:
            if not endless:
                process.kill()
                raise
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=60)
    return process.returncode, said
