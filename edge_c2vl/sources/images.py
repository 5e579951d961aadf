"""A folder, a glob or one of images, as a recording."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

from edge_c2vl.errors import CameraError
from edge_c2vl.quiet import quiet_opencv
from edge_c2vl.sources.base import Picture, Source

# An animated .gif is a video: FFmpeg reads it with its timestamps.
SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".pgm", ".ppm", ".pnm", ".jp2"])
DEFAULT_FPS = 30.0


def is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def images_in(folder: Path) -> list[Path]:
    """The images of a folder, not of those below it, in natural order. Raises CameraError."""
    try:
        return sorted((path for path in folder.iterdir() if is_image(path)), key=natural_order)
    except OSError as error:
        raise CameraError(f"cannot read the folder {folder}: {error.strerror}") from None


def natural_order(path: Path) -> list[tuple[str, int]]:
    """A sort key under which frame_2 comes before frame_10."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", str(path))]


class Images(Source):
    """Images in the given order, `fps` of them a second (default 30); 8 or 16 bits, gray or colour, alpha ignored."""

    def __init__(self, paths: Sequence[Path], fps: float | None) -> None:
        quiet_opencv()
        self._paths, self._period_s = paths, 1 / (fps or DEFAULT_FPS)
        self.fps = fps or DEFAULT_FPS
        self.frame_count = len(paths)
        self._index = 0
        self._next: Picture | None = None
        self.reopen()

    def read(self) -> Picture | None:
        picture, self._next = self._next, None
        return picture or self._load()

    def _load(self) -> Picture | None:
        import cv2

        if self._index >= len(self._paths):
            return None
        path = self._paths[self._index]
        try:
            image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
        except cv2.error:
            image = None  # a header that states a size of gigapixels, say
        if image is None or image.dtype.itemsize > 2:
            raise CameraError(f"cannot read {path}: it is no image of 8 or 16 bits, or it is damaged")
        picture = Picture(image, self._index * self._period_s, time.monotonic())
        self._index += 1
        return picture

    def reopen(self) -> None:
        self._index = 0
        self._next = self._load()

    def close(self) -> None:
        self._next, self._index = None, len(self._paths)
