"""SIGKILL while writing, and a disk that is full."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge_c2vl.sinks.jsonl import JsonLines
from tests.edge_c2vl.test_fleet_sinks import ALERT

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


@pytest.mark.slow
def test_a_full_disk_leaves_whole_lines_and_writing_goes_on_when_there_is_room(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, text=True
    )
    if mount.returncode:
        pytest.skip(f"needs to mount a tmpfs, for which it has to be root: {mount.stderr.strip()}")
    try:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 40_000)
        sink = JsonLines(str(disk / "events.jsonl"), "state")
        errors = []
        for number in range(1, 301):
            try:
                sink.alert(replace(ALERT, number=number))
            except OSError as error:
                errors.append(error.errno)
        failed = len(errors)
        assert set(errors) == {28}
        written = [record["number"] for record in records(disk)]
        assert len(written) == 300 - failed
        ballast.unlink()
        sink.alert(replace(ALERT, number=301))
        sink.close()
        assert [record["number"] for record in records(disk)] == [*written, 301]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
