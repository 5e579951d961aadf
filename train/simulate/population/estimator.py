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
# MediaPipe on rendered drivers (benchmarks/pose_errors.py). A joint outside of the picture is found in it all the same,
# near its edge: hips in four of five pictures however far they are, an elbow or wrist the less, the farther it is out.
HIPS_GUESSED, NEAR_GUESSED, FAR_GUESSED = 0.5, 0.65, 0.12
FAR = 0.3  # shoulder breadths outside of the picture, in which the difference between near and far falls to a third


@dataclass(frozen=True)
class Errors:
    """Shares and sizes. Sizes are standard deviations in shoulder breadths.

    bias: an error that stays for a clip; drift: one that changes slowly; tremble: one of each frame. openpose: the
    share of clips of an estimator like OpenPose: it finds the neck by itself, leaves out hidden parts of the face, and
    leaves out some of what the body hides. Others (MediaPipe) find hidden joints for a part of the time, and joints
    that lie outside of the picture too. guess: how far a guess is off; found_hidden: the same where OpenPose finds a
    hidden joint all the same. hips: how far MediaPipe's hips are off for a clip. outside: how far in the picture it
    takes joints to be that are outside. hidden_found: least share of the time that it finds a hidden elbow or wrist.
    joint_missing: a joint that is never found in a clip. hips_missing: OpenPose's hips likewise. swapped: arms
    exchanged.
    """

    bias: float = 0.05
    drift: float = 0.03
    tremble: float = 0.012
    openpose: float = 0.5
    guess: float = 0.25
    found_hidden: float = 0.1
    hips: float = 0.17
    outside: float = 0.2
    hidden_found: float = 0.3
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
    # So much of the time MediaPipe finds what it cannot see.
    found = uniform(random, errors.hidden_found, 1, count)[:, None]
    places, seen = {}, {}
    for name, points in projected.items():
        hips = name.endswith("hip")
        place = points[..., :2] + breadth * _noise(count, frames, errors, random)
        hidden = _behind_body(joints[name], trunk, cameras) if name.endswith(ARM) else np.zeros((count, frames), bool)
        # A guess is off in one direction for as long as the joint is hidden.
        place = np.where(hidden[..., None], place + off * normal(random, 0, 1, count, 1, 2), place)
        if hips:
            place = place + np.where(openpose, 0, errors.hips)[:, None, None] * breadth * normal(
                random, 0, 1, count, 1, 2
            )
        missed = random.random(count) < left_out * (SHOULDER_MISSED if name.endswith("shoulder") else 1)
        # MediaPipe places trunk and head whenever it finds a body.
        missing = errors.hips_missing if hips else errors.joint_missing
        lost = random.random(count) < (missing if name.endswith(("elbow", "wrist")) else np.where(openpose, missing, 0))
        inside = cameras.inside(points)
        guessing = np.ones_like(found) if name.endswith("shoulder") else found
        hidden_seen = np.where(openpose[:, None], ~missed[:, None], _flicker(guessing, frames, random))
        visible = inside & (~hidden | hidden_seen)
        if hips or name.endswith(ARM):
            guessed, at = _outside(points, breadth, cameras, hips, errors, random)
            guessed &= ~inside & ~openpose[:, None]
            place, visible = np.where(guessed[..., None], at, place), visible | guessed
        places[name] = place.astype(np.float32)
        seen[name] = visible & ~lost[:, None]
    _swap_arms(places, seen, random.random(count) < errors.swapped)
    _face(trunk, cameras, seen, openpose)
    neck = 0.5 * (joints["left_shoulder"] + joints["right_shoulder"])
    projected_neck = cameras.project(neck)
    place = projected_neck[..., :2] + breadth * _noise(count, frames, errors, random)
    places["spine_shoulder"] = place.astype(np.float32)
    seen["spine_shoulder"] = cameras.inside(projected_neck) & openpose[:, None]
    return places, seen


def _noise(count: int, frames: int, errors: Errors, random: Random) -> Floats:
    """(N, T, 2): a bias, a slow drift, and a tremble."""
    size = uniform(random, 0.3, 1.7, count, 1, 1)
    drift = _through(normal(random, 0, errors.drift, count, 4, 2), frames)
    bias = normal(random, 0, errors.bias, count, 1, 2)
    return size * (bias + drift + normal(random, 0, errors.tremble, count, frames, 2))


def _through(knots: Floats, frames: int) -> Floats:
    """(N, K, D) -> (N, T, D): straight lines from one knot to the next."""
    at = np.linspace(0, knots.shape[1] - 1.001, frames)
    low = at.astype(int)
    share = (at - low)[None, :, None].astype(np.float32)
    return knots[:, low] * (1 - share) + knots[:, low + 1] * share


def _flicker(share: Floats, frames: int, random: Random) -> Bools:
    """(N, T): true for about that share (N, 1) or (N, T) of the time, in the clip's six parts by and by."""
    lasting = normal(random, 0, 0.9, len(share), 1)
    passing = _through(normal(random, 0, 0.5, len(share), 7, 1), frames)[..., 0]
    # Both together are about standard normal, whose quantiles are nearly logits over 1.7.
    share = np.clip(share, 1e-3, 1 - 1e-3)
    return np.asarray(lasting + passing < np.log(share / (1 - share)) / 1.7, bool)


def _outside(
    points: Floats, breadth: Floats, cameras: Cameras, hips: bool, errors: Errors, random: Random
) -> tuple[Bools, Floats]:
    """Whether MediaPipe takes what lies outside of the picture to be in it (N, T), and where then (N, T, 2)."""
    limit = np.stack([np.ones_like(cameras.aspect), cameras.aspect], axis=1)[:, None]
    edge = np.clip(points[..., :2], -limit, limit)
    out = np.linalg.norm(points[..., :2] - edge, axis=-1) / breadth[..., 0]
    share = FAR_GUESSED + (NEAR_GUESSED - FAR_GUESSED) * np.exp(-out / FAR)
    guessed = _flicker(np.full_like(share, HIPS_GUESSED) if hips else share, out.shape[1], random)
    # To the picture's middle from its edge, and to either side.
    count = len(points)
    inward = -np.sign(points[..., :2] - edge) * np.abs(normal(random, 0, 1, count, 1, 2))
    aside = normal(random, 0, 0.5, count, 1, 2)
    at = edge + errors.outside * breadth * (inward + aside)
    return guessed, np.clip(at, -limit, limit)


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
