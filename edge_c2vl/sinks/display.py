"""A window on the screen with skeleton and state drawn."""

from __future__ import annotations

import os
import sys

from edge_c2vl.draw import draw
from edge_c2vl.errors import UsageError
from edge_c2vl.records import SeenFrame
from edge_c2vl.sinks import Sink


class Display(Sink):
    """Shows the newest frame; q, Escape or closing the window ends the run."""

    wants_frames = True
    on_main_thread = True
    TITLE = "edge-c2vl"

    def __init__(self) -> None:
        # OpenCV's window library aborts the whole process where there is no display; that must not come as a surprise.
        if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise UsageError(
                "--show needs a screen, and neither DISPLAY nor WAYLAND_DISPLAY is set; use --output FILE.mp4"
            )
        self._newest: SeenFrame | None = None
        self._shown = False

    def frame(self, frame: SeenFrame) -> None:
        self._newest = frame

    def poll(self) -> bool:
        import cv2

        newest, self._newest = self._newest, None
        if newest is not None:
            cv2.imshow(self.TITLE, draw(newest))
            self._shown = True
        key = cv2.waitKey(1) & 0xFF
        closed = self._shown and cv2.getWindowProperty(self.TITLE, cv2.WND_PROP_VISIBLE) < 1
        return key not in (ord("q"), 27) and not closed

    def close(self) -> None:
        import cv2

        if self._shown:
            cv2.destroyAllWindows()
