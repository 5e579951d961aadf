"""A folder, a glob or one of images, as a recording."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.cameras.base import Picture, PictureSource
from edge_c2vl.errors import CameraError
from edge_c2vl.names import printable
from edge_c2vl.utils.atomic import is_hidden
from edge_c2vl.utils.stderr import quiet_opencv

# An animated .gif is a video: FFmpeg reads it with its timestamps.
SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".pgm", ".ppm", ".pnm", ".jp2"])
DEFAULT_FPS = 30.0
DAMAGED = "it is no image of 8 or 16 bits, or it is damaged"

log = logging.getLogger("edge_c2vl")


def is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def images_in(folder: Path) -> list[Path]:
    """The images of a folder, not of those below it nor hidden ones, in natural order. Raises CameraError."""
    try:
        found = (path for path in folder.iterdir() if not is_hidden(path.name) and is_image(path))
        return sorted(found, key=natural_order)
    except OSError as error:
        raise CameraError(f"cannot read the folder {folder}: {error.strerror}") from None


def natural_order(path: Path) -> list[tuple[str, int]]:
    """A sort key under which frame_2 comes before frame_10."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", str(path))]


def decode(path: Path) -> NDArray[Any] | None:
    """The image in a file, gray (H, W) or BGR (H, W, 3), uint8 or uint16; None where there is none in it."""
    import cv2

    try:
        # OpenCV opens no name that is not UTF-8.
        content = np.frombuffer(path.read_bytes(), np.uint8)
        image = cv2.imdecode(content, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except (OSError, cv2.error):  # a header that states a size of gigapixels, say
        return None
    return None if image is None or image.dtype.itemsize > 2 else image


class Images(PictureSource):
    """Images in the given order, `fps` of them a second (default 30); 8 or 16 bits, gray or colour, alpha ignored. One
    that is damaged is left out, and its time with it; MAX_DAMAGED of them in a row, or nothing else, are an error."""

    def __init__(self, paths: Sequence[Path], fps: float | None) -> None:
        quiet_opencv()
        self._paths, self._period_s = paths, 1 / (fps or DEFAULT_FPS)
        self.fps = fps or DEFAULT_FPS
        self.frame_count = len(paths)
        self._index, self._told = 0, False
        self._left_out: list[Path] = []
        self._next: Picture | None = None
        self.reopen()

    @property
    def damaged(self) -> int:
        return len(self._left_out)

    def read(self) -> Picture | None:
        picture, self._next = self._next, None
        return picture or self._load()

    def _load(self) -> Picture | None:
        """The next readable image, with the timestamp of its position in the folder."""
        while self._index < len(self._paths):
            path, timestamp_s = self._paths[self._index], self._index * self._period_s
            self._index += 1
            image = decode(path)
            if image is not None:
                self._tell()
                return Picture(image, timestamp_s, time.monotonic())
            self._left_out.append(path)
        self._tell()
        if len(self._left_out) > 1:
            log.warning("%d of %d images cannot be read", len(self._left_out), len(self._paths))
        return None

    def _tell(self) -> None:
        """Logs the first image that is left out. If no image is readable, opening raises an error."""
        if self._left_out and not self._told and len(self._left_out) < len(self._paths):
            self._told = True
            log.warning("cannot read %s: %s; it is left out", printable(str(self._left_out[0])), DAMAGED)

    def reopen(self) -> None:
        self._index, self._left_out, self._told = 0, [], False
        self._next = self._load()
        if self._next is None:
            raise CameraError(f"cannot read {self._paths[0]}: {DAMAGED}")

    def close(self) -> None:
        self._next, self._index = None, len(self._paths)
