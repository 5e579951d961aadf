"""What stands in the way at the start, and how a run ends: outputs that cannot open, second runs, terminals that go."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from tests.support.live_run import ROOT, LiveRun
from tests.support.programs import free_port
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
CAMERA = "simulated:story?fps=5&size=320x180"
COMMAND = [sys.executable, "cli.py", "run", "--camera", CAMERA]


def ended(*arguments, env=None):
    """(exit code, lines on standard error) of a run that ends by itself."""
    done = subprocess.run(
        [sys.executable, "cli.py", "run", *map(str, arguments)],
        cwd=ROOT, env=os.environ | (env or {}), stderr=subprocess.PIPE, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stderr.strip().splitlines()


# Outputs that cannot open


def test_outputs_that_cannot_open_keep_no_run_from_watching_and_open_when_they_can(tmp_path):
    (tmp_path / "events.jsonl").write_bytes(b"\0" * 5000)
    (tmp_path / "decisions.jsonl").write_text('{"kind": "decision", "number": 1}\n{"kind": "deci')
    (tmp_path / "queue.db").write_bytes(b"not the bytes of a database" * 100)
    (tmp_path / "driver.npz").write_bytes(b"PK\x03\x04 torn")
    (tmp_path / "clips").write_text("a file where the folder should be")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        outputs = [
            "--mqtt", f"mqtt://127.0.0.1:{free_port()}/edge", "--mqtt-queue", str(tmp_path / "queue.db"),
            "--normal", str(tmp_path / "driver.npz"), "--alert-clips", str(tmp_path / "clips"),
            "--serve", str(taken.getsockname()[1]), "--output", str(tmp_path / "later" / "seen.mp4"),
        ]  # fmt: skip
        with LiveRun(tmp_path, CAMERA, *outputs) as run:
            run.wait_for_decisions(3)
            assert run.down() == {"normal", "alert-clips", "serve", "output"}
            taken.close()
            (tmp_path / "later").mkdir()
            (tmp_path / "clips").unlink()
            run.wait(lambda: run.down() == {"normal"}, 120)
            run.wait_for_frames(10)
    # Each is told once, and what is down at the end stands in the summary.
    assert run.errors.count("the run goes on without --output") == 1
    assert run.errors.count("--output works again") == 1
    assert [line for line in run.errors.splitlines() if line.startswith("down ")] == [
        f"down       normal: {line}"
        for line in (text.split("; the run goes on")[0] for text in run.errors.splitlines())
        if "driver.npz holds no learnt normality" in line and not line.startswith("down")
    ]
    assert {path.name for path in tmp_path.glob("*.damaged")} == {"events.jsonl.damaged", "queue.db.damaged"}
    assert (tmp_path / "later" / "seen.mp4").stat().st_size > 1000


def test_a_disk_that_is_read_only_at_the_start_is_written_once_it_can_be(disk):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        with LiveRun(disk, CAMERA, "--quiet", "--alert-clips", str(disk / "clips"), log=disk.parent / "log") as run:
            run.wait_for_frames(10)
            assert run.down() == {"events", "decisions", "alert-clips"}
            writable = datetime.now(timezone.utc)
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
            run.wait(lambda: run.down() == set(), 120)
            # Those that waited come as well.
            run.wait_for_decisions(1)
            assert datetime.fromisoformat(run.decisions[0]["time"].replace("Z", "+00:00")) < writable
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)


def test_strict_and_on_a_recording_what_cannot_open_is_an_error(tmp_path):
    for camera in ([CAMERA, "--strict"], ["simulated:story?live=no&seconds=2"]):
        code, said = ended("--camera", *camera, "--quiet", "--output", tmp_path / "nowhere" / "seen.mp4")
        assert (code, said) == (
            1,
            [f"error: --output {tmp_path}/nowhere/seen.mp4: there is no folder {tmp_path}/nowhere"],
        )


def test_wrong_usage_ends_a_live_run_at_once(tmp_path):
    for output in (["--mqtt", "mqtt:/broker"], ["--output", "seen.avi"], ["--serve", "127.0.0.1:port"]):
        code, said = ended("--camera", CAMERA, "--quiet", *output)
        assert (code, len(said)) == (2, 1), said


@pytest.mark.parametrize("display", ["", ":77"])
def test_a_window_without_a_display_ends_no_run(tmp_path, display):
    env = {"DISPLAY": display, "WAYLAND_DISPLAY": ""}
    with LiveRun(tmp_path, CAMERA, "--show", env=env) as run:
        run.wait_for_decisions(2)
        assert run.down() == {"show"}
    assert run.errors.count("the run goes on without --show") == 1
    code, said = ended(
        "--camera", "simulated:story?live=no&seconds=2", "--quiet", "--show", "--output", tmp_path / "o.mp4", env=env
    )
    assert code == 1
    assert len(said) == 1
    assert said[0].startswith("error: --show: no window can be opened")
    assert not list(tmp_path.glob("*.mp4")) + list(tmp_path.glob(".*"))


# Second runs


def test_a_second_run_is_refused_the_files_of_the_first(tmp_path):
    names = {name: str(tmp_path / name) for name in ("queue.db", "driver.npz", "seen.mp4", "events.jsonl")}
    uses = {
        "queue.db": ["--mqtt", f"mqtt://127.0.0.1:{free_port()}/edge", "--mqtt-queue", names["queue.db"]],
        "driver.npz": ["--normal", names["driver.npz"], "--learn-normal", "5"],
        "seen.mp4": ["--output", names["seen.mp4"]],
    }
    first = [option for use in uses.values() for option in use]
    uses["events.jsonl"] = ["--events", names["events.jsonl"], "--rotate-mb", "1"]
    run = LiveRun(tmp_path, CAMERA, *first)
    try:
        run.wait_for_decisions(1)
        for name, use in uses.items():
            code, said = ended("--camera", CAMERA, "--quiet", *use)
            assert (code, len(said)) == (2, 1), said
            assert f"{name}" in said[0]
            assert "in use by another run" in said[0]
    finally:
        run.process.kill()
        run.process.wait()
    # After kill -9 nothing is held any more.
    code, said = ended("--camera", CAMERA, "--quiet", "--duration", "1", *first, *uses["events.jsonl"])
    assert code == 0, said


# Ends


def test_a_clip_outlives_a_kill_three_seconds_after_its_alert(tmp_path):
    settings = tmp_path / "settings.yaml"
    settings.write_text("policy:\n  warning_fast_s: 0.5\n")
    clips = tmp_path / "clips"
    camera = "simulated:phoning?fps=5&size=320x180"
    run = LiveRun(tmp_path, camera, "--quiet", "--alert-clips", str(clips), "--settings", str(settings))
    try:
        run.wait(lambda: any(event["kind"] == "alert" for event in run.events) if run.events_file.exists() else False)
        time.sleep(3)
    finally:
        run.process.kill()
        run.process.wait()
    alert = next(event for event in run.events if event["kind"] == "alert")
    with np.load(clips / f"{alert['run']}-{alert['number']:06d}.npz") as clip:
        after_s = clip["timestamps_s"][-1] - clip["alert_s"]
    assert after_s > 0.5


class Terminal:
    """A run with a terminal of its own, which can be closed."""

    def __init__(self, *more):
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execv(sys.executable, [*COMMAND, *map(str, more)])
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while os.read(self._terminal, 4096):
                pass
        except OSError:
            pass

    def close(self):
        os.close(self._terminal)

    def ended(self, seconds=30):
        """The exit status within that time, None while it runs."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.1)
        return None


