"""Dark infrared pictures, brightened so that the pose network finds the driver in them.

The recipe (3 x 3 blur, stretch between the 1st and 99th percentile, CLAHE) was chosen by measuring: docs/camera.md.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Which pixels count as black and as white, and the least distance between them in shares of full scale: below it there
# is nothing in the picture but noise, and a stretch would show that.
BLACK_PERCENTILE, WHITE_PERCENTILE = 1.0, 99.0
MIN_SPAN = 0.03
CLAHE_CLIP_LIMIT = 4.0
CLAHE_TILES = (8, 8)
# A stretch that followed each frame would flicker, and one that lags seconds would leave a tunnel's exit white.
SMOOTHING_S = 0.5
# Dark: the mean as a share of full scale. Around 0.1 brightening neither helps nor harms; below it helps, above it
# harms (docs/camera.md). Gray: the mean spread between the channels as a share of the mean; colour clips have 0.18 and
# more. Two thresholds each, so that a picture near one of them does not flip to and fro.
DARK_ENTER, DARK_LEAVE = 0.10, 0.16
GRAY_ENTER, GRAY_LEAVE = 0.04, 0.08

Picture = NDArray[Any]


class _Smoothed:
    """Exponential mean over time; the first value counts fully."""

    def __init__(self, time_constant_s: float) -> None:
        self._time_constant_s = time_constant_s
        self._value: NDArray[np.float64] | None = None
        self._timestamp_s = 0.0

    def update(self, value: NDArray[np.float64], timestamp_s: float) -> NDArray[np.float64]:
        if self._value is None:
            self._value = value
        else:
            elapsed_s = max(timestamp_s - self._timestamp_s, 0.0)
            weight = 1 - math.exp(-elapsed_s / self._time_constant_s)
            self._value = self._value + weight * (value - self._value)
        self._timestamp_s = timestamp_s
        return self._value


class Brightener:
    """mode "ir": brightens a stream while it is dark; "auto": while it is dark and gray; "rgb": never."""

    def __init__(self, mode: str = "auto") -> None:
        self.mode = mode
        self.active = False
        self._look = _Smoothed(SMOOTHING_S)
        self._range = _Smoothed(SMOOTHING_S)
        self._full_scale = 255.0
        self._clahe: Any = None

    def apply(self, image: Picture, timestamp_s: float, white: float | None = None) -> NDArray[np.uint8]:
        """A gray (H, W) or BGR (H, W, 3) picture of 8 or 16 bits as BGR uint8 (H, W, 3), brightened where that is due.

        Timestamps rise; they set how fast brightness may change. white: the value of white, where it is known of a
        16-bit picture; else it is told by the brightest pixel so far.
        """
        self._full_scale = white or max(self._full_scale, full_scale(image))
        if self.mode != "rgb":
            self._decide(image, timestamp_s)
        return self._brighten(image, timestamp_s) if self.active else to_bgr8(image, self._full_scale)

    def _decide(self, image: Picture, timestamp_s: float) -> None:
        """Sets `active` by how dark and how gray the stream has looked lately."""
        darkness, colour = self._look.update(np.array(look(image, self._full_scale)), timestamp_s)
        dark = darkness < (DARK_LEAVE if self.active else DARK_ENTER)
        gray = self.mode == "ir" or colour < (GRAY_LEAVE if self.active else GRAY_ENTER)
        self.active = bool(dark and gray)

    def _brighten(self, image: Picture, timestamp_s: float) -> NDArray[np.uint8]:
        import cv2

        gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        # Sensor noise is what hides a person in a dark picture: averaging neighbours brings back more poses than
        # any way of stretching does.
        gray = cv2.GaussianBlur(gray, (3, 3), 0)
        ends = np.percentile(gray[::4, ::4], [BLACK_PERCENTILE, WHITE_PERCENTILE])
        black, white = self._range.update(ends, timestamp_s)
        scale = 255.0 / max(white - black, MIN_SPAN * self._full_scale)
        stretched = np.clip((gray.astype(np.float32) - np.float32(black)) * np.float32(scale), 0, 255).astype(np.uint8)
        if self._clahe is None:
            self._clahe = cv2.createCLAHE(CLAHE_CLIP_LIMIT, CLAHE_TILES)
        brightened: NDArray[np.uint8] = cv2.cvtColor(self._clahe.apply(stretched), cv2.COLOR_GRAY2BGR)
        return brightened


def full_scale(image: Picture) -> float:
    """The largest value that the sensor behind a picture can give: 255, or for 16-bit pictures that of the fewest bits
    (10, 12, 14, 16: what sensors have) in which its brightest pixel fits."""
    if image.dtype == np.uint8:
        return 255.0
    brightest = int(image.max(initial=0))
    return next(float(2**bits - 1) for bits in (10, 12, 14, 16) if brightest < 2**bits)


def look(image: Picture, scale: float) -> tuple[float, float]:
    """(brightness, colour): the mean as a share of full scale; the spread between channels as a share of the mean."""
    sample = image[::4, ::4]
    if sample.ndim == 2:
        return float(sample.mean()) / scale, 0.0
    blue, green, red = sample[..., 0], sample[..., 1], sample[..., 2]
    highest = np.maximum(np.maximum(blue, green), red)
    lowest = np.minimum(np.minimum(blue, green), red)
    mean = float(highest.mean())
    # One count in 255 is added so that the rounding of an all but black picture does not pass for colour.
    return mean / scale, float((highest - lowest).mean()) / (mean + scale / 255)


def to_bgr8(image: Picture, scale: float) -> NDArray[np.uint8]:
    """A gray or BGR picture of 8 or 16 bits, `scale` its white, as BGR uint8 (H, W, 3)."""
    import cv2

    if image.dtype != np.uint8:
        image = cv2.convertScaleAbs(image, alpha=255.0 / scale)
    return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR).astype(np.uint8, copy=False)
