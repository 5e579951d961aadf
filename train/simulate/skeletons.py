"""openpose_3d: joints as Drive&Act's authors triangulated them, with what such poses lack and get wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_c2vl.simulated.body import solve
from edge_c2vl.simulated.cameras import VIEWS
from edge_c2vl.simulated.motion import Motion
from edge_c2vl.skeletons.skeleton import DRIVEACT26, Array
from train.datasets.drive_act import JOINTS

# What a wheel, a lap and a dashboard hide from all of the cameras: p is always 0, as in Drive&Act.
HIDDEN = ("knee", "ankle", "heel", "foot", "small_toe", "background")
_LEFT_EAR_SEEN = 0.08
_NOISE_M = 0.008
_LOST_JOINT, _LOST_POSE, _LOST_ROW = 0.02, 0.01, 0.005


def joints(motion: Motion, times_s: list[float], random: np.random.Generator) -> Array:
    """(T, 26, 4): x, y, z in metres and p. x to the right, y down, z away from the inner mirror's camera (ids_1)."""
    view = VIEWS["inner_mirror"]
    result = np.zeros((len(times_s), DRIVEACT26.size, 4), np.float32)
    seen = [index for index, name in enumerate(DRIVEACT26.joints) if not name.endswith(HIDDEN)]
    for number, time_s in enumerate(times_s):
        moment = motion.at(time_s)
        # Nobody was found outside of the car.
        if np.linalg.norm(moment.posture.root) > 0.35 or random.random() < _LOST_POSE:
            continue
        skeleton = solve(motion.driver.build, moment.posture)
        places = np.stack([skeleton.joints[DRIVEACT26.joints[index]] for index in seen])
        result[number, seen, :3] = view.to_camera(places) * np.array([1, -1, 1], np.float32)
    present = result.any(axis=2) & (random.random(result.shape[:2]) >= _LOST_JOINT)
    present[:, DRIVEACT26.index("left_ear")] &= random.random(len(result)) < _LEFT_EAR_SEEN
    result[..., :3] += random.normal(0, _NOISE_M, (*result.shape[:2], 3))
    result[..., 3] = random.normal(0.8, 0.08, result.shape[:2]).clip(0.1, 1)
    hips = [DRIVEACT26.index(name) for name in ("left_hip", "right_hip", "spine_base")]
    result[:, hips, 3] *= 0.7
    result[~present] = 0
    return result


def write(path: Path, values: Array, times_s: list[float], random: np.random.Generator) -> None:
    """One row a frame, but for a few that are left out: rows are to be found by frame_id, not by their place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = ["frame_id", "timestamp", *(f"{joint}_{axis}" for joint in JOINTS for axis in "xyzp")]
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(header) + "\n")
        for number in np.flatnonzero(random.random(len(values)) >= _LOST_ROW):
            numbers = ",".join(f"{value:.5g}" for value in values[number].ravel())
            file.write(f"{number},{times_s[number]:.4f},{numbers}\n")
