"""A live camera that is opened anew when it fails, and says so meanwhile."""

from __future__ import annotations

import logging
import threading
import time

from edge_c2vl.camera import Camera, Frame, NoPicture
from edge_c2vl.errors import CameraError

log = logging.getLogger("edge_c2vl")

__all__ = ["NoPicture", "Reconnecting"]

BACKOFF_S = (0.5, 30.0)
# A camera whose pictures have another shape than its crop was given for is opened again after so long, then after twice
# as long, up to the other: many a camera takes its old size when it is asked anew.
MISFIT_S = (5.0, 60.0)


class Reconnecting:
    """Reads like the camera it is given. When that fails it is opened again in a thread, after 0.5 s, then 1, 2, ... up
    to 30 s, for ever; until then `read` gives a NoPicture every `interval_s`, so that the run knows it is blind.
    A camera that has come back with pictures that are not watched (`Camera.misfit`) is opened again as well, rarely."""

    live = True

    def __init__(self, camera: Camera, interval_s: float = 0.25) -> None:
        self.reconnects = 0
        self._camera, self._interval_s = camera, interval_s
        self._stopping = threading.Event()
        self._opening: threading.Thread | None = None
        self._patience_s = MISFIT_S[0]
        self._misfit_since_s: float | None = None

    @property
    def dropped(self) -> int:
        return self._camera.dropped

    @property
    def damaged(self) -> int:
        return self._camera.damaged

    @property
    def misfit(self) -> str:
        return self._camera.misfit

    def read(self) -> Frame | NoPicture | None:
        """The next frame, a NoPicture, or None once interrupted."""
        if self._opening is None:
            try:
                frame = self._camera.read()
                if not self._misfit_for_long():
                    return frame
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

    def _misfit_for_long(self) -> bool:
        """Whether it is time to ask for the old size by opening the camera again."""
        now_s = time.monotonic()
        if not self._camera.misfit:
            self._misfit_since_s, self._patience_s = None, MISFIT_S[0]
            return False
        self._misfit_since_s = self._misfit_since_s or now_s
        if now_s < self._misfit_since_s + self._patience_s:
            return False
        self._misfit_since_s, self._patience_s = None, min(2 * self._patience_s, MISFIT_S[1])
        return True

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
