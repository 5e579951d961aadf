"""What can be measured on a skeleton at each moment: heights, distances, angles, in the body's own frame.

Everything works on batches and on missing joints: a joint that was not seen is NaN, so is every measure that needs it,
and a comparison with NaN is false. Lengths are in shoulder breadths (`skeleton.body_unit`), angles in degrees.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.skeletons.skeleton import NTU25, Array

SIDES = ("left", "right")
# Segment lengths as shares of shoulder breadth (Drillis & Contini, as in skeleton.py).
TRUNK = 0.288 / 0.259
# Legs hang down by 1.9 shoulder breadths; those of a body that sits, by 1.1.
STANDING_LEGS = 1.5
# A picture in which the shoulders lie nearer together than this shows the body from its side.
SIDE_VIEW = 0.35


def _dot(a: Array, b: Array) -> Array:
    return np.einsum("...i,...i->...", a, b)


def _length(a: Array) -> Array:
    return np.sqrt(_dot(a, a))


def _unit(a: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return a / _length(a)[..., None]


def _angle(a: Array, b: Array) -> Array:
    """Angle between vectors (..., 3), in degrees."""
    return np.degrees(np.arccos(np.clip(_dot(_unit(a), _unit(b)), -1, 1)))


def nanmean(values: Array, axis: int, share: float = 0.5) -> Array:
    """Mean of what is not NaN along `axis`; NaN where less than `share` of it is there. Quicker than np.nanmean."""
    known = ~np.isnan(values)
    count = known.sum(axis)
    total = np.where(known, values, 0).sum(axis)
    enough = (count > 0) & (count >= share * values.shape[axis])
    return np.where(enough, total / np.maximum(count, 1), np.nan).astype(np.float32)


def smooth(values: Array, width: int) -> Array:
    """Centred moving mean over axis 1 (time), leaving out NaN, narrower at the ends; NaN stays NaN."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0)

    def window_sum(array: NDArray[Any]) -> NDArray[np.float64]:
        total = np.cumsum(array, axis=1, dtype=np.float64)
        total = np.concatenate([np.zeros_like(total[:, :1]), total], axis=1)
        frames = np.arange(values.shape[1])
        low, high = np.maximum(frames - width // 2, 0), np.minimum(frames + width // 2 + 1, values.shape[1])
        return total[:, high] - total[:, low]

    with np.errstate(invalid="ignore"):
        return np.where(known, window_sum(filled) / window_sum(known), np.nan).astype(np.float32)


class Body:
    """Joints (B, F, 3) by name, and the body's axes. `right`, `forward`: horizontal unit vectors (B, F, 3), NaN where
    the picture does not tell; `trunk`: from hips to shoulders, straight up where the hips are not seen."""

    def __init__(self, frames: Array, dimensions: int) -> None:
        """frames: (B, F, 25, 4) from skeleton.normalise, y along gravity. dimensions: 2 or 3."""
        points = np.where(frames[..., 3:] > 0, frames[..., :3], np.nan).astype(np.float32)
        self.joints = {name: points[:, :, index] for index, name in enumerate(NTU25.joints)}
        self.dimensions = dimensions
        self.up = np.broadcast_to(np.array([0, 1, 0], np.float32), points[:, :, 0].shape)
        self.chest = self["spine_shoulder"]
        self.right, self.forward = self._axes()
        trunk = _unit(self.chest - self["spine_base"])
        self.trunk = np.where(np.isnan(trunk), self.up, trunk)

    def __getitem__(self, joint: str) -> Array:
        return self.joints[joint]

    def hand(self, side: str) -> Array:
        """The hand, else where it must be: the forearm prolonged by a third, else the wrist."""
        wrist, elbow = self[f"{side}_wrist"], self[f"{side}_elbow"]
        hand = self[f"{side}_hand"]
        for other in (wrist + (wrist - elbow) / 3, wrist):
            hand = np.where(np.isnan(hand), other, hand)
        return hand

    @property
    def ears(self) -> Array:
        """Between the ears: where skeleton.py's neck lies halfway to them, and near it in others. In a picture the head
        is the nose, which turns away from a hand that stays at the ear."""
        return 2 * self["neck"] - self.chest

    def _axes(self) -> tuple[Array, Array]:
        across = self["right_shoulder"] - self["left_shoulder"]
        hips = self["right_hip"] - self["left_hip"]
        if self.dimensions == 3:
            # Hips beside shoulders halve the noise of the heading; a frame's jitter is smoothed away.
            across = smooth(np.where(np.isnan(hips), across, across + hips), 7)
            right = _unit(across * np.array([1, 0, 1], np.float32))
            return right, np.stack([-right[..., 2], right[..., 1], right[..., 0]], axis=-1)
        # A picture tells left from right where the shoulders lie apart, and front from back where they do not and the
        # nose points out beyond the neck.
        breadth = _over_time(across[..., 0])
        nose = _over_time(self["head"][..., 0] - self["neck"][..., 0])
        nothing = np.full_like(breadth, np.nan)
        right_x = np.where(np.abs(breadth) >= SIDE_VIEW, np.sign(breadth), nothing)
        forward_x = np.where((np.abs(breadth) < SIDE_VIEW) & (np.abs(nose) > 0.1), np.sign(nose), nothing)
        zero = np.zeros_like(nothing)
        axes = [
            np.stack([x, np.where(np.isnan(x), x, zero), np.where(np.isnan(x), x, zero)], -1)
            for x in (right_x, forward_x)
        ]
        shape = across.shape
        return np.broadcast_to(axes[0][:, None], shape), np.broadcast_to(axes[1][:, None], shape)


def _over_time(values: Array) -> Array:
    """Median over axis 1 of what is not NaN; NaN where there is nothing."""
    result = np.full(len(values), np.nan, np.float32)
    known = ~np.isnan(values).all(axis=1)
    if known.any():
        result[known] = np.nanmedian(values[known], axis=1)
    return result


def measure(body: Body) -> dict[str, Array]:
    """name -> (B, F), float32, NaN where a joint that it needs is missing."""
    result: dict[str, Array] = {}
    for side in SIDES:
        result |= {f"{side}_{name}": values for name, values in _arm(body, side).items()}
        result |= {f"{side}_{name}": values for name, values in _leg(body, side).items()}
    result |= _hands(body)
    result |= _trunk(body)
    result |= _legs(body)
    return result


def _arm(body: Body, side: str) -> dict[str, Array]:
    other = "left" if side == "right" else "right"
    sign = np.float32(1 if side == "right" else -1)
    hand, shoulder, elbow = body.hand(side), body[f"{side}_shoulder"], body[f"{side}_elbow"]
    wrist = body[f"{side}_wrist"]
    reach = hand - shoulder
    return {
        "hand_level": _dot(hand - body.chest, body.trunk),
        "hand_height": hand[..., 1],
        "hand_floor": hand[..., 1] - _floor(body),
        "hand_side": sign * _dot(reach, body.right),
        "hand_front": _dot(reach, body.forward),
        "hand_head": np.fmin(_length(hand - body["head"]), _length(hand - body.ears)),
        "hand_shoulder": _length(hand - body[f"{other}_shoulder"]),
        "hand_own_shoulder": _length(reach),
        "hand_chest": _length(hand - (body.chest * 0.6 + body["spine_base"] * 0.4)),
        "hand_hip": _length(hand - body[f"{side}_hip"]),
        "hand_other_hip": _length(hand - body[f"{other}_hip"]),
        "hand_knee": np.fmin(_length(hand - body["left_knee"]), _length(hand - body["right_knee"])),
        "hand_foot": np.fmin(_length(hand - body["left_ankle"]), _length(hand - body["right_ankle"])),
        "hand_elbow": _length(hand - body[f"{other}_elbow"]),
        "elbow_angle": _angle(shoulder - elbow, wrist - elbow),
        "arm_raise": _angle(elbow - shoulder, -body.trunk),
        "elbow_front": _dot(elbow - shoulder, body.forward),
        "elbow_side": sign * _dot(elbow - shoulder, body.right),
        "forearm_rise": 90 - _angle(wrist - elbow, body.up),
    }


def _leg(body: Body, side: str) -> dict[str, Array]:
    hip, knee, ankle = body[f"{side}_hip"], body[f"{side}_knee"], body[f"{side}_ankle"]
    return {
        "knee_angle": _angle(hip - knee, ankle - knee),
        "thigh_raise": _angle(knee - hip, -body.up),
        "foot_lift": ankle[..., 1] - _floor(body),
    }


def _hands(body: Body) -> dict[str, Array]:
    left, right = body.hand("left"), body.hand("right")
    return {
        "hands_apart": _length(right - left),
        "hands_level": right[..., 1] - left[..., 1],
        "hands_crossed": _dot(right - left, body.right),
    }


def _trunk(body: Body) -> dict[str, Array]:
    head = body["head"] - body.chest
    spine = _unit(body.chest - body["spine_base"])
    across = body["right_shoulder"] - body["left_shoulder"]
    nose = body["head"] - body["neck"]
    return {
        "trunk_front": np.degrees(np.arctan2(_dot(spine, body.forward), spine[..., 1])),
        "trunk_side": np.degrees(np.arctan2(_dot(spine, body.right), spine[..., 1])),
        "head_front": _dot(head, body.forward),
        "head_side": _dot(head, body.right),
        "head_up": _dot(head, body.trunk),
        "nose_side": _dot(nose, body.right),
        "shoulder_tilt": across[..., 1],
        "trunk_twist": _twist(body),
        "yaw": _yaw(body),
        "hips_height": body["spine_base"][..., 1],
        "head_height": body["head"][..., 1],
        "chest_height": body.chest[..., 1],
    }


def _legs(body: Body) -> dict[str, Array]:
    left, right = body["left_ankle"], body["right_ankle"]
    apart = right - left
    middle: Array = (left + right) * np.float32(0.5)
    hip: Array = (body["left_hip"] + body["right_hip"]) * np.float32(0.5)
    leg = [
        _length(body[f"{side}_hip"] - body[f"{side}_knee"]) + _length(body[f"{side}_knee"] - body[f"{side}_ankle"])
        for side in SIDES
    ]
    return {
        "leg_stretch": (hip[..., 1] - middle[..., 1]) / _over_time((leg[0] + leg[1]) * np.float32(0.5))[:, None],
        "feet_apart": _length(apart * np.array([1, 0, 1], np.float32)),
        "feet_front": _dot(apart, body.forward),
        "feet_side": _dot(apart, body.right),
        "hips_back": -_dot(body["spine_base"] - middle, body.forward),
    }


def _floor(body: Body) -> Array:
    """Height of the floor (B, 1): where the lower ankle is, at the median over the clip."""
    ankle = np.fmin(body["left_ankle"][..., 1], body["right_ankle"][..., 1])
    floor = _over_time(ankle)
    if body.dimensions == 2:
        # In a picture the feet of who sits towards the camera are drawn up high: only who stands shows the floor.
        legs = _over_time(body["spine_base"][..., 1] - ankle)
        floor = np.where(legs >= STANDING_LEGS, floor, np.nan)
    return floor[:, None]


def _heading(right: Array) -> Array:
    return np.degrees(np.arctan2(right[..., 2], right[..., 0]))


def _wrap(degrees: Array) -> Array:
    return (degrees + 180) % 360 - 180


def _twist(body: Body) -> Array:
    if body.dimensions == 2:
        return np.full(body.chest.shape[:2], np.nan, np.float32)
    shoulders = smooth(body["right_shoulder"] - body["left_shoulder"], 7)
    hips = smooth(body["right_hip"] - body["left_hip"], 7)
    return _wrap(_heading(hips) - _heading(shoulders))


def _yaw(body: Body) -> Array:
    """Heading since the clip began, degrees, turning right positive; unwrapped, so that two turns are 720."""
    if body.dimensions == 2:
        return np.full(body.chest.shape[:2], np.nan, np.float32)
    heading = _heading(body.right)
    known = ~np.isnan(heading)
    # Where the shoulders are unseen the last heading stands in, so that unwrapping crosses the gap.
    last = np.maximum.accumulate(np.where(known, np.arange(heading.shape[1]), 0), axis=1)
    held = np.nan_to_num(np.take_along_axis(heading, last, axis=1))
    turned = -np.degrees(np.unwrap(np.radians(held), axis=1))
    return np.where(known, turned - turned[:, :1], np.nan).astype(np.float32)
