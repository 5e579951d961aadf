"""Kill -9, fifty times, with every output on."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import numpy as np
import pytest

from tests.support.disk import records
from tests.support.fleet import Listener
from tests.support.live_run import ROOT
from tests.support.programs import free_port
from tests.support.waiting import wait_for

KILLS = 50
SETTINGS = """policy:
  smoothing_s: 0.01
  min_fill: 0.05
  warning_fast_s: 0.1
  recovery: 100
"""


class Hook(BaseHTTPRequestHandler):
    got: ClassVar[list] = []

    def do_POST(self):
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def name(alert):
    return alert["run"], alert["number"]


def lines(folder):
    """Whole lines of events.jsonl and its older files. The last one of the newest file may be cut off, none other."""
    path = folder / "events.jsonl"
    text = path.read_bytes() if path.exists() else b""
    older = [file for file in folder.glob("events.jsonl.*") if file.suffix[1:].isdigit()]
    whole = [file.read_bytes() for file in older] + [text[: text.rfind(b"\n") + 1]]
    return [json.loads(line) for part in whole for line in part.splitlines()]


def alerts_on_disk(folder):
    return {name(record) for record in lines(folder) if record["kind"] == "alert"}


def queued(folder, copies):
    """The alerts in the queue, read from a copy, so that the run's own recovery is what is tested."""
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir()
    for file in folder.glob("queue.db*"):
        shutil.copy(file, copies)
    with sqlite3.connect(copies / "queue.db") as journal:
        rows = journal.execute("SELECT payload FROM messages WHERE topic = 'edge/alert'").fetchall()
    return {name(json.loads(payload)) for (payload,) in rows}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_kills_with_everything_on_lose_tear_and_double_no_alert(tmp_path, broker):
    generator, folder = random.Random(0), tmp_path / "run"
    folder.mkdir()
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    hook = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    listener = Listener(broker.port)
    command = [
        sys.executable, "-m", "tests.faults.scripted_run", "run", "--camera", "0", "--hop", "0.05",
        "--settings", tmp_path / "settings.yaml",
        "--events", folder / "events.jsonl", "--decisions", folder / "decisions.jsonl", "--rotate-mb", "0.05",
        "--mqtt", f"mqtt://127.0.0.1:{broker.port}/edge", "--mqtt-queue", folder / "queue.db",
        "--webhook", f"http://127.0.0.1:{hook.server_port}/", "--alert-clips", folder / "clips",
        "--metrics", str(free_port()), "--serve", str(free_port()), "--output", folder / "seen.mp4",
        "--normal", folder / "driver.npz", "--learn-normal", "5",
    ]  # fmt: skip
    seen, waited = set(), set()
    for kill in range(KILLS + 1):
        runs = {run for run, _ in seen}
        with (tmp_path / "stderr.txt").open("w") as errors:
            process = subprocess.Popen(command, cwd=ROOT, stderr=errors)
        try:
            wait_for(
                lambda runs=runs, process=process: (
                    process.poll() is not None or {run for run, _ in alerts_on_disk(folder)} - runs
                ),
                120,
            )
            time.sleep(generator.uniform(0, 1.5))
            assert process.poll() is None, (process.returncode, (tmp_path / "stderr.txt").read_text())
        finally:
            process.send_signal(signal.SIGKILL if kill < KILLS else signal.SIGTERM)
            process.wait(60)
        said = (tmp_path / "stderr.txt").read_text()
        # None was refused; one that took its time on a busy machine is no fault.
        refused = [
            line for line in said.splitlines() if "goes on without" in line and "did not open within" not in line
        ]
        assert not refused
        now = alerts_on_disk(folder)
        assert seen <= now
        seen = now
        waited |= queued(folder, tmp_path / "copy")
    assert process.returncode == 0, said
    wait_for(lambda: waited <= {name(alert) for alert in listener.alerts()}, 30)
    listener.close()
    hook.shutdown()
    kept = [name(record) for record in records(folder) if record["kind"] == "alert"]
    assert sorted(kept) == sorted(seen)
    assert len({run for run, _ in kept}) == KILLS + 1
    assert (folder / "events.jsonl.1").exists()
    # Sent again after a kill is only what says so, and of what was written hardly anything was not sent at all.
    first_time = [name(alert) for alert in listener.alerts() if not alert.get("repeated")]
    assert len(first_time) == len(set(first_time))
    sent = {name(alert) for alert in listener.alerts()}
    assert len(seen - sent) <= KILLS
    hooked = [name(alert) for alert in Hook.got]
    assert len(hooked) == len(set(hooked))
    clips = list((folder / "clips").glob("*"))
    assert all(file.suffix == ".npz" and not file.name.startswith(".") for file in clips)
    for file in clips:
        with np.load(file) as clip:
            assert len(clip["timestamps_s"]) == len(clip["skeletons"])
    assert not list(folder.glob("*.damaged*"))
    print(f"{len(seen)} alerts, {len(waited)} waited at a kill, {len(seen - sent)} never sent, {len(hooked)} hooked")
