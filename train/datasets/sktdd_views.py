"""sktDD seen from more places than its three cameras: `edge-c2vl prepare sktdd --views`, for training alone.

sktDD's cameras stand in front of the driver, to the right and farther to the right. From elsewhere hands at the wheel
lie elsewhere in the picture, and a network that knows three views takes them for a distraction. The three cameras see
the same moment, so joints can be triangulated and projected to any other place. The cameras are found first, by what
all of them see and by bones that keep their length: scaled orthographic projections, no calibration is known. The
result is a rough body in three dimensions, good enough to vary training clips; nothing is judged on it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from edge_c2vl.skeletons.skeleton import NTU25, ORIGIN, Array, body_unit

Floats = NDArray[np.float64]

# The first one's axes and scale are the body's own.
CAMERAS = ("dashboard", "mirror", "window")
# Joints that two cameras or more see at least now and then.
_SEEN = "head neck left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hip right_hip"
JOINTS = tuple(NTU25.index(name) for name in _SEEN.split())
# Shoulders, upper arms, forearms, as positions in JOINTS; arms are as long on both sides.
BONES = ((2, 3), (2, 4), (3, 5), (4, 6), (5, 7))
# Of a shoulder breadth (Drillis & Contini): upper arm .186 / .259, forearm .146 / .259.
SHARES = (0.72, 0.56)
# How far off a seen joint is, and how far a joint is from its usual place, in shoulder breadths.
SEEN, USUAL = 0.03, 0.3
# Where a camera in a vehicle may stand: degrees to the driver's right (negative) or left, and above or below; and how
# near: 1 / distance in shoulder breadths. With mirror images in training both sides of the vehicle are covered.
YAW, PITCH, ROLL, NEARNESS = (-80.0, 50.0), (-40.0, 10.0), 5.0, (0.1, 0.45)

FRAMES = 150  # of a labelled drive, by which the cameras are found


def rotation(yaw: float, pitch: float, roll: float) -> Floats:
    """(3, 3), degrees: about the vertical axis, then the picture's horizontal one, then the viewing one."""
    (cy, cp, cr), (sy, sp, sr) = np.cos(np.radians([yaw, pitch, roll])), np.sin(np.radians([yaw, pitch, roll]))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def pictures(sequences: Mapping[str, Array]) -> Floats:
    """Each camera's ntu25 sequence (T, 25, 4) of one moment -> (T, J, 3 cameras, 2): where each sees the JOINTS, from
    the median of the spine-shoulder joint, in the dashboard camera's shoulder breadths; NaN where it does not."""
    unit = body_unit(sequences["dashboard"])
    views = []
    for camera in CAMERAS:
        sequence = sequences[camera]
        origin = np.median(sequence[sequence[:, ORIGIN, 3] > 0, ORIGIN, :2], axis=0)
        seen = sequence[:, JOINTS, 3:] > 0
        views.append(np.where(seen, (sequence[:, JOINTS, :2] - origin) / unit, np.nan))
    shortest = min(map(len, views))
    return np.stack([view[:shortest] for view in views], axis=2).astype(np.float64)


def triangulate(seen: Floats, cameras: Floats, usual: Floats | None = None) -> Floats:
    """(T, J, C, 2) by cameras (C, 2, 3) -> (T, J, 3), the nearest in the least squares. NaN where fewer than two
    cameras see a joint; with its `usual` place (J, 3) one is enough: that tells how far away it probably is."""
    known = np.isfinite(seen[..., 0])
    rows = np.einsum("vij,nkv->nkvij", cameras, known).reshape(*known.shape[:2], -1, 3)
    values = np.nan_to_num(seen).reshape(*known.shape[:2], -1)
    weight = 1e-3 if usual is None else (SEEN / USUAL) ** 2
    pull = np.zeros(3) if usual is None else weight * usual
    normal = rows.swapaxes(-1, -2) @ rows + weight * np.eye(3)
    right = (rows.swapaxes(-1, -2) @ values[..., None])[..., 0] + pull
    found = np.linalg.solve(normal, right[..., None])[..., 0]
    found[known.sum(axis=2) < (2 if usual is None else 1)] = np.nan
    return found


