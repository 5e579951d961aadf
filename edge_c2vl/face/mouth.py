"""How far the mouth is open."""

from __future__ import annotations

import numpy as np

from edge_c2vl.face.head_pose import HeadPose
from edge_c2vl.face.landmarks import LIPS
from edge_c2vl.pose.base import Floats


def mouth_mm(points: Floats, head: HeadPose) -> float:
    """Between the lips, along the face. points: (478, 3) in pixels of the picture."""
    upper, lower = points[list(LIPS), :2]
    down = -head.rotation[:2, 1] * [1, -1]  # of a length below 1 where the face nods
    length = max(float(np.linalg.norm(down)), 0.3)
    return max(float((lower - upper) @ down) / length**2, 0.0) / head.px_per_m * 1000
