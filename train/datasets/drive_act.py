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

import csv
import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import DatasetError, UsageError
from edge_c2vl.folders import files_below
from edge_c2vl.skeleton import DRIVEACT26, Array, to_ntu25
from train.datasets.source import MAX_FRAMES, LeftOut, Options, Recording, Source, numbers, read_lines

FPS = 30.0  # the infrared cameras'
LEVELS = ("midlevel", "tasklevel", "objectlevel")
INPUTS = ("skeleton", "pose")
# A camera's folder and the suffix by which its files are named.
CAMERAS = {
    "inner_mirror": "ids_1",
    "a_column_co_driver": "ids_2",
    "ceiling": "ids_3",
    "steering_wheel": "ids_4",
    "a_column_driver": "ids_5",
    "kinect_color": "kinect_color",
    "kinect_ir": "kinect_ir",
    "kinect_depth": "kinect_depth",
}
SKELETON_CAMERA = "inner_mirror"  # whose frames openpose_3d numbers
SIMULATED = "SIMULATED.txt"  # lies in what edge-c2vl simulate wrote: nobody shall take it for the data set
# The joints of driveact26 as the files call them, in their order.
# fmt: off
JOINTS = (
    "nose", "lElbow", "lWrist", "rHeel", "rHip", "rSmallToe", "neck", "lSmallToe", "rWrist", "rAnkle", "lHip", "lHeel",
    "lKnee", "lEye", "midHip", "background", "lEar", "rElbow", "rShoulder", "rKnee", "lShoulder", "lBigToe", "rEye",
    "rEar", "rBigToe", "lAnkle",
)
# fmt: on
_LABEL_FILE = re.compile(r"(\w+)\.chunks_90(?:\.split_(\d)\.(train|val|test))?(?:\.\w+)?\.csv")
_SKELETON_FILE = re.compile(r"(.+)\.openpose\.3d\.csv")
_COLUMNS = ("participant_id", "file_id", "annotation_id", "frame_start", "frame_end", "chunk_id")
# What a label consists of; the last two at objectlevel only.
PARTS = ("activity", "object", "location")
_MAX_CHUNK = 300  # frames; chunks have at most 90


@dataclass
class Chunk:
    """A labelled stretch of frames [start, end) of one run. parts: the activity, and at objectlevel the object and the
    location. splits: split_0 -> train, val or test. where: the file and line that say so."""

    participant: int
    file_id: str
    annotation: int
    chunk: int
    start: int
    end: int
    parts: tuple[str, ...]
    where: str
    splits: dict[str, str] = field(default_factory=dict)

    @property
    def activity(self) -> str:
        """The label's name."""
        return " ".join(self.parts)

    @property
    def name(self) -> str:
        return f"{self.file_id}/{self.annotation:04d}-{self.chunk:02d}"

    def recording(self, sequence: Array, labels: list[str], camera: str, fps: float) -> Recording:
        """The archive's row of this chunk. sequence: ntu25 (T, 25, 4)."""
        parts = dict(zip(("action", *PARTS[1:]), self.parts, strict=False)) if len(self.parts) > 1 else {}
        return Recording(
            name=self.name,
            sequence=sequence,
            fps=fps,
            label=labels.index(self.activity) if self.activity in labels else -1,
            subject=f"vp{self.participant}",
            camera=camera,
            group=f"{self.file_id}/{self.annotation:04d}",
            columns={"where": self.where, **self.splits, **parts},
        )


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
        count=len(items),
        left_out=broken,
    )


def camera_of(file_id: str) -> str:
    """ "vp1/run1b_2018-05-29-14-02-47.ids_1" -> "ids_1\""""
    return file_id.rpartition(".")[2]


def is_simulated(folder: Path) -> bool:
    return bool(files_below(folder, SIMULATED))


def source_name(folder: Path, what: str) -> str:
    """Where the archive's rows come from, in words."""
    return f"SIMULATED drivers, {what}" if is_simulated(folder) else f"Drive&Act {what} (https://driveandact.com)"


def licence_of(folder: Path) -> str:
    return "none: simulated" if is_simulated(folder) else "CC BY-NC-SA 4.0"


