"""A window on the screen with skeleton and state drawn."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from edge_c2vl.errors import OutputError
from edge_c2vl.monitoring.events import SeenFrame
from edge_c2vl.outputs.base import Sink
from edge_c2vl.outputs.overlay import draw
from edge_c2vl.outputs.screen import HEADER

# Importing the window library from a slow disk takes its time.
OPEN_TIMEOUT_S = 20.0
CLOSE_TIMEOUT_S = 1.0


class Display(Sink):
    """Shows the newest frame; q, Escape or closing the window ends the run. The window is another process's (`screen`),
    so that a display that is missing or goes away takes no run with it. Raises OutputError where no window opens."""

    wants_frames = True
    on_main_thread = True
    TITLE = "edge-c2vl"

    def __init__(self) -> None:
        places = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the window)
        self._screen = subprocess.Popen(
            [sys.executable, "-m", "edge_c2vl.outputs.screen", self.TITLE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(place for place in places if place)},
            # Ctrl-C in the terminal is for the run, which then closes the window.
            start_new_session=True,
        )
        assert self._screen.stdout is not None
        late = threading.Timer(OPEN_TIMEOUT_S, self._screen.kill)
        late.start()
        opened = self._screen.stdout.readline() == b"open\n"
        late.cancel()
        if not opened:
            self.close()
            raise OutputError(f"--show: no window can be opened ({self._reason()}); use --serve or --output FILE.mp4")

    def frame(self, frame: SeenFrame) -> None:
        image = draw(frame)
        assert self._screen.stdin is not None
        # A window that has gone is noticed by `poll`.
        with contextlib.suppress(BrokenPipeError):
            self._screen.stdin.write(HEADER.pack(image.shape[1], image.shape[0]))
            self._screen.stdin.write(image.tobytes())
            self._screen.stdin.flush()

    def poll(self) -> bool:
        ended = self._screen.poll()
        if ended:
            raise OutputError(f"--show: the window has gone ({self._reason()})")
        return ended is None

    def interrupt(self) -> None:
        # Ends the wait of a thread that writes to a window which does not read.
        threading.Timer(CLOSE_TIMEOUT_S, self._screen.kill).start()

    def close(self) -> None:
        assert self._screen.stdin is not None
        assert self._screen.stdout is not None
        with contextlib.suppress(OSError):
            self._screen.stdin.close()
        try:
            self._screen.wait(CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._screen.kill()
            self._screen.wait()
        self._screen.stdout.close()

    def _reason(self) -> str:
        """What the window's process said last, or how it ended."""
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):
            if os.environ.get(name):
                where = f"{name}={os.environ[name]}"
                break
        else:
            where = "neither DISPLAY nor WAYLAND_DISPLAY is set"
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip().splitlines()
        told = [line for line in said if line.strip() and not line.startswith(" ")]
        return f"{where}: {told[0].strip()[:200]}" if told else where
