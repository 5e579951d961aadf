"""The axes of a camera: where gravity points, and whether the source's x is mirrored; read off the bodies themselves.

Depth sensors stand tilted (NW-UCLA's by 12 to 18 degrees), so that who stands upright seems to lean, and some count x
to the left of the picture. Words such as "leans forward" or "behind the body" need both put right.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.skeletons.skeleton import NTU25, Array, body_unit

Points = NDArray[np.float64]
_I = {name: index for index, name in enumerate(NTU25.joints)}
MIN_FRAMES = 100


def camera_axes(sequences: Iterable[Array], max_frames: int = 50_000) -> Array:
    """A matrix (3, 3) to apply from the right to x, y, z of one camera's 3-D ntu25 sequences: y along gravity, x right.

    Gravity: normal to the floor, the plane through the lower ankle of every frame (least absolute deviations); where
    the ankles are not seen, or all in one place, y stays as it is. Mirroring: toes point forward; where they contradict
    left and right shoulder, x is negated.
    """
    frames, count = [], 0
    for sequence in sequences:
        frames.append(sequence)
        count += len(sequence)
        if count >= max_frames:
            break
    if count < MIN_FRAMES:
        return np.eye(3, dtype=np.float32)
    joined = np.concatenate(frames)[:max_frames]
    points = np.where(joined[..., 3:] > 0, joined[..., :3], np.nan).astype(np.float64)
    turn = _to_vertical(_floor_normal(points, body_unit(joined)))
    mirrored = _mirrored(points @ turn)
    return (turn @ np.diag([-1.0 if mirrored else 1.0, 1.0, 1.0])).astype(np.float32)


def _floor_normal(points: Points, unit: float) -> Points:
    ankles = points[:, [_I["left_ankle"], _I["right_ankle"]]]
    ankles = ankles[np.isfinite(ankles).all(axis=(1, 2))]
    low = ankles[np.arange(len(ankles)), ankles[:, :, 1].argmin(axis=1)]
    upright = np.array([0.0, 1.0, 0.0])
    if len(low) < MIN_FRAMES:
        return upright
    ground = low[:, [0, 2]] - np.median(low[:, [0, 2]], axis=0)
    # A plane through feet that stand in one place, or on one line, is anybody's guess.
    if np.linalg.svd(ground, compute_uv=False)[-1] / np.sqrt(len(ground)) < 0.5 * unit:
        return upright
    design = np.column_stack([ground, np.ones(len(ground))])
    weight = np.ones(len(design))
    slope = np.zeros(3)
    for _ in range(30):  # iteratively reweighted least squares: a lifted foot is an outlier, not noise
        slope = np.linalg.lstsq(design * weight[:, None], low[:, 1] * weight, rcond=None)[0]
        weight = 1 / np.sqrt(np.maximum(np.abs(low[:, 1] - design @ slope), 0.02 * unit))
    normal = np.array([-slope[0], 1.0, -slope[1]])
    return normal / np.linalg.norm(normal)


def _to_vertical(up: Points) -> Points:
    """The smallest rotation that takes `up` to (0, 1, 0) (Rodrigues' formula), for row vectors."""
    axis = np.cross(up, [0.0, 1.0, 0.0])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return (np.eye(3) + cross + cross @ cross / (1 + up[1])).T


def _mirrored(points: Points) -> bool:
    across = points[:, _I["right_shoulder"]] - points[:, _I["left_shoulder"]]
    right_toes = points[:, _I["right_foot"]] - points[:, _I["right_ankle"]]
    toes = points[:, _I["left_foot"]] - points[:, _I["left_ankle"]] + right_toes
    ahead = across[:, 0] * toes[:, 2] - across[:, 2] * toes[:, 0]
    ahead = ahead[np.isfinite(ahead)]
    return len(ahead) >= MIN_FRAMES and float((ahead > 0).mean()) < 0.35
