"""Bodies to train on."""

from __future__ import annotations

import numpy as np

from edge_c2vl.skeletons.skeleton import NTU25


def body(random: np.random.Generator, frames: int, raised: bool) -> np.ndarray:
    """A plausible sitting driver in pixels; `raised`: the right hand is at the ear."""
    place = {
        "spine_shoulder": (0, 0), "neck": (0, 10), "head": (0, 30), "spine_base": (0, -60), "spine_mid": (0, -30),
        "left_shoulder": (-25, -3), "right_shoulder": (25, -3), "left_elbow": (-35, -30), "right_elbow": (35, -30),
        "left_wrist": (-20, -40), "right_wrist": (12, 28) if raised else (20, -40),
    }  # fmt: skip
    sequence = np.zeros((frames, 25, 4), np.float32)
    for joint, point in place.items():
        sequence[:, NTU25.index(joint), :2] = point
        sequence[:, NTU25.index(joint), 3] = 1
    sequence[..., :2] += random.normal(0, 1.0, (frames, 25, 2)) + random.normal(0, 3.0, (1, 25, 2)) + (300, -200)
    sequence[sequence[..., 3] == 0] = 0
    return sequence
