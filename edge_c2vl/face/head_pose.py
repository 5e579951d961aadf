"""Where the head is turned: a rigid face is laid on the landmarks.

Axes: x to the right, y up, z away, of the camera; x to the head's own left, y up, z to the back, of the head. So a
head that looks into the camera has the camera's axes. These are left-handed, as everywhere here
(skeletons/skeleton.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edge_c2vl.pose.base import Floats

# Between the outer corners of the eyes: the mean of Farkas, Anthropometry of the Head and Face (1994).
EYE_CORNERS_M = 0.089
# A face of our own: what this network sees, from the front, of drivers drawn by rules (simulated/), averaged over eight
# of them, made symmetric, and scaled to EYE_CORNERS_M. Landmark on the right, its counterpart on the left, millimetres
# to the side, up, to the back.
FACE_MM = (
    (0, 0, 0.0, -34.7, -15.6),
    (4, 4, 0.0, -3.3, -34.3),
    (10, 10, 0.0, 93.3, -8.1),
    (151, 151, 0.0, 75.8, -11.5),
    (168, 168, 0.0, 39.7, -12.2),
    (33, 263, 44.5, 37.2, 9.3),
    (54, 284, 58.0, 75.6, 22.4),
    (55, 285, 13.3, 52.1, -10.1),
    (58, 288, 61.1, -32.0, 54.6),
    (60, 328, 9.4, -14.3, -15.5),
    (63, 293, 50.4, 60.2, 3.0),
    (66, 296, 29.7, 63.1, -9.3),
    (93, 323, 67.6, 3.4, 61.2),
    (103, 332, 48.4, 84.6, 10.5),
    (109, 338, 18.5, 92.8, -6.4),
    (118, 347, 44.5, 15.3, 4.4),
    (123, 352, 62.3, 4.0, 20.4),
    (127, 356, 68.7, 34.9, 55.7),
    (132, 361, 65.4, -13.8, 59.4),
    (133, 362, 16.4, 34.2, 3.5),
    (139, 368, 64.1, 46.9, 30.8),
    (142, 371, 22.9, 3.9, -5.3),
    (177, 401, 65.7, -12.3, 40.7),
    (196, 419, 5.5, 20.4, -20.1),
    (213, 433, 59.3, -22.1, 25.3),
    (216, 436, 36.6, -26.0, 1.1),
    (227, 447, 68.2, 18.2, 39.4),
)
# Its depths are those that the network gives to a drawn face, and too large for its angles: as they are, turns of a
# drawn head come out as .80 (yaw) and .71 (pitch) of the true ones, with this share as .86 and .78. A smaller one
# would exaggerate the turns of real heads.
DEPTH = 0.85
# Of a camera whose angle of view nobody named: over the longer side of its picture.
FIELD_OF_VIEW_DEG = 65.0
_FLIP = np.diag([1.0, -1.0, 1.0])  # between these axes and OpenCV's, in which y points down


def rigid_face() -> tuple[list[int], Floats]:
    """Numbers of the landmarks (N) and where they lie in the head's axes (N, 3), metres."""
    numbers, places = [], []
    for right, left, across, up, back in FACE_MM:
        for number, side in {right: -1.0, left: 1.0}.items():
            numbers.append(number)
            places.append((side * across, up, back))
    return numbers, np.array(places) * [1, 1, DEPTH] / 1000


NUMBERS, PLACES = rigid_face()


@dataclass(frozen=True)
class HeadPose:
    """rotation: (3, 3), columns the head's axes in the camera's. position: (3,) metres, of the middle of the head's
    axes. px_per_m: of a length at the face. error: how far the landmarks lie from the rigid face, in shares of the
    distance between the eyes' outer corners; of a face that was found well below .1."""

    rotation: Floats
    position: Floats
    px_per_m: float
    error: float

    @property
    def angles(self) -> tuple[float, float, float]:
        return angles_of(self.rotation)


def angles_of(rotation: Floats) -> tuple[float, float, float]:
    """Yaw (to the person's left), pitch (up) and roll (tilted to the person's left) in degrees; all 0 where the person
    looks along the camera's axis into it."""
    yaw, pitch = direction_angles(-rotation[:, 2])
    # What is level in a head that is turned and nods, but is not tilted.
    level = np.array([math.cos(math.radians(yaw)), 0.0, math.sin(math.radians(yaw))])
    up = np.cross(level, -rotation[:, 2])
    roll = math.degrees(math.atan2(float(rotation[:, 0] @ up), float(rotation[:, 0] @ level)))
    return yaw, pitch, -roll


def direction_angles(direction: Floats) -> tuple[float, float]:
    """Yaw and pitch in degrees of a direction (3,); 0, 0 is towards the camera, along its axis."""
    x, y, z = (float(value) for value in direction)
    return math.degrees(math.atan2(x, -z)), math.degrees(math.atan2(y, math.hypot(x, z)))


def default_focal(width: int, height: int) -> float:
    """Pixels."""
    return max(width, height) / 2 / math.tan(math.radians(FIELD_OF_VIEW_DEG / 2))


def head_pose(points: Floats, width: int, height: int, focal_px: float | None = None) -> HeadPose | None:
    """points: (478, 3) landmarks in pixels of a picture of that size. focal_px: the camera's focal length. None where
    no rigid face can be laid on them."""
    import cv2

    focal = focal_px or default_focal(width, height)
    camera = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    model = PLACES @ _FLIP
    seen = points[NUMBERS, :2].astype(np.float64)
    found, turn, position = cv2.solvePnP(model, seen, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    if not found:
        return None
    found, turn, position = cv2.solvePnP(model, seen, camera, None, turn, position, True, cv2.SOLVEPNP_ITERATIVE)
    depth = float(position[2, 0])
    if not found or not np.isfinite([turn, position]).all() or depth <= 0:
        return None
    again, _ = cv2.projectPoints(model, turn, position, camera, None)
    px_per_m = focal / depth
    error = float(np.sqrt(((again[:, 0] - seen) ** 2).sum(axis=1).mean())) / (px_per_m * EYE_CORNERS_M)
    return HeadPose(_FLIP @ cv2.Rodrigues(turn)[0] @ _FLIP, (_FLIP @ position).ravel(), px_per_m, error)
