"""What the driver wears: shirt, jacket, trousers, belt, sunglasses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from edge_c2vl.simulated import mesh
from edge_c2vl.simulated.anatomy import arm, trunk
from edge_c2vl.simulated.body import SIDES, Floats, unit
from edge_c2vl.simulated.implicit import Blob, BodyModel, Part, carve


def upper(model: BodyModel, name: str, sleeve: float, thicker: float, colour: ArrayLike, gray: float) -> Part:
    """Shirt or jacket. sleeve: share of the upper arm; above 1 it reaches down the forearm."""
    joints, seed = model.rest.joints, model.look.seed
    blobs = trunk(model)
    cuffs = []
    for side in SIDES:
        shoulder, elbow, wrist = (joints[f"{side}_{part}"] for part in ("shoulder", "elbow", "wrist"))
        if sleeve > 1:
            start, end = elbow, elbow + (sleeve - 1) * (wrist - elbow)
            blobs += arm(model, side, extra=0.011 + thicker)
        else:
            start, end = shoulder, shoulder + sleeve * (elbow - shoulder)
            blobs += arm(model, side, extra=0.013)[:2]
        cuffs.append((end, unit(end - start)))
    base, axes = model.rest.bones["neck"]
    opening = Blob("neck", base - 0.008 * axes[:, 1] - 0.014 * axes[:, 2], base + 0.2 * axes[:, 1], 0.066, 0.075)
    folds = (np.random.default_rng(seed).uniform(0.7, 1.3, (6, 3)) * [[55, 35, 55]]).astype(np.float32)
    phase = np.random.default_rng(seed + 1).uniform(0, 6, 6).astype(np.float32)

    def cut(points: Floats, value: Floats) -> Floats:
        value = value - 0.007 - thicker + 0.006 * np.sin(points @ folds.T + phase).mean(axis=1)
        for end, along in cuffs:
            beyond = (points - end) @ along
            # Only the arm that the cuff is on ends there.
            near = np.linalg.norm(points - end - np.maximum(beyond, 0)[:, None] * along, axis=1) < 0.12
            value = np.where(near & (beyond > -0.03), np.maximum(value, beyond), value)
        return carve(value, opening.distance(points), 0.02)

    return model.part(name, blobs, 0.035, 0.020, colour, gray, cut)


def belt(model: BodyModel, shirt: Part) -> Part:
    """From the left shoulder to the right hip, lying on the shirt; it moves as the shirt beneath it does."""
    joints, bones = model.rest.joints, model.rest.bones
    back = bones["chest"][1][:, 2]
    start = joints["left_shoulder"] + 0.25 * (joints["spine_shoulder"] - joints["left_shoulder"])
    start = start + np.array([0, 0.07, 0.02], np.float32)
    end = joints["right_hip"] + np.array([-0.06, 0.03, 0], np.float32)
    along = unit(end - start)
    across = unit(np.cross(along, back))
    points = shirt.mesh.points
    grid = np.zeros((41, 3, 3), np.float32)
    nearest = np.zeros(grid.shape[:2], np.int64)
    for i, t in enumerate(np.linspace(0, 1, len(grid))):
        for j, aside in enumerate((-0.024, 0.0, 0.024)):
            spot = start + t * (end - start) + aside * across
            to = points - spot
            beside = np.linalg.norm(to - (to @ back)[:, None] * back, axis=1)
            close = np.flatnonzero(beside < max(0.03, float(beside.min()) + 0.012))
            top = close[np.argmin(points[close] @ back)]
            nearest[i, j] = top
            grid[i, j] = spot + ((points[top] - spot) @ back - 0.012) * back
    for _ in range(6):
        grid[1:-1] = 0.25 * grid[:-2] + 0.5 * grid[1:-1] + 0.25 * grid[2:]
    weights = shirt.weights[nearest.ravel()]
    return Part("belt", mesh.sheet(grid).coloured((0.035, 0.034, 0.033), 0.07), np.concatenate([weights, weights]))


def sunglasses(model: BodyModel) -> Part:
    blobs = []
    for out in (1.0, -1.0):
        blobs.append(model.on_head((0.022 * out, 0.027, -0.102), (0.043 * out, 0.027, -0.098), 0.019, 0.019))
        blobs.append(model.on_head((0.062 * out, 0.033, -0.085), (0.082 * out, 0.026, 0.0), 0.005, 0.005))
        blobs.append(model.on_head((0.05 * out, 0.034, -0.099), (0.062 * out, 0.033, -0.085), 0.006, 0.005))
    blobs.append(model.on_head((-0.02, 0.032, -0.105), (0.02, 0.032, -0.105), 0.005, 0.005))
    origin, axes = model.rest.bones["head"]

    def cut(points: Floats, value: Floats) -> Floats:
        z = (points - origin) @ axes[:, 2]
        return np.where(z < -0.088, np.maximum(value, np.abs(z + 0.101) - 0.006), value)

    return model.part("sunglasses", blobs, 0.003, 0.0045, (0.02, 0.02, 0.02), 0.04, cut)


def trousers(model: BodyModel) -> Part:
    joints, girth = model.rest.joints, model.build.girth**0.7 * model.build.stature / 1.75
    across, up = model.rest.bones["pelvis"][1][:, :2].T
    hips = joints["spine_base"]
    blobs = [Blob("pelvis", hips - 0.03 * up, hips, 0.118 * girth, 0.112 * girth, across, 1.38)]
    for side in SIDES:
        hip, knee, ankle, toe = (joints[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "foot"))
        blobs.append(Blob(f"{side}_thigh", hip, knee, 0.092 * girth, 0.064 * girth))
        blobs.append(Blob(f"{side}_shin", knee, ankle, 0.062 * girth, 0.045 * girth))
        blobs.append(Blob(f"{side}_shoe", ankle + np.array([0, -0.03, 0.02], np.float32), toe, 0.042, 0.036))
    return model.part("trousers", blobs, 0.04, 0.03, model.look.trousers, model.look.trousers_gray)
