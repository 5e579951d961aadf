"""A live camera that is opened anew when it fails, and says so meanwhile."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from edge_c2vl.camera import Camera, Frame
from edge_c2vl.errors import CameraError

log = logging.getLogger("edge_c2vl")

BACKOFF_S = (0.5, 30.0)


@dataclass(frozen=True)
class NoPicture:
    """Stands for a frame while there is none."""

    timestamp_s: float
    captured_s: float
    image: None = None


class Reconnecting:
    """Reads like the camera it is given. When that fails it is opened again in a thread, after 0.5 s, then 1, 2, ... up
    to 30 s, for ever; until then `read` gives a NoPicture every `interval_s`, so that the run knows it is blind."""

    live = True

    def __init__(self, camera: Camera, interval_s: float = 0.25) -> None:
        self.reconnects = 0
        self._camera, self._interval_s = camera, interval_s
        self._stopping = threading.Event()
        self._opening: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        return self._camera.dropped

    def read(self) -> Frame | NoPicture | None:
        """The next frame, a NoPicture, or None once interrupted."""
        if self._opening is None:
            try:
                return self._camera.read()
            except CameraError as error:
                log.warning("%s; opening it again", error)
            self._opening = threading.Thread(target=self._reopen, name="reconnect", daemon=True)
            self._opening.start()
        self._opening.join(self._interval_s)
        if not self._opening.is_alive():
            self._opening = None
        if self._stopping.is_set():
            return None
        now = time.monotonic()
        return NoPicture(now, now)

    def interrupt(self) -> None:
        self._stopping.set()
        self._camera.interrupt()

    def _reopen(self) -> None:
        delay_s = BACKOFF_S[0]
        while not self._stopping.wait(delay_s):
            try:
                self._camera.reopen()
            except Exception as error:  # whatever a camera that comes and goes makes its libraries raise
                if not isinstance(error, CameraError):
                    log.warning("the camera cannot be opened: %s", error)
                delay_s = min(2 * delay_s, BACKOFF_S[1])
                continue
            self.reconnects += 1
            log.warning("the camera is there again: %s", self._camera.describe())
            return
