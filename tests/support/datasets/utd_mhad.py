"""Small files in the form of UTD-MHAD."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat

# Skeleton_joint_order.txt of the data set's sample code.
ORDER_TEXT = (
    "head neck_base spine hip_center left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow "
    "right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot"
)


ORDER = ORDER_TEXT.split()


def write(folder: Path, name: str = "a27_s2_t4", values: object = None, key: str = "d_skel") -> Path:
    path = folder / f"{name}_skeleton.mat"
    points = np.random.default_rng(0).normal(size=(20, 3, 7))
    savemat(path, {key: points if values is None else values})
    return path
