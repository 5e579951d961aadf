"""`edge-c2vl run` as a process, and ffmpeg as its camera."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import free_port, needs

ROOT = Path(__file__).resolve().parents[2]


class Stream:
    """A real ffmpeg that plays a video as a motion JPEG stream at http://127.0.0.1:PORT, for one listener.

    more: options between input and output, such as filters. loop: from the beginning again, for ever.
    """

    def __init__(self, video: Path, *more: str, loop: bool = True) -> None:
        self._video, self._more, self._loop = video, more, loop
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        again = ["-stream_loop", "-1"] if self._loop else []
        played = [needs("ffmpeg"), "-loglevel", "error", "-re", *again, "-i", str(self._video), *self._more]
        # q: small pictures, so that a corrupted one is soon followed by the next.
        self.process = subprocess.Popen(
            [*played, "-q:v", "4", "-f", "mpjpeg", "-listen", "1", self.url], stderr=subprocess.DEVNULL
        )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class LiveRun:
    """`edge-c2vl run` with events and decisions in `folder` and metrics on a free port. A context manager: at the end
    it is asked to end, and must do so cleanly."""

    def __init__(
        self, folder: Path, camera: str, *more: str, env: dict[str, str] | None = None, log: Path | None = None
    ) -> None:
        self.events_file, self.port = folder / "events.jsonl", free_port()
        self._decisions, self._errors = folder / "decisions.jsonl", log or folder / "stderr.txt"
        files = ["--events", str(self.events_file), "--decisions", str(self._decisions)]
        command = [sys.executable, "cli.py", "run", "--camera", camera, *files, "--metrics", str(self.port), *more]
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=errors, env=os.environ | (env or {}))

    def __enter__(self) -> LiveRun:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()
        if kind is None:
            assert code == 0, self.errors

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    @property
    def events(self) -> list[dict]:
        return self._records(self.events_file)

    @property
    def decisions(self) -> list[dict]:
        return self._records(self._decisions)

    def _records(self, file: Path) -> list[dict]:
        # A line that is being written has no end yet.
        return [json.loads(line) for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def metrics(self) -> dict[str, float]:
        """The samples without labels; none while nobody answers."""
        return {sample.name: sample.value for sample in self._samples() if not sample.labels}

    def down(self) -> set[str]:
        """The outputs that are not open, as the metrics have them."""
        found = {sample.labels["output"]: sample.value for sample in self._samples() if "output" in sample.labels}
        assert found or not self._samples(), "the metrics say nothing of outputs"
        return {name for name, value in found.items() if value == 1}

    def _samples(self) -> list[Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except urllib.error.URLError:
            assert self.process.poll() is None, self.errors
            return []
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def wait(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        """Until it holds; what the run said is told where it does not."""
        end_s = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"the run ended: {self.errors}"
            last = self.decisions[-1:] if self._decisions.exists() else []
            assert time.monotonic() < end_s, f"it did not happen; {self.errors} {last} {self.metrics()}"
            time.sleep(0.05)

    def wait_for_frames(self, more: int = 10) -> None:
        """Until so many further frames were looked at."""
        before = self.metrics().get("edge_c2vl_frames_total", 0)
        self.wait(lambda: self.metrics().get("edge_c2vl_frames_total", 0) >= before + more)

    def wait_for_decisions(self, more: int) -> None:
        """Until so many further decisions were made."""
        before = len(self.decisions) if self._decisions.exists() else 0
        self.wait(lambda: self._decisions.exists() and len(self.decisions) >= before + more)

    def wait_for_state(self, *states: str) -> None:
        self.wait(lambda: self._decisions.exists() and any(d["state"] in states for d in self.decisions[-1:]))

    def footprint(self) -> tuple[int, int, float]:
        """Threads, file descriptors and MB of memory."""
        process = psutil.Process(self.process.pid)
        return process.num_threads(), process.num_fds(), process.memory_info().rss / 1e6
