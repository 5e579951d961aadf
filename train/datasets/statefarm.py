"""State Farm Distracted Driver Detection, and AUC Distracted Driver of the same classes, as tables of OpenPose joints.

    StateFarm_c0_skeleton_output.csv ... _c9_...   one row a picture: img, class, Nose_x, Nose_y, Neck_x, ... in pixels
    StateFarm_driver_imgs_list.csv                 subject, classname, img

Joints are OpenPose's COCO-18; -1 stands for one that was not found. A file whose name holds `_c0_` to `_c9_` is a
table; one with columns subject and img tells who drives. Each picture becomes a recording that holds still, as long as
the clips that the vehicle judges by. Pictures of one's own: `edge-c2vl extract`.

The classes carry the names that the simulated drivers' activities have, so that one encoder's labels are those of both.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.skeleton import OPENPOSE25, Array, to_ntu25
from edge_c2vl.utils.atomic import files_below
from train.datasets.source import LeftOut, Options, Recording, Source, read_lines

# c0 to c9: safe driving, texting right, phone right, texting left, phone left, radio, drinking, reaching behind, hair
# and make-up, talking to the passenger.
LABELS = [
    "attentive",
    "interacting_with_phone_right",
    "talking_on_phone_right",
    "interacting_with_phone_left",
    "talking_on_phone_left",
    "using_multimedia_display",
    "eating_or_drinking",
    "reaching_behind",
    "grooming",
    "talking_to_passenger",
]
# A picture is held for so long, at so many frames a second: longer than a clip, without a gap that is left open.
HELD_S, FPS = 3.25, 4.0
WIDTH, HEIGHT = 640, 480
_TABLE = re.compile(r"_c([0-9])_")
_JOINTS = {
    "Nose": "nose", "Neck": "spine_shoulder", "RShoulder": "right_shoulder", "RElbow": "right_elbow",
    "RWrist": "right_wrist", "LShoulder": "left_shoulder", "LElbow": "left_elbow", "LWrist": "left_wrist",
    "RHip": "right_hip", "RKnee": "right_knee", "RAnkle": "right_ankle", "LHip": "left_hip", "LKnee": "left_knee",
    "LAnkle": "left_ankle", "REye": "right_eye", "LEye": "left_eye", "REar": "right_ear", "LEar": "left_ear",
}  # fmt: skip


def open_tables(folder: Path, options: Options, name: str, licence: str) -> Source:  # noqa: ARG001
    """`folder` holds the tables and the list of drivers, at any depth. Raises DatasetError where there is no table."""
    paths = files_below(folder, "*.csv")
    tables = [path for path in paths if _TABLE.search(path.name)]
    if not tables:
        raise DatasetError(f"no table in {folder}: expected files like StateFarm_c0_skeleton_output.csv")
    drivers: dict[str, str] = {}
    for path in paths:
        if path not in tables:
            drivers |= read_drivers(path)
    return Source(
        labels=LABELS,
        source=name,
        licence=licence,
        source_layout=OPENPOSE25.name,
        dimensions=2,
        items=tables,
        read=partial(read, drivers=drivers),
    )


open_statefarm = partial(
    open_tables,
    name="State Farm Distracted Driver Detection (Kaggle, 2016), OpenPose COCO-18",
    licence="the competition's rules: measuring only",
)
open_auc = partial(
    open_tables,
    name="AUC Distracted Driver (Eraqi et al., J. Advanced Transportation 2019), OpenPose COCO-18",
    licence="research use",
)


def read_drivers(path: Path) -> dict[str, str]:
    """Picture -> driver, of a file with columns subject and img; {} of any other file."""
    rows = csv.DictReader(read_lines(path))
    if not {"subject", "img"} <= set(rows.fieldnames or ()):
        return {}
    return {row["img"]: row["subject"] or "" for row in rows if row["img"]}


def read(path: Path, drivers: dict[str, str]) -> list[Recording | LeftOut]:
    """A recording for each picture of a table. Raises DatasetError where the table is broken; a broken row is left
    out by itself."""
    match = _TABLE.search(path.name)
    table = csv.DictReader(read_lines(path))
    wanted = {"img"} | {f"{joint}_{axis}" for joint in _JOINTS for axis in "xy"}
    missing = wanted - set(table.fieldnames or ())
    if match is None or missing:
        raise DatasetError(f"{path} lacks the columns {', '.join(sorted(missing)) or 'of a table'}")
    label = int(match[1])
    return list(_recordings(path, table, label, drivers))


def _recordings(
    path: Path, table: csv.DictReader[str], label: int, drivers: dict[str, str]
) -> Iterator[Recording | LeftOut]:
    for number, row in enumerate(table, 2):
        try:
            frame = _frame(row)
        except (TypeError, ValueError):
            yield LeftOut(f"{path.name}, line {number}: a joint's place is no number")
            continue
        name = f"c{label}/{row['img']}"
        if not frame[:, 3].any():
            yield LeftOut(name, "nobody")
            continue
        yield Recording(
            name=name,
            sequence=np.repeat(to_ntu25(frame[None], OPENPOSE25), round(HELD_S * FPS) + 1, axis=0),
            fps=FPS,
            label=label,
            subject=drivers.get(row["img"], ""),
            camera="passenger",
        )


def _frame(row: dict[str, str]) -> Array:
    """(25, 4) of OpenPose's BODY-25: half picture widths from the middle, y up. Raises ValueError, TypeError."""
    frame = np.zeros((OPENPOSE25.size, 4), np.float32)
    for joint, name in _JOINTS.items():
        x, y = float(row[f"{joint}_x"]), float(row[f"{joint}_y"])
        if not (np.isfinite(x) and np.isfinite(y)):
            raise ValueError(joint)
        if x >= 0 and y >= 0:
            frame[OPENPOSE25.index(name)] = [2 * x / WIDTH - 1, (HEIGHT - 2 * y) / WIDTH, 0, 1]
    hips = [frame[OPENPOSE25.index(f"{side}_hip")] for side in ("left", "right")]
    if hips[0][3] and hips[1][3]:
        frame[OPENPOSE25.index("spine_base")] = (hips[0] + hips[1]) / 2
    return frame
