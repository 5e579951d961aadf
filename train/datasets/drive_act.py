"""Drive&Act (Martin et al., ICCV 2019): 15 drivers doing 34 mid-level activities in a driving simulator.

    openpose_3d/vpN/<run>.ids_1.openpose.3d.csv
        frame_id, timestamp, then x y z in metres and p, the confidence, of 26 joints; z points away from the inner
        mirror's camera (ids_1) and y down, as OpenCV has it
    <camera>/vpN/<run>.<suffix>.mp4
        what the camera saw (drive_act_pose.py)
    activities_3s/<camera>/<level>.chunks_90[.split_S.PART].csv
        participant_id, file_id, annotation_id, frame_start, frame_end (exclusive), activity, chunk_id

Clips are the labels' chunks of at most three seconds. Frames are looked up by frame_id. Each camera numbers its frames
itself: labels of another camera are refused, because they would cut the skeletons in wrong places.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import DatasetError, UsageError
from edge_c2vl.skeletons.skeleton import DRIVEACT26, Array, to_ntu25
from edge_c2vl.utils.atomic import files_below
from train.datasets.drive_act_labels import (
    CAMERAS,
    FPS,
    LEVELS,
    SKELETON_CAMERA,
    Chunk,
    by_run,
    chunks_of,
    labels_of,
    licence_of,
    source_name,
)
from train.datasets.source import MAX_FRAMES, LeftOut, Options, Recording, Source, numbers, read_lines

INPUTS = ("skeleton", "pose")
# The joints of driveact26 as the files call them, in their order.
# fmt: off
JOINTS = (
    "nose", "lElbow", "lWrist", "rHeel", "rHip", "rSmallToe", "neck", "lSmallToe", "rWrist", "rAnkle", "lHip", "lHeel",
    "lKnee", "lEye", "midHip", "background", "lEar", "rElbow", "rShoulder", "rKnee", "lShoulder", "lBigToe", "rEye",
    "rEar", "rBigToe", "lAnkle",
)
# fmt: on
_SKELETON_FILE = re.compile(r"(.+)\.openpose\.3d\.csv")


def open_source(folder: Path, options: Options) -> Source:
    """`folder` holds openpose_3d (or a camera's videos) and activities_3s, at any depth. Raises DatasetError,
    UsageError."""
    if options.level not in LEVELS:
        raise UsageError(f"no level {options.level} in Drive&Act: there are {', '.join(LEVELS)}")
    if options.camera not in CAMERAS:
        raise UsageError(f"no camera {options.camera} in Drive&Act: there are {', '.join(CAMERAS)}")
    if options.input == "pose":
        from train.datasets.drive_act_pose import open_pose_source

        return open_pose_source(folder, options)
    if options.input != "skeleton":
        raise UsageError(f"no input {options.input} in Drive&Act: there are {', '.join(INPUTS)}")
    if options.camera != SKELETON_CAMERA:
        raise UsageError(
            f"openpose_3d numbers the frames of {SKELETON_CAMERA}, not of {options.camera}: choose --input pose"
        )
    skeletons = {
        f"{path.parent.name}/{match[1]}": path
        for path in files_below(folder, "*.openpose.3d.csv")
        if (match := _SKELETON_FILE.fullmatch(path.name))
    }
    if not skeletons:
        raise DatasetError(f"no Drive&Act skeleton in {folder}: expected openpose_3d/vp1/<run>.ids_1.openpose.3d.csv")
    chunks, broken = chunks_of(folder, options.level, SKELETON_CAMERA)
    labels = labels_of(chunks)
    items = [(file_id, skeletons.get(file_id), own) for file_id, own in by_run(chunks).items()]
    return Source(
        labels=labels,
        source=source_name(folder, f"{options.level}, openpose_3d"),
        licence=licence_of(folder),
        source_layout=DRIVEACT26.name,
        dimensions=3,
        items=items,
        read=partial(read, labels=labels),
        left_out=broken,
    )


def read(item: tuple[str, Path | None, list[Chunk]], labels: list[str]) -> list[Recording | LeftOut]:
    """A run's chunks. Frames that the skeleton file leaves out are missing. Raises DatasetError."""
    file_id, path, chunks = item
    if path is None:
        raise DatasetError(f"{chunks[0].where}: {file_id} has no skeleton file {file_id}.openpose.3d.csv")
    frames, joints = read_skeletons(path)
    recordings: list[Recording | LeftOut] = []
    for chunk in chunks:
        first, last = np.searchsorted(frames, (chunk.start, chunk.end))
        if first == last:
            recordings.append(LeftOut(f"{chunk.where}: {chunk.name} shows nobody", "nobody"))
            continue
        sequence = np.zeros((chunk.end - chunk.start, DRIVEACT26.size, 4), np.float32)
        sequence[frames[first:last] - chunk.start] = joints[first:last]
        recordings.append(chunk.recording(to_ntu25(sequence, DRIVEACT26), labels, SKELETON_CAMERA, FPS))
    return recordings


def read_skeletons(path: Path) -> tuple[NDArray[np.int64], Array]:
    """Frame numbers (n,), rising, and driveact26 joints (n, 26, 4), y up. Raises DatasetError."""
    lines = read_lines(path)
    if not lines:
        raise DatasetError(f"{path}, line 1: no header, the skeleton file is empty; copy it again")
    header = [name.strip() for name in lines[0].split(",")]
    wanted = ["frame_id"] + [f"{joint}_{axis}" for joint in JOINTS for axis in "xyzp"]
    missing = [name for name in wanted if name not in header]
    if missing:
        raise DatasetError(f"{path}, line 1 lacks {len(missing)} columns of 105, {missing[0]} first")
    if len(lines) < 2:
        raise DatasetError(f"{path}, line 2: no frame, the skeleton file is empty; copy it again")
    values = numbers(lines[1:], [header.index(name) for name in wanted], str(path), delimiter=",")
    if not ((values[:, 0] >= 0) & (values[:, 0] < MAX_FRAMES)).all():
        raise DatasetError(f"{path} has a frame_id that is out of range")
    frames, first = np.unique(values[:, 0].astype(np.int64), return_index=True)
    joints = values[first, 1:].reshape(-1, DRIVEACT26.size, 4)
    joints[..., 1] *= -1
    return frames, joints
