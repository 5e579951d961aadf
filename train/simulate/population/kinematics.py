"""The kinematics of edge_c2vl.simulated.body for many postures at once, without fingers, legs and skin.

A test holds both to the same joints. Shapes: people (N), postures (N, T, ...).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from edge_c2vl.simulated.body import HEAD_POINTS
from train.simulate.population.people import Floats, People

OUT = {"left": np.float32(1.0), "right": np.float32(-1.0)}
# Columns of a posture (N, T, 17): wrists in metres, the elbows' lift in degrees, where the hips are, angles of trunk
# and head (forward, to the left, turned to the left; turned to the left, nodding, tilted to the left).
LEFT, RIGHT, LEFT_LIFT, RIGHT_LIFT = slice(0, 3), slice(3, 6), 6, 7
ROOT, LEAN, HEAD, SIZE = slice(8, 11), slice(11, 14), slice(14, 17), 17


def unit(vectors: Floats) -> Floats:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32(1e-9))


def vector(*values: float) -> Floats:
    return np.array(values, np.float32)


def times(axes: Floats, local: ArrayLike) -> Floats:
    """Axes (..., 3, 3), columns, times a vector (..., 3)."""
    return (axes @ np.asarray(local, np.float32)[..., None])[..., 0]


def turned(forward: Floats, left: Floats, yaw: Floats) -> Floats:
    """Rotations (..., 3, 3), columns the turned axes: nodding forward, then tilting to the left, then turning left."""
    f, s, t = (np.radians(angle) for angle in np.broadcast_arrays(forward, left, yaw))
    zero, one = np.zeros_like(f), np.ones_like(f)

    def matrix(*rows: tuple[Floats, Floats, Floats]) -> Floats:
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    nod = matrix((one, zero, zero), (zero, np.cos(f), np.sin(f)), (zero, -np.sin(f), np.cos(f)))
    tilt = matrix((np.cos(s), np.sin(s), zero), (-np.sin(s), np.cos(s), zero), (zero, zero, one))
    turn = matrix((np.cos(t), zero, -np.sin(t)), (zero, one, zero), (np.sin(t), zero, np.cos(t)))
    return (turn @ tilt @ nod).astype(np.float32)


@dataclass(frozen=True)
class Trunk:
    """Trunk and head, which are placed before the hands: origins (..., 3) and axes (..., 3, 3), columns."""

    hips: Floats
    pelvis: Floats
    waist: Floats
    top: Floats
    chest: Floats
    skull: Floats
    head: Floats

    def head_point(self, local: ArrayLike) -> Floats:
        return self.skull + times(self.head, local)


def place_trunk(people: People, posture: Floats) -> Trunk:
    """Postures (N, T, 17), of which wrists and lifts are not looked at."""
    lean, head = posture[..., LEAN], posture[..., HEAD]
    recline, stature = people.recline[:, None], people.stature[:, None, None]
    trunk, neck = 0.288 * stature, 0.052 * stature
    frames = [
        turned(share * lean[..., 0] - recline, share * lean[..., 1], share * lean[..., 2])
        for share in (1 / 3, 2 / 3, 1)
    ]
    hips = people.seat[:, None] + posture[..., ROOT]
    waist = hips + 0.30 * trunk * frames[0][..., 1]
    ribs = waist + 0.30 * trunk * frames[1][..., 1]
    top = ribs + 0.40 * trunk * frames[2][..., 1]
    # The head keeps the gaze level while the trunk leans: it follows the trunk's turn, and half of its tilt.
    axes = turned(head[..., 1] + 0.25 * lean[..., 0], head[..., 2] + 0.5 * lean[..., 1], head[..., 0] + lean[..., 2])
    along = unit(frames[2][..., 1] + axes[..., 1] + vector(0, 0, -0.25))
    skull = top + times(frames[2], vector(0, 0.015, 0)) + neck * along + times(axes, vector(0, 0.062, -0.022))
    skull = skull + people.carriage[:, None]
    return Trunk(hips, frames[0], waist, top, frames[2], skull, axes)


def place_joints(people: People, posture: Floats) -> dict[str, Floats]:
    """Joint name (as in edge_c2vl.skeletons.skeleton.MEDIAPIPE33, of head, trunk and arms) -> (N, T, 3), metres."""
    trunk = place_trunk(people, posture)
    joints = {name: trunk.head_point(place) for name, place in HEAD_POINTS.items()}
    for side, hand, lift in (("left", LEFT, LEFT_LIFT), ("right", RIGHT, RIGHT_LIFT)):
        arm = _arm(people, trunk, side, posture[..., hand], posture[..., lift])
        joints |= {f"{side}_{name}": place for name, place in zip(("shoulder", "elbow", "wrist"), arm, strict=True)}
        across = OUT[side] * 0.05 * people.stature[:, None, None]
        joints[f"{side}_hip"] = trunk.hips + across * trunk.pelvis[..., 0]
    return joints


def _arm(people: People, trunk: Trunk, side: str, hand: Floats, lift: Floats) -> tuple[Floats, Floats, Floats]:
    """Shoulder, elbow and wrist: inverse kinematics from the wrist, the elbow where it hangs, turned out by `lift`."""
    out, stature = OUT[side], people.stature[:, None, None]
    upper, forearm = 0.172 * stature, 0.146 * stature
    breadth = (0.112 * people.stature * people.breadth)[:, None, None]
    shoulder = trunk.top + out * breadth * trunk.chest[..., 0] - np.float32(0.035) * trunk.chest[..., 1]
    reach = upper + forearm
    to_wrist = hand - shoulder
    far = np.clip((np.linalg.norm(to_wrist, axis=-1, keepdims=True) - 0.8 * reach) / (0.2 * reach), 0, 1.5)
    raised = np.float32(0.03) * np.clip(to_wrist[..., 1:2] / 0.3, 0, 1)
    shoulder = shoulder + 0.035 * far * unit(to_wrist) + raised * vector(0, 1, 0)
    along = unit(hand - shoulder)
    length = np.clip(np.linalg.norm(hand - shoulder, axis=-1, keepdims=True), 0.25 * reach, 0.985 * reach)
    wrist = shoulder + length * along
    down = vector(0.25 * out, -1.0, 0.35)
    hang = unit(down - (along @ down)[..., None] * along)
    outwards = np.cross(along, hang)
    outwards = np.where(outwards[..., :1] * out < 0, -outwards, outwards)
    turn = np.radians(lift)[..., None]
    pole = np.cos(turn) * hang + np.sin(turn) * outwards
    near = (length**2 + upper**2 - forearm**2) / (2 * length)
    elbow = shoulder + near * along + np.sqrt(np.maximum(upper**2 - near**2, 0)) * pole
    return shoulder.astype(np.float32), elbow.astype(np.float32), wrist.astype(np.float32)
