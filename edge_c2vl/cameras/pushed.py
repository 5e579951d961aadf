"""Frames that the caller has, from a camera loop of their own, made ready like those of every camera."""

from __future__ import annotations

import math
import time

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.cameras.base import Picture, PictureSource
from edge_c2vl.cameras.camera import Camera, Frame, NoPicture
from edge_c2vl.cameras.options import CameraOptions


class _Pushed(PictureSource):
    live = True

    def __init__(self) -> None:
        self.picture: Picture | None = None

    def read(self) -> Picture | None:
        picture, self.picture = self.picture, None
        return picture

    def close(self) -> None:
        self.picture = None

    def reopen(self) -> None:
        """There is nothing to connect to."""


class PushedCamera(Camera):
    """A camera whose pictures are handed to `push` one at a time."""

    def __init__(self, options: CameraOptions) -> None:
        self._pushed = _Pushed()
        super().__init__("pushed", options, self._pushed)

    def push(self, image: NDArray[np.uint8] | NDArray[np.uint16], timestamp_s: float) -> Frame | NoPicture | None:
        """The frame made of a picture: resized, rotated, cropped, brightened, mirrored as the options say.

        image: BGR (H, W, 3) or gray (H, W), uint8 or uint16. timestamp_s: when it was taken, in seconds of any clock
        that rises. None where `fps` leaves it out. Raises ValueError for another picture or a time that is no number.
        """
        good = (
            isinstance(image, np.ndarray) and image.dtype in (np.uint8, np.uint16) and min(image.shape, default=0) > 0
        )
        if not good or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
            found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise ValueError(f"a frame is an array (H, W, 3), BGR, or (H, W), uint8 or uint16; this one is {found}")
        if not math.isfinite(timestamp_s):
            raise ValueError(f"timestamp_s is {timestamp_s}; it must be a number of seconds")
        self._pushed.picture = Picture(image, timestamp_s, time.monotonic())
        return self.read()

    def describe(self) -> str:
        """For a person: the pictures' size."""
        return f"pushed frames ({self._size})" if self._size else "pushed frames"
