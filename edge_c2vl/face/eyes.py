"""What an eye tells: how far it is open, where it looks, and whether it can be seen at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.face.head_pose import HeadPose
from edge_c2vl.face.landmarks import CHEEKS, EYES, EyeNumbers
from edge_c2vl.pose.base import Floats

# Metres. The iris' centre goes round the eyeball's at this distance; the eyeball's centre lies so far behind the middle
# between the corners of the lids.
IRIS_RADIUS, BALL_DEPTH = 0.0105, 0.0065
# An eye looks so many degrees outwards from the face's forward: that is how far it is seen from the other side.
OUTWARDS_DEG = 20.0
# Quality rises from 0 to 1 between these: cosine of the angle it is seen at, width in pixels, and brightness of
# what lies between the lids in shares of the cheek's (sunglasses); it falls between shares of overexposed pixels
# (glare).
SEEN_COSINE, WIDTH_PX, DARKNESS, GLARE = (0.25, 0.5), (7.0, 14.0), (0.40, 0.55), (0.5, 0.2)
OVEREXPOSED = 250
FRONTAL_COUNTS = 8
# Below it an eye says nothing.
MIN_QUALITY = 0.5


@dataclass(frozen=True)
class Eye:
    """quality: 0 to 1, how far the rest can be believed; see MIN_QUALITY. gap_mm: between the lids. gaze: (3,) unit
    length, where the eye looks, in the camera's axes; it means little while the eye is closed. frontal: cosine of the
    angle it is seen at."""

    quality: float
    gap_mm: float
    gaze: Floats
    frontal: float = 1.0

    @property
    def seen(self) -> bool:
        return self.quality >= MIN_QUALITY

    @property
    def weight(self) -> float:
        """Of this eye against the other one. Lids and iris that are seen from the side are found far worse: such an eye
        counts half at 25 degrees, hardly at 45."""
        return self.quality * max(self.frontal, 0.0) ** FRONTAL_COUNTS


def read_eye(image_bgr: NDArray[np.uint8], points: Floats, head: HeadPose, side: str) -> Eye:
    """points: (478, 3) in pixels of the picture (H, W, 3)."""
    numbers = EYES[side]
    gap, looks = gap_mm(points, head, numbers), gaze(points, head, numbers)
    return Eye(quality(image_bgr, points, head, side), gap, looks, frontal(head, side))


def frontal(head: HeadPose, side: str) -> float:
    """Cosine of the angle at which the camera sees an eye."""
    out = math.radians(OUTWARDS_DEG) * (1 if side == "left" else -1)
    facing = head.rotation @ [math.sin(out), 0, -math.cos(out)]
    return float(facing @ -head.position) / max(float(np.linalg.norm(head.position)), 1e-9)


def gap_mm(points: Floats, head: HeadPose, numbers: EyeNumbers) -> float:
    """How far the lids are apart. Measured across the line between the corners, and by the face's size, so that a face
    that turns away keeps it; 0 where the lids overlap."""
    across = points[numbers.inner, :2] - points[numbers.outer, :2]
    length = max(float(np.linalg.norm(across)), 1e-6)
    gaps = points[list(numbers.lower), :2] - points[list(numbers.upper), :2]
    down = np.array([-across[1], across[0]]) / length
    if down @ (head.rotation[:2, 1] * [1, -1]) > 0:
        down = -down
    return max(float((gaps @ down).mean()), 0.0) / head.px_per_m * 1000


def gaze(points: Floats, head: HeadPose, numbers: EyeNumbers) -> Floats:
    """From where the iris lies between the corners of the lids: a point on a ball that the head carries."""
    corners = points[[numbers.outer, numbers.inner], :2].mean(axis=0)
    offset = (points[numbers.iris[0], :2] - corners) * [1, -1] / head.px_per_m
    centre = head.rotation @ [0, 0, BALL_DEPTH]
    x, y = (offset - centre[:2]) / IRIS_RADIUS
    far = math.hypot(x, y)
    if far > 0.98:  # no place on the ball is seen there: its rim is meant
        x, y = x / far * 0.98, y / far * 0.98
    return np.array([x, y, -math.sqrt(1 - x * x - y * y)])


def quality(image_bgr: NDArray[np.uint8], points: Floats, head: HeadPose, side: str) -> float:
    numbers = EYES[side]
    around = points[list(numbers.around), :2]
    height, width = image_bgr.shape[:2]
    if (around < 0).any() or (around > [width - 1, height - 1]).any():
        return 0.0
    span = 0.03 * head.px_per_m
    bright, overexposed = _brightness(image_bgr, around, points[CHEEKS[side], :2], span)
    return min(
        _ramp(frontal(head, side), *SEEN_COSINE),
        _ramp(span, *WIDTH_PX),
        _ramp(bright, *DARKNESS),
        _ramp(overexposed, *GLARE),
    )


def _brightness(image: NDArray[np.uint8], around: Floats, cheek: Floats, span: float) -> tuple[float, float]:
    """Of what lies between the lids and just around it: brightness in shares of the cheek's, and the overexposed
    share."""
    reach = max(round(span / 6), 1)
    low, high = around.min(axis=0) - reach, around.max(axis=0) + reach
    eye = _patch(image, low, high)
    skin = _patch(image, cheek - 2 * reach, cheek + 2 * reach)
    return float(eye.mean()) / max(float(skin.mean()), 1.0), float((eye >= OVEREXPOSED).mean())


def _patch(image: NDArray[np.uint8], low: Floats, high: Floats) -> NDArray[np.uint8]:
    """The green channel of a part of the picture; never empty."""
    height, width = image.shape[:2]
    left, right = np.clip([low[0], high[0]], 0, width - 1).astype(int)
    top, bottom = np.clip([low[1], high[1]], 0, height - 1).astype(int)
    part: NDArray[np.uint8] = image[top : bottom + 1, left : right + 1, 1]
    return part


def _ramp(value: float, none: float, full: float) -> float:
    return min(max((value - none) / (full - none), 0.0), 1.0)
