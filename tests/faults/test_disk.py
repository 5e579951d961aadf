"""SIGKILL while writing, and a disk that is full."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge_c2vl.sinks.jsonl import JsonLines
from edge_c2vl.sinks.mqtt import Mqtt
from tests.edge_c2vl.fleet import ALERT, Listener, spool_at
from tests.edge_c2vl.test_speed import wait_for
from tests.faults.live import LiveRun, Stream

ROOT = Path(__file__).resolve().parents[2]


def records(folder: Path) -> list[dict]:
    """All lines of events.jsonl and its older files, oldest first. A line that is no JSON fails the test."""
    files = sorted(
        folder.glob("events.jsonl*"), key=lambda file: -int(file.suffix[1:]) if file.suffix[1:].isdigit() else 0
    )
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.mark.slow
def test_fifty_kills_lose_no_alert_that_was_on_the_disk(tmp_path):
    generator = random.Random(0)
    acknowledged = 0
    for _ in range(50):
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.write_alerts", str(tmp_path / "events.jsonl"), str(acknowledged + 1)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(generator.randint(1, 200)):
            acknowledged = int(writer.stdout.readline())
        writer.kill()
        # What it said before it was killed is true as well.
        for line in writer.stdout.read().splitlines():
            acknowledged = int(line)
        writer.wait()
        # Opening mends what was cut off; what was acknowledged is there, whole, once and in order.
        JsonLines(str(tmp_path / "events.jsonl"), "state").close()
        numbers = [record["number"] for record in records(tmp_path)]
        assert set(range(1, acknowledged + 1)) <= set(numbers)
        assert numbers == sorted(numbers)
        acknowledged = numbers[-1]
    assert acknowledged > 1000


def fill(disk: Path) -> Path:
    """Leaves not a byte; the file that takes it all."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return ballast


@pytest.mark.slow
@pytest.mark.parametrize("rotate_bytes", [None, 30_000], ids=["one file", "rotated"])
def test_a_full_disk_leaves_whole_lines_and_writing_goes_on_when_there_is_room(disk, rotate_bytes):
    sink = JsonLines(str(disk / "events.jsonl"), "state", rotate_bytes)
    for number in range(1, 101):
        sink.alert(replace(ALERT, number=number))
    ballast = fill(disk)
    errors = []
    for number in range(101, 301):
        try:
            sink.alert(replace(ALERT, number=number))
        except OSError as error:
            errors.append(error.errno)
    assert set(errors) == {28}
    written = [record["number"] for record in records(disk)]
    assert len(written) == 300 - len(errors)
    ballast.unlink()
    sink.alert(replace(ALERT, number=301))
    sink.close()
    assert [record["number"] for record in records(disk)] == [*written, 301]


@pytest.mark.slow
def test_a_queue_on_a_full_disk_still_reaches_the_broker(disk, broker, caplog):
    sink = Mqtt(f"mqtt://127.0.0.1:{broker.port}/edge", spool_at(disk / "queue.db"))
    listener = Listener(broker.port)
    sink.alert(replace(ALERT, number=1))
    wait_for(lambda: len(listener.alerts()) == 1)
    ballast = fill(disk)
    for number in range(2, 300):
        sink.alert(replace(ALERT, number=number))
    wait_for(lambda: sink.waiting == 0)
    ballast.unlink()
    broker.kill()
    for number in range(300, 310):
        sink.alert(replace(ALERT, number=number))
    sink.close()
    listener.close()
    assert [record["number"] for record in listener.alerts()] == [*range(1, 300)]
    assert "repeated" not in {name for record in listener.alerts() for name in record}
    assert "it goes on in memory" in caplog.text
    # What came when there was room again is on the disk, and nothing of what was sent.
    left = spool_at(disk / "queue.db")
    numbers = []
    while (message := left.first()) is not None:
        numbers.append(json.loads(message.payload)["number"])
        left.done(message)
    left.close()
    assert numbers == [*range(300, 310)]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_full_disk_ends_no_run(disk, film):
    stream = Stream(film)
    stream.start()
    try:
        ballast = fill(disk)
        with LiveRun(disk, stream.url, "--quiet", "--alert-clips", str(disk / "clips"), log=disk.parent / "log") as run:
            run.wait_for_frames(60)
            assert run.decisions == []
            ballast.unlink()
            run.wait_for_decisions(10)
    finally:
        stream.kill()
