"""Whether what a pose network found can be a person who sits there: geometry of one picture, without memory.

A pose network finds bodies in headrests, phone mounts and noise, and draws all 33 landmarks of each. What tells them
from drivers: a seated person is upright within bounds, has the head above the shoulders and as far from them as heads
are, is of a size that a camera made for the driver shows, and is seen at head and shoulders.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.skeletons.skeleton import MEDIAPIPE33, Array

Floats = NDArray[Any]
_JOINT = {name: index for index, name in enumerate(MEDIAPIPE33.joints)}
_SHOULDERS = [_JOINT["left_shoulder"], _JOINT["right_shoulder"]]
_HIPS = [_JOINT["left_hip"], _JOINT["right_hip"]]
_HEAD = [_JOINT[name] for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]
# A trunk from shoulders to hips as a multiple of a shoulder breadth (see skeleton.UNIT_BONES).
_TRUNK = 0.288 / 0.259


# What may speak against a body. The last one comes from body_watch.py, the others from here.
WHYS = ("no person", "not in the picture", "size", "lying", "head", "other size")


@dataclass(frozen=True)
class BodyLimits:
    """What a seated driver keeps to, in degrees, shares, and shoulder breadths. Measured: docs/evidence.md.

    presence: of the network, at least. seen: visibility from which a landmark counts. margin: of the picture's shorter
    side; a landmark nearer to the border, or outside, is no evidence. trunk_deg: from upright, at most; a camera may be
    rolled and a driver may slump. head_deg: the way from the shoulders to the head, from the trunk's. head: how far the
    head is from the shoulders. size: a shoulder breadth as a share of the picture's shorter side.
    """

    presence: float = 0.7
    seen: float = 0.5
    margin: float = 0.01
    trunk_deg: float = 75.0
    head_deg: float = 100.0
    head: tuple[float, float] = (0.12, 1.2)
    size: tuple[float, float] = (0.18, 1.8)


@dataclass(frozen=True)
class SeatedBody:
    """A body in a picture. place: the middle of the shoulders, pixels, y up; unit: a shoulder breadth, pixels, the
    larger of what shoulders and trunk say. trunk_deg: 0 upright to 180 upside down. head_deg: between trunk and the way
    to the head; head: its distance from the shoulders in units. All three are NaN where landmarks are missing.
    head_seen, shoulders_seen: whether there is evidence of any landmark of the head, and of how many shoulders."""

    place: tuple[float, float]
    unit: float
    trunk_deg: float
    head_deg: float
    head: float
    head_seen: bool
    shoulders_seen: int


def measure(points: Floats, evident: NDArray[np.bool_]) -> SeatedBody | None:
    """points: (33, 2) mediapipe33 in pixels, y up; evident: (33,). None where they make no body of any size."""
    shoulders, hips = points[_SHOULDERS], points[_HIPS]
    middle, base, head = shoulders.mean(axis=0), hips.mean(axis=0), _middle(points[_HEAD])
    trunk, neck = middle - base, head - middle
    lengths = [float(np.hypot(*(shoulders[0] - shoulders[1]))), float(np.hypot(*trunk)) / _TRUNK]
    unit = max((length for length in lengths if math.isfinite(length)), default=0.0)
    if unit < 1e-6 or not np.isfinite(middle).all():
        return None
    return SeatedBody(
        place=(float(middle[0]), float(middle[1])),
        unit=unit,
        trunk_deg=angle(trunk, np.array([0.0, 1.0])),
        head_deg=angle(neck, trunk),
        head=float(np.hypot(*neck)) / unit,
        head_seen=bool(evident[_HEAD].any()),
        shoulders_seen=int(evident[_SHOULDERS].sum()),
    )


def _middle(points: Floats) -> Floats:
    """Of those there are; NaN where there are none."""
    there = points[np.isfinite(points).all(axis=1)]
    return there.mean(axis=0) if len(there) else np.full(2, np.nan)


def angle(first: Floats, second: Floats) -> float:
    """Between two directions (2,), degrees from 0 to 180; 0 where one has no length, NaN where one is not known."""
    cross = float(first[0] * second[1] - first[1] * second[0])
    return abs(math.degrees(math.atan2(cross, float(first @ second))))


def evident(points: Floats, visibility: Floats, size: tuple[int, int], limits: BodyLimits) -> NDArray[np.bool_]:
    """(33,): which landmarks are evidence: seen, and inside of the picture by a margin. points: (33, 2) pixels, y up,
    so that a picture of size (width, height) spans 0 to width and -height to 0."""
    margin = limits.margin * min(size)
    x, y = points[:, 0], -points[:, 1]
    inside = (x >= margin) & (x <= size[0] - margin) & (y >= margin) & (y <= size[1] - margin)
    return np.asarray(inside & (visibility >= limits.seen))


def implausible(body: SeatedBody | None, presence: float, size: tuple[int, int], limits: BodyLimits) -> str | None:
    """Why this is no driver, in a word or two; None where it may be one."""
    if body is None or not presence >= limits.presence:
        return "no person"
    if not body.head_seen and not body.shoulders_seen:
        return "not in the picture"
    if not limits.size[0] <= body.unit / min(size) <= limits.size[1]:
        return "size"
    if body.trunk_deg > limits.trunk_deg:
        return "lying"
    if body.head_deg > limits.head_deg or body.head < limits.head[0] or body.head > limits.head[1]:
        return "head"
    return None


def as_points(skeleton: Array) -> Floats:
    """(33, 2), NaN where a skeleton (33, 4) has no landmark."""
    points: Floats = skeleton[:, :2].astype(np.float64)
    points[skeleton[:, 3] <= 0] = np.nan
    return points
