"""Things in the driver's hands and on the lap, and where they are at a moment."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from edge_c2vl.simulated import mesh
from edge_c2vl.simulated.activities import Prop
from edge_c2vl.simulated.body import GRIP, Build, Floats, Skeleton, unit
from edge_c2vl.simulated.mesh import Mesh

_PAPER, _BLACK = (0.72, 0.74, 0.75), (0.03, 0.03, 0.03)


@lru_cache(maxsize=32)
def shape(kind: str) -> Mesh:
    """A thing in its own axes: x to the holder's right, y up, z towards whoever looks at it."""
    if kind == "phone":
        back = mesh.box((0.072, 0.15, 0.009), 2).coloured(_BLACK, 0.06)
        screen = mesh.box((0.064, 0.138, 0.004), 2).moved(_EYE, _at(0, 0, 0.004)).coloured((0.5, 0.42, 0.36), 0.05)
        return mesh.join([back, screen])
    if kind == "bottle":
        profile = [(0, -0.11), (0.031, -0.11), (0.032, 0.03), (0.027, 0.06), (0.013, 0.09), (0.013, 0.105)]
        cap = [(0.0155, 0.10), (0.0155, 0.122), (0, 0.122)]
        return mesh.join(
            [mesh.lathe(profile).coloured((0.62, 0.55, 0.36), 0.45), mesh.lathe(cap).coloured((0.6, 0.2, 0.1))]
        )
    if kind == "food":
        return mesh.lathe([(0, -0.03), (0.04, -0.025), (0.045, 0), (0.04, 0.025), (0, 0.03)]).coloured(
            (0.25, 0.45, 0.66), 0.5
        )
    if kind == "newspaper":
        return _printed(0.56, 0.40, 0.05)
    if kind == "magazine":
        return _printed(0.40, 0.28, 0.03)
    if kind == "pad":
        return mesh.box((0.21, 0.30, 0.012), 3).coloured(_PAPER, 0.7)
    if kind == "pen":
        return mesh.lathe([(0, -0.07), (0.005, -0.06), (0.005, 0.07), (0, 0.075)], 6).coloured((0.4, 0.1, 0.05), 0.1)
    if kind == "closed_laptop":
        return mesh.box((0.32, 0.22, 0.02), 3).coloured((0.30, 0.30, 0.30), 0.3)
    if kind == "laptop":
        base = mesh.box((0.32, 0.22, 0.016), 3).coloured((0.30, 0.30, 0.30), 0.3)
        tilt = np.array([[1, 0, 0], [0, 0.34, -0.94], [0, 0.94, 0.34]], np.float32)
        lid = mesh.box((0.32, 0.21, 0.008), 3).moved(tilt, _at(0, 0.145, 0.10)).coloured((0.28, 0.28, 0.28), 0.3)
        return mesh.join([base, lid])
    if kind == "backpack":
        return mesh.box((0.30, 0.42, 0.18), 4).coloured((0.12, 0.07, 0.05), 0.12)
    if kind == "glasses_case":
        return mesh.box((0.16, 0.06, 0.04), 2).coloured((0.10, 0.10, 0.14), 0.15)
    return mesh.box((0.14, 0.045, 0.02), 2).coloured(_BLACK, 0.08)  # folded sunglasses


_EYE = np.eye(3, dtype=np.float32)


def _at(x: float, y: float, z: float) -> Floats:
    return np.array([x, y, z], np.float32)


def _printed(width: float, height: float, bend: float) -> Mesh:
    """An open paper, folded in the middle, with columns of print and pictures on both sides."""
    x, y = np.meshgrid(np.linspace(-1, 1, 25), np.linspace(-1, 1, 17))
    points = np.stack([x * width / 2, y * height / 2, bend * (np.abs(x) ** 1.5 - 0.5)], axis=-1).astype(np.float32)
    paper = mesh.sheet(points)
    tone = np.random.default_rng(5).uniform(0.45, 1.0, (17, 25)).astype(np.float32)
    tone[:, [0, 12, 24]], tone[[0, 16]] = 1, 1
    shade = np.tile(tone.ravel(), 2)[:, None]
    return Mesh(
        paper.points, paper.normals, paper.triangles, np.array([_PAPER], np.float32) * shade, 0.62 * shade[:, 0]
    )


def place(props: tuple[Prop, ...], build: Build, skeleton: Skeleton) -> list[Mesh]:
    """The things as meshes in car coordinates."""
    return [shape(prop.kind).moved(*_pose(prop, build, skeleton)) for prop in props]


def _pose(prop: Prop, build: Build, skeleton: Skeleton) -> tuple[Floats, Floats]:
    """Axes (columns) and origin of a thing."""
    joints = skeleton.joints
    if prop.at == "lap":
        knees, hips = 0.5 * (joints["left_knee"] + joints["right_knee"]), joints["spine_base"]
        along = unit(hips - knees)
        centre = hips + 0.55 * (knees - hips) + _at(0, 0.11, 0)
        up = unit(_at(0, 1, 0) - along[1] * along)
        # Lying: its top edge points to the knees, its face up.
        return np.stack([np.cross(-along, up), -along, up], axis=1), centre
    if prop.at == "seat":
        return _facing(_at(0.5, 0.25, -0.3)), _at(-0.62, 0.03, -0.10)
    if prop.at == "both":
        grips = [skeleton.hand_point(side, build.hand * np.array(GRIP, np.float32)) for side in ("left", "right")]
        centre = 0.5 * (grips[0] + grips[1]) + _at(0, 0.05 if prop.kind in ("newspaper", "magazine") else 0.0, 0)
        return _facing(joints["nose"] - centre), centre
    axes = skeleton.bones[f"{prop.at}_hand"][1]
    centre = skeleton.hand_point(prop.at, build.hand * np.array(GRIP, np.float32))
    if prop.kind in ("bottle", "pen", "food"):
        # Their axis runs along the grip, its upper end on the thumb's side.
        up = axes[:, 1]
        across = unit(np.cross(up, axes[:, 0]))
        return np.stack([across, up, np.cross(across, up)], axis=1), centre
    # Flat things show their face to the driver's, or lie against the ear.
    near = centre + 0.02 * axes[:, 0] - 0.012 * axes[:, 2]
    towards = joints["head"] - near
    if np.linalg.norm(towards) < 0.17:
        side = 1.0 if prop.at == "left" else -1.0
        head = skeleton.bones["head"][1]
        face = unit(-side * head[:, 0])
        up = unit(0.86 * head[:, 1] + 0.5 * head[:, 2])
        return np.stack([np.cross(up, face), up, face], axis=1), near
    return _facing(towards, axes[:, 0]), near


def _facing(towards: Floats, up: Floats | None = None) -> Floats:
    face = unit(towards)
    top = _at(0, 1, 0) if up is None else up
    top = unit(top - (top @ face) * face)
    return np.stack([np.cross(top, face), top, face], axis=1)
