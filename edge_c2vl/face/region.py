"""Where to look for the face: from the pose's own eyes, ears, nose and mouth, then from the face's own landmarks."""

from __future__ import annotations

import math

import numpy as np

from edge_c2vl.face.landmarks import LEFT_EYE, RIGHT_EYE
from edge_c2vl.pose.base import Floats
from edge_c2vl.pose.region import Region
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33, Array

EYES, MOUTH, EARS = (
    [MEDIAPIPE33.index(f"{side}_{part}") for side in ("left", "right")] for part in ("eye", "mouth", "ear")
)
# A side of the region in distances between the eyes, between eyes and mouth, and between the ears. On a face that is
# turned away the first and the last shrink, on one that nods the second.
EYE_DISTANCES, FACE_HEIGHTS, EAR_DISTANCES = 4.0, 4.0, 1.7
# MediaPipe's: the square around all landmarks, so much larger.
MARGIN = 1.5
MIN_CONFIDENCE = 0.3
MIN_PX = 24.0


def from_pose(skeleton: Array) -> Region | None:
    """skeleton: mediapipe33 (33, 4) as pose.PoseEstimator gives it. None where the face is out of the picture or too
    small to tell anything."""
    needed = skeleton[EYES + MOUTH]
    if (needed[:, 3] < MIN_CONFIDENCE).any():
        return None
    points = skeleton[:, :2] * [1, -1]
    across = points[EYES[0]] - points[EYES[1]]
    eyes, mouth = points[EYES].mean(axis=0), points[MOUTH].mean(axis=0)
    sizes = [EYE_DISTANCES * np.linalg.norm(across), FACE_HEIGHTS * np.linalg.norm(eyes - mouth)]
    if (skeleton[EARS, 3] >= MIN_CONFIDENCE).all():
        sizes.append(EAR_DISTANCES * np.linalg.norm(points[EARS[0]] - points[EARS[1]]))
    if max(sizes) < MIN_PX:
        return None
    x, y = (eyes + mouth) / 2
    # Of a face from the side the eyes lie behind each other, and their line says little.
    up = eyes - mouth
    angle = math.atan2(up[0], -up[1])
    return Region(float(x), float(y), float(max(sizes)), angle)


def from_landmarks(points: Floats) -> Region:
    """Where the face will be in the next picture. points: (478, 3) in pixels of the picture."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    across = points[LEFT_EYE.outer] - points[RIGHT_EYE.outer]
    x, y = (low + high) / 2
    return Region(float(x), float(y), float((high - low).max() * MARGIN), math.atan2(across[1], across[0]))


def belongs_to(region: Region, skeleton: Array) -> bool:
    """Whether a face's region is that of the person whose pose this is."""
    seen = skeleton[EYES + MOUTH]
    seen = seen[seen[:, 3] >= MIN_CONFIDENCE]
    if not len(seen):
        return True
    x, y = seen[:, 0].mean(), -seen[:, 1].mean()
    return math.hypot(x - region.x, y - region.y) < region.size / 2
