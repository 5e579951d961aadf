"""A seated driver's body: its sizes, its posture, and where that puts every joint.

Car coordinates, metres: x to the driver's left, y up, z to the rear; the origin is the hip point of a driver of mean
stature. Seen from the dashboard x points to the right of the picture and z away from the camera, as in
edge_c2vl.skeletons.skeleton. These axes are left-handed, so a cross product follows the left hand.

Segment lengths are shares of stature after Drillis and Contini (1966), as given by Winter, Biomechanics and Motor
Control of Human Movement, figure 4.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]

SIDES = ("left", "right")
_OUT = {"left": 1.0, "right": -1.0}


@dataclass(frozen=True)
class Build:
    """A driver's measures. `girth` scales the trunk's and limbs' thickness, `breadth` the shoulders."""

    stature: float = 1.75
    girth: float = 1.0
    breadth: float = 1.0
    recline: float = 20.0  # degrees of the seat's back

    @property
    def trunk(self) -> float:
        return 0.288 * self.stature

    @property
    def neck(self) -> float:
        return 0.052 * self.stature

    @property
    def shoulder(self) -> float:
        """From the spine to the shoulder joint's centre."""
        return 0.112 * self.stature * self.breadth

    @property
    def hip(self) -> float:
        return 0.05 * self.stature

    @property
    def upper_arm(self) -> float:
        return 0.172 * self.stature

    @property
    def forearm(self) -> float:
        return 0.146 * self.stature

    @property
    def hand(self) -> float:
        """Share of a hand of 0.19 m."""
        return self.stature / 1.75

    @property
    def thigh(self) -> float:
        return 0.245 * self.stature

    @property
    def shin(self) -> float:
        return 0.246 * self.stature

    @property
    def seat(self) -> Floats:
        """The hip point: tall drivers sit farther back."""
        return np.array([0, 0.0, 0.45 * (self.stature - 1.75)], np.float32)


def _vector(*values: float) -> Floats:
    return np.array(values, np.float32)


@dataclass(frozen=True)
class Hand:
    """Where a hand is: the wrist, the direction of the fingers, the direction the palm faces, in car coordinates;
    curl 0 (flat) to 1 (fist); lift, the degrees by which the elbow is raised sideways."""

    wrist: Floats
    direction: Floats
    palm: Floats
    curl: float = 0.5
    lift: float = 0.0


@dataclass(frozen=True)
class Posture:
    """What the driver holds at one moment. Angles in degrees: lean (forward, to the left, turned to the left), head
    (turned to the left, nodding down, tilted to the left). root: how far the hips are from the seat. stand: 0 seated,
    1 upright on straight legs. mouth: 0 closed to 2 yawning. eyes: where they look in the head, to the left and down;
    lids: 0 closed to 1 open. Eyes are no part of to_array: they move by a time of their own (eyes.py)."""

    left: Hand
    right: Hand
    root: Floats = field(default_factory=lambda: _vector(0, 0, 0))
    lean: Floats = field(default_factory=lambda: _vector(0, 0, 0))
    head: Floats = field(default_factory=lambda: _vector(0, 0, 0))
    stand: float = 0.0
    mouth: float = 0.0
    eyes: tuple[float, float] = (0.0, 0.0)
    lids: float = 1.0

    def to_array(self) -> Floats:
        parts: list[ArrayLike] = []
        for hand in (self.left, self.right):
            parts += [np.atleast_1d(getattr(hand, item.name)) for item in fields(hand)]
        parts += [self.root, self.lean, self.head, [self.stand], [self.mouth]]
        return np.concatenate(parts).astype(np.float32)

    @classmethod
    def from_array(cls, values: Floats) -> Posture:
        """The inverse of to_array; directions are made unit length, so that a mean of two postures is one."""
        hands = []
        for start in (0, 11):
            part = values[start : start + 11]
            hands.append(Hand(part[:3], unit(part[3:6]), unit(part[6:9]), float(part[9]), float(part[10])))
        rest = values[22:]
        return cls(hands[0], hands[1], rest[:3], rest[3:6], rest[6:9], float(rest[9]), float(rest[10]))