def records(path: Path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_closing_the_terminal_ends_a_run_cleanly(tmp_path):
    events, decisions = tmp_path / "events.jsonl", tmp_path / "decisions.jsonl"
    run = Terminal("--decisions", decisions, "--events", events)
    wait_for(lambda: len(records(decisions)) >= 2, 90)
    run.close()
    assert run.ended() == 0
    assert records(events)[-1]["next_state"] is None


def test_with_settings_a_closed_terminal_reads_them_and_sigterm_still_ends_it_well(tmp_path):
    settings, decisions = tmp_path / "settings.yaml", tmp_path / "decisions.jsonl"
    settings.write_text("policy:\n")
    run = Terminal("--decisions", decisions, "--settings", settings)
    wait_for(lambda: len(records(decisions)) >= 2, 90)
    run.close()
    before = len(records(decisions))
    wait_for(lambda: len(records(decisions)) >= before + 5, 60)
    os.kill(run.pid, signal.SIGTERM)
    assert run.ended() == 0


def test_a_run_that_ignores_hang_ups_goes_on_and_nobody_need_hear_it(tmp_path):
    decisions = tmp_path / "decisions.jsonl"
    run = subprocess.Popen(
        [*COMMAND, "--decisions", decisions],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    try:
        wait_for(lambda: len(records(decisions)) >= 2, 90)
        run.stderr.close()
        run.send_signal(signal.SIGHUP)
        before = len(records(decisions))
        wait_for(lambda: len(records(decisions)) >= before + 5, 60)
        run.terminate()
        assert run.wait(30) == 0
    finally:
        run.kill()
        run.wait()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_while_a_run_starts_ends_it_cleanly(tmp_path, number):
    run = subprocess.Popen([*COMMAND, "--output", tmp_path / "seen.mp4"], cwd=ROOT, stderr=subprocess.PIPE, text=True)

    def catches():
        status = Path(f"/proc/{run.pid}/status").read_text()
        return int(status.split("SigCgt:")[1].split()[0], 16) >> (number - 1) & 1

    try:
        wait_for(catches, 60)
        run.send_signal(number)
        _, said = run.communicate(timeout=60)
    finally:
        run.kill()
    assert (run.returncode, said) == (0, f"{number.name} before the run had begun\n")
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_standard_error_writes_nothing_else_into_its_files(tmp_path):
    # Whatever is opened first would get the number of standard error, and libraries write to it.
    command = [*COMMAND[:-1], "simulated:story?live=no&seconds=2", "--events", tmp_path / "events.jsonl"]
    run = subprocess.run(command, cwd=ROOT, preexec_fn=lambda: os.close(2), timeout=120)
    assert run.returncode == 0
    assert [record["kind"] for record in records(tmp_path / "events.jsonl")][:1] == ["state"]
