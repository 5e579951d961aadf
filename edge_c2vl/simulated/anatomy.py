"""The driver's bare body: trunk, arms, hands, head and hair. Measures are metres of a man of 1.75 m, and grow with
stature and girth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_c2vl.simulated.body import SIDES, Floats
from edge_c2vl.simulated.implicit import Blob, BodyModel, Part, carve


def arm(model: BodyModel, side: str, extra: float = 0.0) -> list[Blob]:
    joints, girth = model.rest.joints, model.build.stature / 1.75 * model.build.girth**0.5
    shoulder, elbow, wrist = (joints[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
    middle = 0.5 * (elbow + wrist)
    bulge = elbow + 0.25 * (wrist - elbow)
    biceps = shoulder + 0.5 * (elbow - shoulder)

    def blob(bone: str, a: Floats, b: Floats, ra: float, rb: float) -> Blob:
        return Blob(f"{side}_{bone}", a, b, ra * girth + extra, rb * girth + extra)

    return [
        blob("upper_arm", shoulder, biceps, 0.053, 0.047),
        blob("upper_arm", biceps, elbow, 0.047, 0.038),
        blob("forearm", elbow, bulge, 0.038, 0.042),
        blob("forearm", bulge, middle, 0.042, 0.036),
        blob("radius", middle, wrist, 0.036, 0.026),
    ]


def neck(model: BodyModel) -> list[Blob]:
    thick = model.build.girth**0.3 * (0.058 - 0.008 * model.look.bust)
    base, axes = model.rest.bones["neck"]
    top = model.rest.head_point([0, -0.03, 0.012])
    return [
        Blob("neck", base - 0.02 * axes[:, 1], top, thick, thick * 0.93),
        Blob("chest", base - 0.06 * axes[:, 1], base, 0.075, 0.06, axes[:, 0], 1.3),
    ]


def trunk(model: BodyModel) -> list[Blob]:
    joints, bones, look = model.rest.joints, model.rest.bones, model.look
    size, girth = model.build.stature / 1.75, model.build.girth
    hips, waist, top = joints["spine_base"], joints["spine_mid"], joints["spine_shoulder"]
    chest_origin, chest = bones["chest"]
    across, up, back = chest.T
    forward = -back
    belly = waist + 0.03 * girth * forward
    blobs = [
        Blob("pelvis", hips - 0.035 * up, waist, 0.122 * girth, 0.108 * girth, across, 1.42),
        Blob("waist", belly, chest_origin, 0.108 * girth, 0.112 * girth, across, 1.30),
        Blob("chest", chest_origin, top - 0.10 * up, 0.116 * girth, 0.108 * girth**0.5, across, 1.36),
        Blob("chest", top - 0.10 * up, top - 0.035 * up, 0.10 * size, 0.07 * size, across, 1.5),
    ]
    for side, out in (("left", 1.0), ("right", -1.0)):
        shoulder = joints[f"{side}_shoulder"]
        blobs.append(Blob("chest", top - 0.015 * up, 0.85 * shoulder + 0.15 * top, 0.058 * size, 0.052 * size))
        swell = chest_origin + 0.5 * (top - chest_origin) + (0.075 * out) * across
        depth = 0.045 + 0.03 * look.bust
        radius = 0.065 + 0.012 * look.bust
        blobs.append(Blob("chest", swell + depth * forward, swell + (depth - 0.01) * forward, radius, radius))
    return blobs


def skin(model: BodyModel) -> Part:
    blobs = neck(model)
    for side in SIDES:
        blobs += arm(model, side)
    return model.part("skin", blobs, 0.02, 0.0155, model.look.skin, model.look.skin_gray)


def hand(model: BodyModel, side: str) -> Part:
    size = model.build.hand

    def at(*place: float) -> Floats:
        return model.rest.hand_point(side, size * np.asarray(place, np.float32))

    blobs = [
        Blob(f"{side}_hand", at(-0.01, 0.002, 0), at(0.04, 0.008, 0), 0.021, 0.019),
        Blob(f"{side}_hand", at(0.0, -0.012, 0), at(0.07, -0.026, 0), 0.016, 0.011),
        Blob(f"{side}_hand", at(0.01, 0.01, 0), at(0.08, 0.022, 0), 0.016, 0.011),
        Blob(f"{side}_hand", at(0.02, 0, 0), at(0.084, 0.0, 0), 0.015, 0.011),
        Blob(f"{side}_thumb", at(0.022, 0.024, 0.006), at(0.055, 0.046, 0.018), 0.014, 0.0115),
    ]
    knuckle, fingers = model.rest.bones[f"{side}_fingers"]
    _, tips = model.rest.bones[f"{side}_tips"]
    _, thumb = model.rest.bones[f"{side}_thumb"]
    blobs.append(
        Blob(
            f"{side}_thumb",
            at(0.055, 0.046, 0.018),
            at(0.055, 0.046, 0.018) + 0.034 * size * thumb[:, 0],
            0.0105,
            0.009,
        )
    )
    for across, length in ((0.026, 0.92), (0.007, 1.0), (-0.012, 0.94), (-0.031, 0.76)):
        root = knuckle + size * across * fingers[:, 1]
        joint = root + 0.045 * size * length * fingers[:, 0]
        blobs.append(Blob(f"{side}_fingers", root, joint, 0.0098, 0.0088))
        blobs.append(Blob(f"{side}_tips", joint, joint + 0.042 * size * length * tips[:, 0], 0.0086, 0.0072))
    return model.part("hand", blobs, 0.006, 0.0078, model.look.skin, model.look.skin_gray * 0.97)


def head(model: BodyModel) -> Part:
    blobs = [
        model.on_head((0, 0.048, 0.022), (0, 0.05, -0.018), 0.080, 0.078, 0.96),
        model.on_head((0, 0.02, -0.040), (0, -0.035, -0.042), 0.060, 0.053, 1.05),
        model.on_head((0, 0.047, -0.074), (0, 0.047, -0.076), 0.021, 0.021, 2.0),  # brow
        model.on_head((0, 0.020, -0.094), (0, -0.010, -0.110), 0.008, 0.0125),  # nose
        model.on_head((0, -0.049, -0.088), (0, -0.049, -0.089), 0.0135, 0.0135, 1.7),  # lips
        model.on_head((0, -0.082, -0.078), (0, -0.084, -0.080), 0.019, 0.019, 1.25),  # chin
    ]
    for out in (1.0, -1.0):
        blobs += [
            model.on_head((0.047 * out, -0.035, -0.012), (0.018 * out, -0.078, -0.070), 0.022, 0.021),  # jaw
            model.on_head((0.043 * out, 0.004, -0.066), (0.040 * out, 0.002, -0.068), 0.021, 0.021),  # cheek
            model.on_head((0.011 * out, -0.015, -0.104), (0.011 * out, -0.014, -0.103), 0.0085, 0.0085),
            model.on_head((0.076 * out, -0.012, 0.004), (0.080 * out, 0.022, 0.010), 0.010, 0.013, 0.8),
        ]
    socket = [
        model.on_head((0.032 * o, 0.030, -0.106), (0.034 * o, 0.030, -0.106), 0.0175, 0.0175, 1.2) for o in (1.0, -1.0)
    ]
    ball = [
        model.on_head((0.032 * o, 0.030, -0.0795), (0.0321 * o, 0.030, -0.0795), 0.0128, 0.0128) for o in (1.0, -1.0)
    ]

    def cut(points: Floats, value: Floats) -> Floats:
        for hollow in socket:
            value = carve(value, hollow.distance(points), 0.012)
        for eye in ball:
            value = np.minimum(value, eye.distance(points))
        return value

    return model.part("head", blobs, 0.014, 0.0085, model.look.skin, model.look.skin_gray, cut)


def hair(model: BodyModel) -> list[Part]:
    if model.look.hair_style == "none":
        return []
    blobs = [model.on_head((0, 0.054, 0.026), (0, 0.058, -0.014), 0.092, 0.086, 0.97)]
    face = model.on_head((0, 0.022, -0.110), (0, -0.08, -0.085), 0.066, 0.078, 1.0)
    low = -0.025
    if model.look.hair_style == "long":
        low = -0.30
        for out in (1.0, -1.0):
            blobs.append(model.on_head((0.07 * out, 0.03, 0.0), (0.075 * out, -0.14, 0.01), 0.028, 0.03))
            blobs.append(model.on_head((0.03 * out, 0.02, 0.06), (0.05 * out, -0.16, 0.05), 0.05, 0.045))
    below = model.rest.head_point([0, low, 0]), model.rest.bones["head"][1][:, 1]
    waves = np.random.default_rng(model.look.seed + 2).uniform(60, 160, (5, 3)).astype(np.float32)

    def cut(points: Floats, value: Floats) -> Floats:
        value = value + 0.003 * np.sin(points @ waves.T).mean(axis=1)
        value = np.maximum(value, -face.distance(points))
        return np.maximum(value, (below[0] - points) @ below[1])

    part = model.part("hair", blobs, 0.02, 0.0115, model.look.hair, model.look.hair_gray, cut)
    # Strands: lighter and darker streaks that run from the crown downwards.
    local = (part.mesh.points - model.rest.bones["head"][0]) @ model.rest.bones["head"][1]
    angle = np.arctan2(local[:, 0], local[:, 2] - 0.02)
    streak = 1 + 0.35 * np.sin(23 * angle + 3 * np.sin(7 * angle)) * np.sin(11 * angle + 40 * local[:, 1])
    shape = part.mesh
    streaked = replace(shape, colours=shape.colours * streak[:, None], gray=shape.gray * streak)
    return [replace(part, mesh=streaked)]
