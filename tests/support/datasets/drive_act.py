"""Small files in the form of Drive&Act."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.drive_act_files import HEADER, JOINTS

RUN = "vp1/run1b_2018-05-29-14-02-47.ids_1"


def write_skeletons(folder: Path, frames: list[int], run: str = RUN) -> np.ndarray:
    """Returns the joints (n, 26, 4) written."""
    joints = np.random.default_rng(0).uniform(0.1, 1, (len(frames), 26, 4)).round(4)
    path = folder / "openpose_3d" / f"{run}.openpose.3d.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    header = ["frame_id", "timestamp"] + [f"{joint}_{axis}" for joint in JOINTS for axis in "xyzp"]
    rows = [
        [str(frame), str(1527595367.5 + frame / 30), *(str(number) for number in row.ravel())]
        for frame, row in zip(frames, joints, strict=True)
    ]
    path.write_text("\n".join(",".join(row) for row in [header, *rows]) + "\n")
    return joints


def write_labels(
    folder: Path, rows: list[str], name: str = "midlevel.chunks_90.split_0.test.csv", header: str = HEADER
):
    path = folder / "activities_3s" / "inner_mirror" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")
    return path
