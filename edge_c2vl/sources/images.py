"""A folder, a glob or one of images, as a recording."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edge_c2vl.errors import CameraError
from edge_c2vl.folders import is_hidden
from edge_c2vl.quiet import quiet_opencv
from edge_c2vl.sources.base import Picture, Source
from edge_c2vl.sources.capture import MAX_DAMAGED

log = logging.getLogger("edge_c2vl")

# An animated .gif is a video: FFmpeg reads it with its timestamps.
SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".pgm", ".ppm", ".pnm", ".jp2"])
DEFAULT_FPS = 30.0


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


def _read(path: Path) -> NDArray[Any] | None:
    import cv2

    try:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error:
        return None  # a header that states a size of gigapixels, say
    return None if image is None or image.dtype.itemsize > 2 else image


class Images(Source):
    """Images in the given order, `fps` of them a second (default 30); 8 or 16 bits, gray or colour, alpha ignored. One
    that is damaged is left out, and its time with it; MAX_DAMAGED of them in a row, or nothing else, are an error."""

    def __init__(self, paths: Sequence[Path], fps: float | None) -> None:
        quiet_opencv()
        self._paths, self._period_s = paths, 1 / (fps or DEFAULT_FPS)
        self.fps = fps or DEFAULT_FPS
        self.frame_count = len(paths)
        self._index = self._damaged = 0
        self._next: Picture | None = None
        self.reopen()

    @property
    def dropped(self) -> int:
        return self._damaged

    def read(self) -> Picture | None:
        picture, self._next = self._next, None
        return picture or self._load()

    def _load(self) -> Picture | None:
        """The next image that can be read. Raises CameraError after too many that cannot."""
        damaged: list[Path] = []
        while self._index < len(self._paths) and len(damaged) < MAX_DAMAGED:
            path, timestamp_s = self._paths[self._index], self._index * self._period_s
            image = _read(path)
            self._index += 1
            if image is not None:
                return Picture(image, timestamp_s, time.monotonic())
            damaged.append(path)
            self._damaged += 1
            if len(self._paths) > 1:
                log.warning("%s is no image of 8 or 16 bits, or it is damaged: it is left out", path)
        if len(damaged) == MAX_DAMAGED or len(damaged) == len(self._paths) > 0:
            raise CameraError(f"cannot read {damaged[0]}: it is no image of 8 or 16 bits, or it is damaged")
        return None

    def reopen(self) -> None:
        self._index = self._damaged = 0
        self._next = self._load()

    def close(self) -> None:
        self._next, self._index = None, len(self._paths)
