"""Simulates a pose estimator on true joints: lasting errors, and hidden, missing or guessed joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.simulate.population.cameras import Cameras
from train.simulate.population.kinematics import Trunk
from train.simulate.population.people import Floats, Random, normal, uniform

Bools = NDArray[np.bool_]
ARM = ("shoulder", "elbow", "wrist")
SHOULDER_MISSED = 0.25  # how often OpenPose misses a hidden shoulder, by how often it misses a hidden elbow or wrist


@dataclass(frozen=True)
class Errors:
    """Shares and sizes. Sizes are standard deviations in shoulder breadths.

    bias: an error that stays for a clip; drift: one that changes slowly; tremble: one of each frame. openpose: the
    share of clips of an estimator like OpenPose: it finds the neck by itself, leaves out hidden parts of the face, and
    leaves out some of what the body hides. Others (MediaPipe) guess all that is hidden. guess: how far a guess is off;
    found_hidden: the same where OpenPose finds a hidden joint all the same. joint_missing: a joint that is never found
    in a clip. hips_missing: hips likewise. swapped: arms exchanged.
    """

    bias: float = 0.05
    drift: float = 0.03
    tremble: float = 0.012
    openpose: float = 0.6
    guess: float = 0.25
    found_hidden: float = 0.1
    joint_missing: float = 0.05
    hips_missing: float = 0.15
    swapped: float = 0.01


def observe(
    joints: dict[str, Floats], trunk: Trunk, cameras: Cameras, errors: Errors, random: Random
) -> tuple[dict[str, Floats], dict[str, Bools]]:
    """True joints (N, T, 3) -> name -> (N, T, 2) in half picture widths, y up; and which are seen (N, T). Of an
    estimator like OpenPose there is spine_shoulder, too."""
    projected = {name: cameras.project(points) for name, points in joints.items()}
    across = projected["left_shoulder"][..., :2] - projected["right_shoulder"][..., :2]
    trunk_length = np.linalg.norm(
        0.5 * (projected["left_shoulder"] + projected["right_shoulder"])[..., :2]
        - 0.5 * (projected["left_hip"] + projected["right_hip"])[..., :2],
        axis=-1,
    )
    breadth = np.maximum(np.linalg.norm(across, axis=-1), 0.9 * trunk_length).mean(axis=1)[:, None, None]
    count, frames = breadth.shape[0], across.shape[1]
    openpose = random.random(count) < errors.openpose
    # From beside a driver OpenPose finds the far arm in nearly all pictures of one data set, in half of another's.
    left_out = np.where(openpose, random.random(count), 0)
    off = np.where(openpose, errors.found_hidden, errors.guess)[:, None, None] * breadth
    places, seen = {}, {}
    for name, points in projected.items():
        place = points[..., :2] + breadth * _noise(count, frames, errors, random)
        hidden = _behind_body(joints[name], trunk, cameras) if name.endswith(ARM) else np.zeros((count, frames), bool)
        # A guess is off in one direction for as long as the joint is hidden.
        place = np.where(hidden[..., None], place + off * normal(random, 0, 1, count, 1, 2), place)
        missed = random.random(count) < left_out * (SHOULDER_MISSED if name.endswith("shoulder") else 1)
        lost = random.random(count) < (errors.hips_missing if name.endswith("hip") else errors.joint_missing)
        places[name] = place.astype(np.float32)
        seen[name] = cameras.inside(points) & ~lost[:, None] & ~(hidden & missed[:, None])
    _swap_arms(places, seen, random.random(count) < errors.swapped)
    _face(trunk, cameras, seen, openpose)
    neck = 0.5 * (joints["left_shoulder"] + joints["right_shoulder"])
    projected_neck = cameras.project(neck)
    place = projected_neck[..., :2] + breadth * _noise(count, frames, errors, random)
    places["spine_shoulder"] = place.astype(np.float32)
    seen["spine_shoulder"] = cameras.inside(projected_neck) & openpose[:, None]
    return places, seen


def _noise(count: int, frames: int, errors: Errors, random: Random) -> Floats:
    """(N, T, 2): a bias, a slow drift (a straight line between random ends and middle), and a tremble."""
    size = uniform(random, 0.3, 1.7, count, 1, 1)
    knots = normal(random, 0, errors.drift, count, 4, 2)
    at = np.linspace(0, 2.999, frames)
    low = at.astype(int)
    share = (at - low)[None, :, None].astype(np.float32)
    drift = knots[:, low] * (1 - share) + knots[:, low + 1] * share
    bias = normal(random, 0, errors.bias, count, 1, 2)
    return size * (bias + drift + normal(random, 0, errors.tremble, count, frames, 2))


def _behind_body(points: Floats, trunk: Trunk, cameras: Cameras) -> Bools:
    """(N, T): whether trunk or head lie between the camera and these points (N, T, 3)."""
    origin = cameras.position[:, None]
    return _blocks(origin, points, trunk.waist, trunk.top, 0.11) | _blocks(
        origin, points, trunk.skull, trunk.skull, 0.095
    )


def _blocks(origin: Floats, points: Floats, start: Floats, end: Floats, radius: float) -> Bools:
    """Whether the line from origin to points passes a capsule (start, end, radius) well before it ends."""
    ray = points - origin
    result = np.zeros(points.shape[:2], bool)
    length = np.linalg.norm(ray, axis=-1)
    for share in (0.1, 0.4, 0.7, 0.95):
        centre = start + share * (end - start)
        along = ((centre - origin) * ray).sum(axis=-1) / np.maximum(length**2, 1e-9)
        nearest = origin + along[..., None] * ray
        miss = np.linalg.norm(nearest - centre, axis=-1)
        # The point itself has to lie beyond the body, not on it.
        result |= (miss < radius) & (along > 0) & ((1 - along) * length > radius)
    return result


def _swap_arms(places: dict[str, Floats], seen: dict[str, Bools], chosen: Bools) -> None:
    for part in ARM:
        left, right = f"left_{part}", f"right_{part}"
        for values in (places, seen):
            one, other = values[left].copy(), values[right].copy()
            values[left][chosen], values[right][chosen] = other[chosen], one[chosen]


def _face(trunk: Trunk, cameras: Cameras, seen: dict[str, Bools], openpose: Bools) -> None:
    """Parts of the face that the head itself hides, where the estimator leaves those out."""
    to_camera = cameras.position[:, None] - trunk.skull
    to_camera = to_camera / np.linalg.norm(to_camera, axis=-1, keepdims=True)
    across = (trunk.head[..., 0] * to_camera).sum(axis=-1)  # 1: seen from the driver's left
    ahead = -(trunk.head[..., 2] * to_camera).sum(axis=-1)  # 1: seen from the front
    hidden = {
        "nose": ahead < -0.35,
        "left_eye": (ahead < -0.2) | (across < -0.93),
        "right_eye": (ahead < -0.2) | (across > 0.93),
        "left_ear": across < -0.15,
        "right_ear": across > 0.15,
    }
    for name, away in hidden.items():
        seen[name] &= ~(away & openpose[:, None])
