"""Skeletons that a seated driver could have."""

from __future__ import annotations

import numpy as np

from edge_c2vl.skeletons.skeleton import MEDIAPIPE33

# Shares of the picture, from its upper left corner.
PLACES = {
    "head": (0.50, 0.22), "left_shoulder": (0.65, 0.45), "right_shoulder": (0.35, 0.45), "left_elbow": (0.70, 0.65),
    "right_elbow": (0.30, 0.65), "left_wrist": (0.58, 0.75), "right_wrist": (0.42, 0.75), "left_hip": (0.60, 0.90),
    "right_hip": (0.40, 0.90),
}  # fmt: skip


def seated(width, height, place=(0.0, 0.0), scale=1.0, seed=0):
    """mediapipe33 (33, 4), every landmark seen, in pixels with y up. place: moved by shares of the picture; scale:
    about the picture's middle."""
    generator = np.random.default_rng(seed)
    body = np.ones((33, 4), np.float32)
    head = MEDIAPIPE33.index("left_shoulder")
    for index, name in enumerate(MEDIAPIPE33.joints):
        x, y = PLACES.get("head" if index < head else name, (0.5, 0.8))
        if index < head or name not in PLACES:
            x, y = x + generator.uniform(-0.03, 0.03), y + generator.uniform(-0.03, 0.03)
        body[index, 0] = (0.5 + place[0] + scale * (x - 0.5)) * width
        body[index, 1] = -(0.5 + place[1] + scale * (y - 0.5)) * height
        body[index, 2] = generator.uniform(0, 0.1) * width
    return body
