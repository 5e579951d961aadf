"""A live camera that is opened again when it fails. Until then it gives frames without a picture."""

from __future__ import annotations

import logging
import threading
import time

from edge_c2vl.cameras.camera import Camera, Frame, NoPicture
from edge_c2vl.errors import CameraError

log = logging.getLogger("edge_c2vl")


BACKOFF_S = (0.5, 30.0)
# A camera whose pictures have another shape than its crop was given for is opened again after so long, then after twice
# as long, up to the other: many cameras return to their old size when they are opened again.
MISFIT_BACKOFF_S = (5.0, 60.0)


class Reconnecting:
    """Reads like the camera it is given. When that fails it is opened again in a thread, after 0.5 s, then 1, 2, ... up
    to 30 s, without end; until then `read` gives a NoPicture every `interval_s`, so that the run knows it is blind.
    A camera that has come back with pictures that do not fit its crop (`Camera.misfit`) is opened again too, rarely.

    backoff_s, misfit_backoff_s: the first and the longest pause before it is opened again, in each case."""

    live = True

    def __init__(
        self,
        camera: Camera,
        interval_s: float = 0.25,
        backoff_s: tuple[float, float] = BACKOFF_S,
        misfit_backoff_s: tuple[float, float] = MISFIT_BACKOFF_S,
    ) -> None:
        self.reconnects = 0
        self._camera, self._interval_s = camera, interval_s
        self._backoff_s, self._misfit_backoff_s = backoff_s, misfit_backoff_s
        self._stopping = threading.Event()
        self._opening: threading.Thread | None = None
        self._misfit_pause_s = misfit_backoff_s[0]
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
            self._misfit_since_s, self._misfit_pause_s = None, self._misfit_backoff_s[0]
            return False
        self._misfit_since_s = self._misfit_since_s or now_s
        if now_s < self._misfit_since_s + self._misfit_pause_s:
            return False
        self._misfit_since_s = None
        self._misfit_pause_s = min(2 * self._misfit_pause_s, self._misfit_backoff_s[1])
        return True

    def interrupt(self) -> None:
        self._stopping.set()
        self._camera.interrupt()

    def _reopen(self) -> None:
        delay_s, longest_s = self._backoff_s
        while not self._stopping.wait(delay_s):
            try:
                self._camera.reopen()
            except Exception as error:  # whatever a camera that comes and goes makes its libraries raise
                if not isinstance(error, CameraError):
                    log.warning("the camera cannot be opened: %s", error)
                delay_s = min(2 * delay_s, longest_s)
                continue
            self.reconnects += 1
            log.warning("the camera is there again: %s", self._camera.describe())
            return
