"""What all data sets share: interrupting, memory, the order of the rows, refusing to overwrite."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.archive import Archive
from train.commands.prepare import prepare as command
from train.datasets import DATASETS
from train.datasets import prepare as prepare_module
from train.datasets.prepare import prepare
from train.datasets.source import MAX_FRAMES, Recording, Source, bodies, numbers

ROOT = Path(__file__).resolve().parents[3]


def write_clips(folder: Path, count: int) -> None:
    """NW-UCLA clips: the smallest format there is."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"file_name": "x", "skeletons": np.ones((200, 20, 3)).tolist(), "label": 1})
    first = folder / "a01_s01_e00_v01.json"
    first.write_text(text)
    for index in range(1, count):
        action, subject, take = index % 100, index // 100 % 100, index // 10000
        os.link(first, folder / f"a{action:02d}_s{subject:02d}_e{take + 1:02d}_v01.json")


def start(tmp_path: Path) -> subprocess.Popen:
    """`edge-c2vl prepare` with two workers, as soon as the first clips are on disk."""
    write_clips(tmp_path / "source", 3000)
    arguments = ["nw-ucla", str(tmp_path / "source"), str(tmp_path / "out" / "a"), "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "prepare", *arguments],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 1000 for path in tmp_path.glob("out/.*/frames.npy")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def wait_until_gone(group: int) -> bool:
    """Whether every process of the group ends within ten seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_killed_it_leaves_no_process(tmp_path: Path) -> None:
    process = start(tmp_path)
    process.kill()
    process.communicate(timeout=60)
    assert wait_until_gone(process.pid)


def test_a_killed_worker_is_an_error_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def source(*_: object) -> Source:
        return Source(["x"], "made up", "none", "ntu25", 3, range(500), die_at_300, count=500)

    monkeypatch.setitem(DATASETS, "made-up", "train.datasets.sktdd:open_source")
    monkeypatch.setattr("train.datasets.sktdd.open_source", source)
    (tmp_path / "source").mkdir()
    with pytest.raises(DatasetError, match="fewer --workers"):
        prepare("made-up", tmp_path / "source", tmp_path / "a", workers=2)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path)
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else 143)
    assert "Traceback" not in errors
    assert list((tmp_path / "out").iterdir()) == []
    assert wait_until_gone(process.pid)


def test_items_are_read_one_batch_ahead_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory must not grow with the data set: items are asked for as clips are written."""
    asked, written = [0], []

    def items() -> Iterator[int]:
        for index in range(500):
            asked[0] += 1
            yield index

    def source(*_: object) -> Source:
        return Source(["x"], "made up", "none", "ntu25", 3, items(), double, count=500)

    monkeypatch.setitem(DATASETS, "made-up", "train.datasets.sktdd:open_source")
    monkeypatch.setattr("train.datasets.sktdd.open_source", source)
    append = prepare_module._append

    def counting(writer, rows):
        written.append(asked[0] - len(written))
        return append(writer, rows)

    monkeypatch.setattr(prepare_module, "_append", counting)
    prepare("made-up", tmp_path, tmp_path / "a", workers=2)
    assert max(written) <= 2 * 4 + 1
    assert Archive.open(tmp_path / "a").clips["name"].tolist() == [str(index) for index in range(500)]


def die_at_300(index: int) -> list[Recording]:
    if index == 300:
        os.kill(os.getpid(), signal.SIGKILL)
    return double(index)


def double(index: int) -> list[Recording]:
    return [Recording(str(index), np.ones((2, 25, 4), np.float32), 30)]


def test_every_data_set_says_what_it_expects(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("nothing that anybody knows")
    for dataset in DATASETS:
        for source in ("empty", "file"):
            with pytest.raises(DatasetError) as caught:
                prepare(dataset, tmp_path / source, tmp_path / "a")
            assert "\n" not in str(caught.value)
            assert str(tmp_path / source) in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file"]


def test_the_command_knows_every_data_set() -> None:
    result = CliRunner().invoke(command, ["--help"])
    assert result.exit_code == 0
    listed = "".join(result.output.split())  # the list is wrapped
    assert all(dataset in listed for dataset in DATASETS)
    assert CliRunner().invoke(command, ["nonsense", "a", "b"]).exit_code == 2


def test_bodies_are_rows() -> None:
    plain = Recording("clip", np.zeros((0, 25, 4), np.float32), 30, group="g", columns={"xsub": "test"})
    seen, empty = np.ones((3, 25, 4), np.float32), np.zeros((3, 25, 4), np.float32)
    rows = bodies(plain, [empty, seen, seen])
    assert [(row.name, row.group, row.columns) for row in rows] == [
        ("clip", "g", {"xsub": "test", "body": 0}),
        ("clip#1", "g", {"xsub": "test", "body": 1}),
    ]
    with pytest.raises(DatasetError, match="clip shows nobody"):
        bodies(plain, [empty])


@pytest.mark.parametrize("lines", [[], [""], ["1 2", ""], ["1 2", "3"], ["1 x"]])
def test_numbers_must_be_a_table(lines: list[str]) -> None:
    with pytest.raises(DatasetError, match="the file"):
        numbers(lines, (0, 1), "the file")


def test_a_frame_number_out_of_range_makes_no_huge_array() -> None:
    assert MAX_FRAMES * 25 * 4 * 4 < 1e9
