"""Where the driver looks in the car, without knowing where the camera stands: everything counts from the driver's own
straight ahead."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge_c2vl.face.head_pose import direction_angles
from edge_c2vl.pose.base import Floats

# Where things are from a driver of a left-hand drive car, degrees to the left and up of straight ahead.
ZONES = {
    "road": (0.0, 0.0),
    "left_mirror": (45.0, -12.0),
    "inner_mirror": (-35.0, 8.0),
    "instruments": (0.0, -22.0),
    "display": (-30.0, -25.0),
    "lap": (-8.0, -50.0),
}


@dataclass(frozen=True)
class StraightAhead:
    """rotation: (3, 3), of the head that looks straight ahead, columns its axes in the camera's. gaze: yaw and pitch in
    degrees of the eyes in that head; what the shape of the eyes adds to every gaze."""

    rotation: Floats
    gaze: tuple[float, float] = (0.0, 0.0)

    def of_head(self, rotation: Floats) -> tuple[float, float]:
        """Yaw (to the left) and pitch (up) in degrees, of the head from straight ahead."""
        return direction_angles(self.rotation.T @ -rotation[:, 2])

    def of_gaze(self, direction: Floats) -> tuple[float, float]:
        """The same of a direction (3,) in the camera's axes that the eyes look in."""
        yaw, pitch = direction_angles(self.rotation.T @ direction)
        return yaw - self.gaze[0], pitch - self.gaze[1]


def straight_ahead(rotations: Sequence[Floats], gazes: Sequence[Floats]) -> StraightAhead:
    """From heads (3, 3) and gazes (3,) of a driver who looks ahead most of the time; looks to elsewhere do no harm as
    long as they are less than half. Raises ValueError where there are none."""
    rotation = typical_rotation(rotations)
    angles = [direction_angles(rotation.T @ gaze) for gaze in gazes] or [(0.0, 0.0)]
    yaw, pitch = np.median(np.array(angles), axis=0)
    return StraightAhead(rotation, (float(yaw), float(pitch)))


def typical_rotation(rotations: Sequence[Floats], rounds: int = 8) -> Floats:
    """The rotation from which the sum of the distances to all of them is least (Weiszfeld)."""
    if not len(rotations):
        raise ValueError("no head was seen")
    stacked = np.stack(rotations)
    weights = np.ones(len(stacked))
    typical = stacked[0]
    for _ in range(rounds):
        u, _, v = np.linalg.svd(np.tensordot(weights, stacked, 1))
        typical = u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v
        weights = 1 / np.maximum(np.linalg.norm(stacked - typical, axis=(1, 2)), 0.02)
    return typical


def zone_of(yaw: float, pitch: float, zones: Mapping[str, tuple[float, float]] = ZONES) -> str:
    """The zone whose middle is nearest, angles in degrees from straight ahead."""
    return min(zones, key=lambda name: math.hypot(zones[name][0] - yaw, zones[name][1] - pitch))
