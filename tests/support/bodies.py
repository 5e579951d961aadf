"""Skeletons made by hand: a body of known measures, moved between known poses at known times."""

from __future__ import annotations

import numpy as np

from edge_c2vl.skeletons.skeleton import NTU25, Array

# Metres; the body looks along z, x to its right, y up. By its trunk of .45 m the unit of `body_unit` is .405 m.
STANDING = {
    "spine_base": (0, 0.95, 0), "spine_mid": (0, 1.17, 0), "spine_shoulder": (0, 1.40, 0), "neck": (0, 1.48, 0),
    "head": (0, 1.62, 0.03),
    "right_shoulder": (0.20, 1.40, 0), "right_elbow": (0.22, 1.12, 0), "right_wrist": (0.23, 0.87, 0.03),
    "right_hand": (0.23, 0.78, 0.04), "right_hip": (0.09, 0.93, 0), "right_knee": (0.10, 0.50, 0.02),
    "right_ankle": (0.10, 0.08, 0), "right_foot": (0.12, 0.03, 0.12),
}  # fmt: skip
STANDING |= {
    name.replace("right", "left"): (-x, y, z) for name, (x, y, z) in STANDING.items() if name.startswith("right")
}
UPPER = tuple(name for name in STANDING if not any(part in name for part in ("hip", "knee", "ankle", "foot", "base")))

Pose = dict[str, tuple[float, float, float]]


def pose(**joints: tuple[float, float, float]) -> Pose:
    """The standing body with some joints elsewhere."""
    return STANDING | joints


def arm(side: str, elbow: tuple[float, float, float], hand: tuple[float, float, float]) -> Pose:
    """Elbow and hand where they are said to be (of the right side; the left is its mirror image), wrist before them."""
    sign = 1 if side == "right" else -1
    wrist = tuple(e + 0.75 * (h - e) for e, h in zip(elbow, hand, strict=True))
    points = {"elbow": elbow, "wrist": wrist, "hand": hand}
    return {f"{side}_{name}": (sign * x, y, z) for name, (x, y, z) in points.items()}


def moved(body: Pose, joints: tuple[str, ...] | None = None, by: tuple[float, float, float] = (0, 0, 0)) -> Pose:
    """The body, or some of its joints, displaced."""
    return {
        name: tuple(p + d for p, d in zip(point, by, strict=True)) if joints is None or name in joints else point
        for name, point in body.items()
    }


def bent(body: Pose, degrees: float, above: float = 0.95) -> Pose:
    """All that is over the hips turned forward about them."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    result = dict(body)
    for name, (x, y, z) in body.items():
        if not any(part in name for part in ("hip", "knee", "ankle", "foot")):
            up = y - above
            result[name] = (x, above + up * cos - z * sin, z * cos + up * sin)
    return result


def turned(body: Pose, degrees: float) -> Pose:
    """The body turned about the vertical axis, to its own right where positive."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return {name: (x * cos + z * sin, y, -x * sin + z * cos) for name, (x, y, z) in body.items()}


def clip(*moments: tuple[float, Pose], fps: float = 30.0, joints: tuple[str, ...] | None = None) -> tuple[Array, Array]:
    """(T, 25, 4) and timestamps (T,): the body moves straight from each (second, pose) to the next."""
    times = np.arange(0, moments[-1][0] + 1e-6, 1 / fps)
    seconds = [second for second, _ in moments]
    sequence = np.zeros((len(times), NTU25.size, 4), np.float32)
    for name in joints or STANDING:
        index = NTU25.index(name)
        for axis in range(3):
            sequence[:, index, axis] = np.interp(times, seconds, [body[name][axis] for _, body in moments])
        sequence[:, index, 3] = 1
    return sequence, times


def as_picture(sequence: Array, pixels: float = 300.0) -> Array:
    """The clip as a camera before the body sees it: x and y in pixels, the body's right on the picture's left, no z."""
    result = sequence.copy()
    result[..., 0] *= -pixels
    result[..., 1] *= pixels
    result[..., 2] = 0
    return result
