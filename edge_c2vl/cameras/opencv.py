"""OpenCV's VideoCapture as a PictureSource of live pictures. It blocks, so it is only used inside `Latest`."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from edge_c2vl.cameras.base import Picture, PictureSource
from edge_c2vl.cameras.deep import DeepVideo
from edge_c2vl.errors import CameraError
from edge_c2vl.names import for_ffmpeg, printable
from edge_c2vl.utils.stderr import quiet_opencv

log = logging.getLogger("edge_c2vl")

# OpenCV tells a picture that cannot be decoded and the end of a stream in the same way. Behind the one the next picture
# follows; so many, for so long, are the end.
MAX_DAMAGED = 50
MAX_DAMAGED_S = 2.0
# Pixels that a video calls longer than this are a mistake in it.
MAX_PIXEL_ASPECT = 4.0


class Capture(PictureSource):
    """target: what VideoCapture opens with backend `api`; a Path is FFmpeg's file of that name. settings: CAP_PROP_* to
    ask for; a device need not obey. limits: seconds for opening and reading, where the source is opened once more."""

    live = True

    def __init__(
        self,
        name: str,
        target: str | Path,
        api: int,
        parameters: Mapping[int, int],
        settings: Mapping[int, float],
        hint: str,
        limits: tuple[float, float] = (6.0, 5.0),
    ) -> None:
        self._name, self._damaged = name, 0
        self._capture = open_capture(target, api, parameters)
        if not self._capture.isOpened():
            raise CameraError(f"cannot open {name}: {hint}")
        for key, value in settings.items():
            self._capture.set(key, value)
        self.fps = nominal_fps(self._capture)
        self._size = self._told_size()
        self._aspect = pixel_aspect(self._capture)
        self._capture, self._white = keep_depth(self._capture, name, target, *limits)

    @property
    def damaged(self) -> int:
        return self._damaged

    def size(self) -> dict[int, float]:
        """The width and height that the source has, as settings to ask for; empty where it does not tell."""
        return self._size

    def _told_size(self) -> dict[int, float]:
        import cv2

        asked = {key: float(self._capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)}
        return asked if all(value > 0 for value in asked.values()) else {}

    def read(self) -> Picture:
        failed_s = None
        for failed in range(MAX_DAMAGED):
            grabbed = self._capture.grab()
            captured_s = time.monotonic()
            got, image = self._capture.retrieve() if grabbed else (False, None)
            if got and image is not None:
                self._damaged += failed
                return Picture(image, captured_s, captured_s, self._white, self._aspect)
            failed_s = failed_s or captured_s
            if captured_s > failed_s + MAX_DAMAGED_S:
                break
        raise CameraError(f"{self._name} stopped: the stream ended or the camera was unplugged")

    def close(self) -> None:
        self._capture.release()

    def reopen(self) -> None:
        raise NotImplementedError("Latest opens a new Capture instead")


def open_capture(target: str | Path, api: int, parameters: Mapping[int, int]) -> Any:
    """cv2.VideoCapture, silent. A Path is a file for FFmpeg, whatever its name. Whether it is opened is for the caller
    to ask. Raises OSError where the path cannot be opened."""
    quiet_opencv()
    import cv2

    flat = [number for pair in parameters.items() for number in pair]
    with for_ffmpeg(target) if isinstance(target, Path) else nullcontext(target) as name:
        return cv2.VideoCapture(name, api, flat) if flat else cv2.VideoCapture(name, api)


# FFmpeg's names of layouts of 9 to 14 (gray: 16) bits: gray and planar YUV, little-endian and big-endian; P010.
DEEP = re.compile("Y[13][\\0\x0a\x0b][\x09-\x0e]|[\x09-\x10][\\0\x0a\x0b][13]Y|P010", re.DOTALL)
# White in V4L2's gray layouts, which come in 16-bit words; None: told by the brightest pixel.
V4L2_WHITE = {"Y10 ": 1023.0, "Y12 ": 4095.0, "Y16 ": None}


def keep_depth(
    capture: Any, name: str, target: str | Path, open_timeout_s: float, read_timeout_s: float
) -> tuple[Any, float | None]:
    """Has pictures of more than 8 bits delivered as they are: (the capture to read, which may be another one; the
    value of white where the layout tells). OpenCV would keep their upper 8 bits only, and in those the picture of a
    12-bit sensor in 16 bits is black."""
    import cv2

    if capture.getBackendName() == "V4L2":
        layout = _fourcc(capture, cv2.CAP_PROP_FOURCC)
        if layout in V4L2_WHITE:
            capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        return capture, V4L2_WHITE.get(layout)
    layout = _fourcc(capture, cv2.CAP_PROP_CODEC_PIXEL_FORMAT)
    if layout == "Y1\0\x10":  # FFmpeg's name for gray16le
        capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        return capture, None
    if not DEEP.fullmatch(layout):
        return capture, None
    try:
        deep = DeepVideo(target, open_timeout_s, read_timeout_s, quarter_turns(capture))
    except ImportError:
        log.warning(
            "%s: its pictures are read in 8 bits; for all of them: pip install 'edge-c2vl[deep]'", printable(name)
        )
        return capture, None
    except (OSError, ValueError) as error:
        log.warning("%s: its pictures are read in 8 bits (%s)", printable(name), printable(str(error)))
        return capture, None
    capture.release()
    return deep, deep.white


def quarter_turns(capture: Any) -> int:
    """By how many quarters a video's container says that its pictures are turned clockwise, as telephones do it.
    OpenCV has turned its own pictures already."""
    import cv2

    return round(float(capture.get(cv2.CAP_PROP_ORIENTATION_META)) / 90) % 4


def pixel_aspect(capture: Any) -> float:
    """Width of a pixel by its height in upright pictures, as the video tells it; 1 where it does not. Recorders of
    analogue cameras store 704x288 and 720x576 of a picture of 4:3 or 16:9."""
    import cv2

    width, height = (float(capture.get(key)) for key in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
    aspect = width / height if width > 0 and height > 0 else 1.0
    if not 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT:
        return 1.0
    return 1 / aspect if quarter_turns(capture) % 2 else aspect


def _fourcc(capture: Any, key: int) -> str:
    return (int(capture.get(key)) & 0xFFFFFFFF).to_bytes(4, "little").decode("latin-1")


def timeouts(open_timeout_s: float, read_timeout_s: float) -> dict[int, int]:
    """Parameters that bound how long opening and reading may take (FFmpeg and GStreamer; V4L2 knows them not)."""
    import cv2

    return {
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: int(open_timeout_s * 1000),
        cv2.CAP_PROP_READ_TIMEOUT_MSEC: int(read_timeout_s * 1000),
    }


def nominal_fps(capture: Any) -> float | None:
    """The frame rate that a source states, where it is one (containers without one say 0, 90000 or 1e6)."""
    import cv2

    fps = float(capture.get(cv2.CAP_PROP_FPS))
    return fps if 0.1 <= fps <= 480 else None
