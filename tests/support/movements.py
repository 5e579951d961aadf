"""Four movements that can be told apart."""

from __future__ import annotations

import numpy as np

from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import NTU25

LABELS = ["raise left", "raise right", "raise both", "rest"]
SPEC = ClipSpec(frames=16, seconds=1.0, dimensions=3)
CAMERAS = ("front", "side")


def body(random: np.random.Generator, label: int, length: int = 24) -> np.ndarray:
    """(length, 25, 4): a standing person who moves as the label says, metres, in a size and pace of their own."""
    frames = np.zeros((length, NTU25.size, 4), np.float32)
    frames[..., 3] = 1
    spine, sides = (
        {"hip_centre": 0.0, "spine_middle": 0.3, "spine_shoulder": 0.6, "head": 0.9},
        {"left": 1, "right": -1},
    )
    for index, name in enumerate(NTU25.joints):
        side = next((sign for word, sign in sides.items() if word in name), 0)
        frames[:, index, 0] = 0.2 * side
        frames[:, index, 1] = spine.get(name, 0.5 if "shoulder" in name else 0.3 if side else 0.45)
        arm = any(word in name for word in ("elbow", "wrist", "hand", "thumb", "tip"))
        moves = (side == 1 and label in (0, 2)) or (side == -1 and label in (1, 2))
        if arm and moves:
            frames[:, index, 1] += 0.5 * np.sin(np.linspace(0, np.pi, length) * random.uniform(0.8, 1.2))
    frames[..., :3] *= random.uniform(0.9, 1.1)
    frames[..., :3] += random.normal(0, 0.02, frames[..., :3].shape)
    return frames