def unit(vector: ArrayLike) -> Floats:
    value = np.asarray(vector, np.float32)
    return value / np.float32(max(math.sqrt(float(value @ value)), 1e-9))


def cross(a: Floats, b: Floats) -> Floats:
    """The cross product of two vectors; np.cross, made for arrays of them, takes ten times as long."""
    ax, ay, az = a.tolist()
    bx, by, bz = b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], np.float32)


def turned(forward: float = 0.0, left: float = 0.0, yaw: float = 0.0) -> Floats:
    """Rotation (3, 3), columns the turned axes: nodding forward, then tilting to the left, then turning to the left."""
    f, s, t = np.radians([forward, left, yaw])
    nod = np.array([[1, 0, 0], [0, np.cos(f), np.sin(f)], [0, -np.sin(f), np.cos(f)]])
    tilt = np.array([[np.cos(s), np.sin(s), 0], [-np.sin(s), np.cos(s), 0], [0, 0, 1]])
    turn = np.array([[np.cos(t), 0, -np.sin(t)], [0, 1, 0], [np.sin(t), 0, np.cos(t)]])
    return (turn @ tilt @ nod).astype(np.float32)


# A head's landmarks in its own axes (x to its left, y up, z to the back), metres for a head 0.225 m high; the origin
# is the middle between the ears' openings.
HEAD_POINTS = {
    "nose": (0.0, -0.012, -0.122),
    "left_eye_inner": (0.017, 0.030, -0.091),
    "left_eye": (0.032, 0.031, -0.089),
    "left_eye_outer": (0.046, 0.030, -0.082),
    "left_ear": (0.077, 0.008, 0.0),
    "left_mouth": (0.025, -0.047, -0.094),
}
for _name, (_x, _y, _z) in list(HEAD_POINTS.items()):
    if _name.startswith("left"):
        HEAD_POINTS[_name.replace("left", "right")] = (-_x, _y, _z)
MOUTH = (0.0, -0.047, -0.103)
EAR = {"left": (0.092, -0.005, -0.015), "right": (-0.092, -0.005, -0.015)}

# A hand's landmarks along (direction, across to the thumb, towards the palm), metres for a hand of 0.19 m.
HAND_POINTS = {"index": (0.085, 0.026, 0.0), "pinky": (0.073, -0.032, 0.0), "thumb": (0.062, 0.055, 0.022)}
GRIP = (0.085, 0.0, 0.03)  # the middle of what the hand holds


@dataclass(frozen=True)
class Skeleton:
    """joints: name -> (3,). bones: name -> (origin (3,), axes (3, 3) as columns): what the skin is hung on."""

    joints: dict[str, Floats]
    bones: dict[str, tuple[Floats, Floats]]

    def head_point(self, local: ArrayLike) -> Floats:
        origin, axes = self.bones["head"]
        return origin + axes @ np.asarray(local, np.float32)

    def hand_point(self, side: str, local: ArrayLike) -> Floats:
        origin, axes = self.bones[f"{side}_hand"]
        return origin + axes @ np.asarray(local, np.float32)


def solve(build: Build, posture: Posture) -> Skeleton:
    """Forward kinematics of trunk, head and legs; the arms by inverse kinematics from the wrists."""
    joints: dict[str, Floats] = {}
    bones: dict[str, tuple[Floats, Floats]] = {}
    forward, side, twist = posture.lean
    upright = build.recline * (1 - posture.stand)
    # The spine bends over its length: the pelvis takes a third of a lean, the loins two thirds, the chest all of it.
    frames = [turned(share * forward - upright, share * side, share * twist) for share in (1 / 3, 2 / 3, 1.0)]
    hips = build.seat + posture.root
    waist = hips + 0.30 * build.trunk * frames[0][:, 1]
    ribs = waist + 0.30 * build.trunk * frames[1][:, 1]
    top = ribs + 0.40 * build.trunk * frames[2][:, 1]
    bones["pelvis"], bones["waist"], bones["chest"] = (hips, frames[0]), (waist, frames[1]), (ribs, frames[2])
    joints["spine_base"], joints["spine_mid"], joints["spine_shoulder"] = hips, waist, top
    _head(build, posture, joints, bones, top, frames[2])
    for name in SIDES:
        _arm(build, getattr(posture, name), name, joints, bones, top, frames[2])
        _leg(build, posture.stand, name, joints, bones, hips, frames[0])
    return Skeleton(joints, bones)