def find_cameras(seen: Floats) -> Floats:
    """(N, J, 3 cameras, 2) -> (3, 2, 3). The first camera's axes and scale are the body's own."""

    def cameras(values: Floats) -> Floats:
        turned = [np.exp(scale) * rotation(*angles)[:2] for *angles, scale in values.reshape(2, 4)]
        return np.stack([np.eye(3)[:2], *turned])

    def errors(values: Floats) -> Floats:
        found = triangulate(seen, cameras(values))
        projected = np.einsum("vij,nkj->nkvi", cameras(values), found)
        lengths = np.stack([np.linalg.norm(found[:, a] - found[:, b], axis=1) for a, b in BONES], axis=1)
        usual = np.nanmedian(lengths, axis=0)
        return np.concatenate(
            [
                3 * np.nan_to_num(seen - projected).ravel(),
                0.5 * np.nan_to_num(np.log(lengths / usual)).ravel(),
                30 * np.log(usual[[1, 3]] / usual[[2, 4]]),
                10 * np.log(usual[[1, 3]] / usual[0] / SHARES),
            ]
        )

    start = np.array([-50.0, 15.0, 0.0, 0.0, -80.0, 10.0, 0.0, 0.0])
    scale = np.array([30.0, 30.0, 30.0, 1.0] * 2)
    solved = least_squares(errors, start, x_scale=scale, loss="soft_l1", f_scale=0.2, max_nfev=100)
    return cameras(solved.x)


@dataclass(frozen=True)
class Viewpoint:
    """Where a camera stands: degrees about the vertical axis, up or down, and about the viewing axis; nearness: 1 over
    the distance in shoulder breadths."""

    yaw: float
    pitch: float
    roll: float
    nearness: float


def draw_viewpoint(random: np.random.Generator) -> Viewpoint:
    """A place in a vehicle, drawn at random."""
    angles = random.uniform(*YAW), random.uniform(*PITCH), random.uniform(-ROLL, ROLL)
    return Viewpoint(*angles, random.uniform(*NEARNESS))


def turn(body: Floats, place: Viewpoint) -> Array:
    """(T, J, 3), NaN where unknown -> an ntu25 sequence (T, 25, 4) in the picture of a camera at that place."""
    points = body @ rotation(place.yaw, place.pitch, place.roll).T
    # A pinhole camera, and never nearer to a hand than a third of its distance to the body.
    depth = np.maximum(1 + place.nearness * points[..., 2:], 1 / 3)
    result = np.zeros((len(body), NTU25.size, 4), np.float32)
    known = np.isfinite(points).all(axis=2)
    result[:, JOINTS, :2] = np.where(known[..., None], 100 * points[..., :2] / depth, 0)
    result[:, JOINTS, 3] = known
    for name, parts in (
        ("spine_shoulder", ("left_shoulder", "right_shoulder")),
        ("spine_base", ("left_hip", "right_hip")),
        ("spine_mid", ("spine_shoulder", "spine_base")),
    ):
        pair = result[:, [NTU25.index(part) for part in parts]]
        result[:, NTU25.index(name)] = pair.mean(axis=1) * (pair[..., 3] > 0).all(axis=1, keepdims=True)
    return result


@dataclass(frozen=True)
class Rig:
    """The three cameras (3, 2, 3), scaled orthographic projections, and the usual place of each joint (J, 3)."""

    cameras: Floats
    usual: Floats

    @classmethod
    def find(cls, moments: Sequence[Floats], random: np.random.Generator) -> Rig:
        """From what the cameras see in some moments, (T, J, 3 cameras, 2) each; frames are drawn from all of them."""
        some = np.concatenate(
            [seen[random.choice(len(seen), min(FRAMES, len(seen)), replace=False)] for seen in moments]
        )
        cameras = find_cameras(some)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a joint that no two cameras see has no usual place
            return cls(cameras, np.nanmedian(triangulate(some, cameras), axis=0))

    def body(self, seen: Floats) -> Floats:
        """(T, J, 3 cameras, 2) -> (T, J, 3)."""
        return triangulate(seen, self.cameras, self.usual)