def by_run(chunks: list[Chunk]) -> dict[str, list[Chunk]]:
    """The chunks of each run (file_id), runs by name."""
    runs: dict[str, list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        runs[chunk.file_id].append(chunk)
    return {file_id: runs[file_id] for file_id in sorted(runs)}


def labels_of(chunks: list[Chunk]) -> list[str]:
    """The class names: activities that a split has. The label files of all chunks know more, such as
    standing_by_the_door, which the protocol leaves out."""
    within = [chunk for chunk in chunks if chunk.splits] or chunks
    return sorted({chunk.activity for chunk in within})


def chunks_of(folder: Path, level: str, camera: str) -> tuple[list[Chunk], list[LeftOut]]:
    """The chunks of all label files of a level and a camera, each once, with the splits it belongs to; and the rows
    that are broken. Raises DatasetError."""
    found: dict[str, Chunk] = {}
    broken: list[LeftOut] = []
    others = set()
    suffix = CAMERAS[camera]
    for path in files_below(folder, f"{level}.chunks_90*.csv"):
        match, place = _LABEL_FILE.fullmatch(path.name), path.parent.name
        if match is None or match[1] != level or (place in CAMERAS and place != camera):
            continue
        for chunk in read_labels(path):
            if isinstance(chunk, LeftOut):
                broken.append(chunk)
                continue
            if camera_of(chunk.file_id) != suffix:
                if place == camera:
                    raise DatasetError(
                        f"{chunk.where} lies among the labels of {camera}, but those there number the frames of "
                        f"{camera_of(chunk.file_id)}: each camera numbers its frames itself"
                    )
                others.add(camera_of(chunk.file_id))
                continue
            kept = found.setdefault(chunk.name, chunk)
            if (kept.start, kept.end, kept.parts) != (chunk.start, chunk.end, chunk.parts):
                raise DatasetError(f"{chunk.where} says otherwise about {chunk.name} than {kept.where}")
            if match[2]:
                kept.splits[f"split_{match[2]}"] = match[3]
    if not found:
        where = f"; those there number the frames of {', '.join(sorted(others))}" if others else ""
        raise DatasetError(f"no {level} labels of {camera} in {folder}{where}: put activities_3s/{camera} there")
    return list(found.values()), broken


def read_labels(path: Path) -> list[Chunk | LeftOut]:
    """The rows of a label file; in place of one that is broken, what is wrong with it. At objectlevel the activity is
    "activity object location". Raises DatasetError where columns are missing or the file is no CSV."""
    rows = csv.DictReader(read_lines(path), strict=True)
    try:
        header = rows.fieldnames or []
        parts = [name for name in PARTS if name in header]
        missing = [name for name in _COLUMNS if name not in header] + ([] if "activity" in header else ["activity"])
        if missing:
            raise DatasetError(f"{path}, line 1 lacks the columns {', '.join(missing)}")
        return [_chunk(row, parts, f"{path}, line {rows.line_num}") for row in rows]
    except csv.Error as error:
        raise DatasetError(f"{path}, line {rows.line_num + 1}: {error}") from None


def _chunk(row: dict[str, str], parts: list[str], where: str) -> Chunk | LeftOut:
    try:
        numbers = {name: int(row[name]) for name in _COLUMNS if name != "file_id"}
        chunk = Chunk(
            participant=numbers["participant_id"],
            file_id=row["file_id"].strip(),
            annotation=numbers["annotation_id"],
            chunk=numbers["chunk_id"],
            start=numbers["frame_start"],
            end=numbers["frame_end"],
            parts=tuple(row[name].strip() for name in parts),
            where=where,
        )
    except (ValueError, TypeError, AttributeError) as error:
        return LeftOut(f"{where}: {error}")
    if not chunk.parts[0]:
        return LeftOut(f"{where}: no activity")
    if not 0 <= chunk.start < chunk.end <= MAX_FRAMES or chunk.end - chunk.start > _MAX_CHUNK:
        return LeftOut(f"{where}: frames {chunk.start} to {chunk.end}")
    return chunk


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