def _head(
    build: Build,
    posture: Posture,
    joints: dict[str, Floats],
    bones: dict[str, tuple[Floats, Floats]],
    top: Floats,
    chest: Floats,
) -> None:
    yaw, nod, tilt = posture.head
    lean, side, twist = posture.lean
    # The head keeps the gaze level while the trunk leans: it follows the trunk's turn, and half of its tilt.
    axes = turned(nod + 0.25 * lean, tilt + 0.5 * side, yaw + twist)
    base = top + chest @ _vector(0, 0.015, 0.0)
    along = unit(chest[:, 1] + axes[:, 1] + _vector(0, 0, -0.25))
    across = unit(axes[:, 0] - (axes[:, 0] @ along) * along)
    bones["neck"] = (base, np.stack([across, along, cross(across, along)], axis=1))
    skull = base + build.neck * along + axes @ _vector(0, 0.062, -0.022)
    bones["head"] = (skull, axes)
    for name, place in HEAD_POINTS.items():
        joints[name] = skull + axes @ np.asarray(place, np.float32)
    joints["head"] = skull


def _arm(
    build: Build,
    hand: Hand,
    side: str,
    joints: dict[str, Floats],
    bones: dict[str, tuple[Floats, Floats]],
    top: Floats,
    chest: Floats,
) -> None:
    out = _OUT[side]
    shoulder = top + chest @ _vector(out * build.shoulder, -0.035, 0.0)
    # A raised or far reaching arm takes the shoulder with it.
    to_wrist = hand.wrist - shoulder
    reach = build.upper_arm + build.forearm
    far = np.clip((np.linalg.norm(to_wrist) - 0.8 * reach) / (0.2 * reach), 0, 1.5)
    shoulder = shoulder + 0.035 * far * unit(to_wrist) + _vector(0, 0.03 * np.clip(to_wrist[1] / 0.3, 0, 1), 0)
    along = unit(hand.wrist - shoulder)
    length = float(np.clip(np.linalg.norm(hand.wrist - shoulder), 0.25 * reach, 0.985 * reach))
    wrist = shoulder + length * along
    # The elbow lies on a circle about the line from shoulder to wrist: where it hangs, turned outwards by `lift`.
    down = _vector(0.25 * out, -1.0, 0.35)
    hang = unit(down - (down @ along) * along)
    outwards = cross(along, hang)
    if outwards[0] * out < 0:
        outwards = -outwards
    lift = np.radians(hand.lift)
    pole = np.cos(lift) * hang + np.sin(lift) * outwards
    near = (length**2 + build.upper_arm**2 - build.forearm**2) / (2 * length)
    elbow = shoulder + near * along + np.sqrt(max(build.upper_arm**2 - near**2, 0.0)) * pole
    joints[f"{side}_shoulder"], joints[f"{side}_elbow"], joints[f"{side}_wrist"] = shoulder, elbow, wrist

    direction = unit(hand.direction)
    palm = unit(hand.palm - (hand.palm @ direction) * direction)
    thumb = cross(direction, palm) * out
    axes = np.stack([direction, thumb, palm], axis=1)
    bones[f"{side}_hand"] = (wrist, axes)
    for name, place in HAND_POINTS.items():
        joints[f"{side}_{name}"] = wrist + axes @ (build.hand * np.asarray(place, np.float32))
    hinge = cross(elbow - shoulder, wrist - elbow)
    hinge = unit(hinge) if np.linalg.norm(hinge) > 1e-5 else unit(cross(along, pole))
    bones[f"{side}_clavicle"] = (top, chest)
    bones[f"{side}_upper_arm"] = (shoulder, _axes(elbow - shoulder, hinge))
    # The forearm's far half turns with the hand, as radius and ulna do: halfway from where the thumb is when the palm
    # faces inwards, to where it is now.
    inwards = cross(hinge, unit(wrist - elbow))
    bones[f"{side}_forearm"] = (elbow, _axes(wrist - elbow, inwards))
    bones[f"{side}_radius"] = (0.5 * (elbow + wrist), _axes(wrist - elbow, inwards + thumb))
    knuckle = wrist + build.hand * (axes @ _vector(0.085, 0, 0))
    bend = np.radians(75 * hand.curl)
    fingers = _bent(axes, bend)
    bones[f"{side}_fingers"] = (knuckle, fingers)
    bones[f"{side}_tips"] = (knuckle + build.hand * 0.045 * fingers[:, 0], _bent(fingers, 1.2 * bend))
    thumb_turn = np.radians(35 * hand.curl)
    base = wrist + build.hand * (axes @ _vector(0.03, 0.03, 0.008))
    turned_axes = np.stack(
        [
            np.cos(thumb_turn) * axes[:, 0] + np.sin(thumb_turn) * axes[:, 2],
            axes[:, 1],
            np.cos(thumb_turn) * axes[:, 2] - np.sin(thumb_turn) * axes[:, 0],
        ],
        axis=1,
    )
    bones[f"{side}_thumb"] = (base, turned_axes)


def _bent(axes: Floats, angle: float) -> Floats:
    """Axes of a finger turned by `angle` towards the palm."""
    along, across, palm = axes.T
    return np.stack(
        [np.cos(angle) * along + np.sin(angle) * palm, across, np.cos(angle) * palm - np.sin(angle) * along], axis=1
    )


def _axes(along: Floats, hinge: Floats) -> Floats:
    first = unit(along)
    second = unit(hinge - (hinge @ first) * first)
    return np.stack([first, second, cross(first, second)], axis=1)


def _leg(
    build: Build,
    stand: float,
    side: str,
    joints: dict[str, Floats],
    bones: dict[str, tuple[Floats, Floats]],
    hips: Floats,
    pelvis: Floats,
) -> None:
    out = _OUT[side]
    hip = hips + pelvis @ _vector(out * build.hip, 0, 0)
    seated = unit(_vector(0.16 * out, 0.22, -1.0))
    standing = _vector(0.03 * out, -1.0, 0.0)
    thigh = unit((1 - stand) * seated + stand * standing)
    knee = hip + build.thigh * thigh
    seated_shin = unit(_vector(-0.05 * out, -0.86, -0.52))
    shin = unit((1 - stand) * seated_shin + stand * _vector(0, -1, 0.03))
    ankle = knee + build.shin * shin
    across = _vector(1, 0, 0)
    foot = unit(_vector(0.12 * out, -0.2 * stand + 0.25 * (1 - stand), -1))
    joints[f"{side}_hip"], joints[f"{side}_knee"], joints[f"{side}_ankle"] = hip, knee, ankle
    heel = ankle + 0.045 * shin - 0.045 * foot
    joints[f"{side}_heel"] = heel
    joints[f"{side}_foot"] = heel + 0.115 * build.stature * foot + _vector(-0.015 * out, 0, 0)
    joints[f"{side}_small_toe"] = heel + 0.10 * build.stature * foot + _vector(0.05 * out, 0, 0)
    bones[f"{side}_thigh"] = (hip, _axes(thigh, across))
    bones[f"{side}_shin"] = (knee, _axes(shin, across))
    bones[f"{side}_shoe"] = (ankle, _axes(foot, across))
