"""Drive&Act (Martin et al., ICCV 2019): 15 drivers doing 34 mid-level activities in a driving simulator.

    openpose_3d/vpN/<run>.ids_1.openpose.3d.csv
        frame_id, timestamp, then x y z in metres and p, the confidence, of 26 joints; z points away from the inner
        mirror's camera (ids_1) and y down, as OpenCV has it
    activities_3s/inner_mirror/<level>.chunks_90[.split_S.PART].csv
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
from edge_c2vl.skeleton import DRIVEACT26, Array, to_ntu25
from train.datasets.source import MAX_FRAMES, Options, Recording, Source, numbers, read_lines

FPS = 30.0  # the infrared cameras'
LEVELS = ("midlevel", "tasklevel", "objectlevel")
# The joints of driveact26 as the files call them, in their order.
# fmt: off
_JOINTS = (
    "nose", "lElbow", "lWrist", "rHeel", "rHip", "rSmallToe", "neck", "lSmallToe", "rWrist", "rAnkle", "lHip", "lHeel",
    "lKnee", "lEye", "midHip", "background", "lEar", "rElbow", "rShoulder", "rKnee", "lShoulder", "lBigToe", "rEye",
    "rEar", "rBigToe", "lAnkle",
)
# fmt: on
_LABEL_FILE = re.compile(r"(\w+)\.chunks_90(?:\.split_(\d)\.(train|val|test))?(?:\.\w+)?\.csv")
_SKELETON_FILE = re.compile(r"(.+)\.openpose\.3d\.csv")
_COLUMNS = ("participant_id", "file_id", "annotation_id", "frame_start", "frame_end", "chunk_id")
_MAX_CHUNK = 3_000  # frames; chunks have at most 90


@dataclass
class Chunk:
    """A labelled stretch of frames [start, end) of one run; `splits`: split_0 -> train, val or test."""

    participant: int
    file_id: str
    annotation: int
    chunk: int
    start: int
    end: int
    activity: str
    splits: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.file_id}/{self.annotation:04d}-{self.chunk:02d}"


def open_source(folder: Path, options: Options) -> Source:
    """`folder` holds openpose_3d and activities_3s, at any depth. Raises DatasetError, UsageError."""
    if options.level not in LEVELS:
        raise UsageError(f"no level {options.level} in Drive&Act: there are {', '.join(LEVELS)}")
    skeletons = {
        f"{path.parent.name}/{match[1]}": path
        for path in folder.rglob("*.openpose.3d.csv")
        if (match := _SKELETON_FILE.fullmatch(path.name))
    }
    if not skeletons:
        raise DatasetError(f"no Drive&Act skeleton in {folder}: expected openpose_3d/vp1/<run>.ids_1.openpose.3d.csv")
    chunks = _chunks(folder, options.level, cameras={camera_of(file_id) for file_id in skeletons})
    labels = sorted({chunk.activity for chunk in chunks})
    runs: dict[str, list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        runs[chunk.file_id].append(chunk)
    items = [(file_id, skeletons.get(file_id), runs[file_id]) for file_id in sorted(runs)]
    return Source(
        labels=labels,
        source=f"Drive&Act {options.level} (https://driveandact.com)",
        licence="CC BY-NC-SA 4.0",
        source_layout=DRIVEACT26.name,
        dimensions=3,
        items=items,
        read=partial(read, labels=labels),
        count=len(items),
    )


def camera_of(file_id: str) -> str:
    """ "vp1/run1b_2018-05-29-14-02-47.ids_1" -> "ids_1\""""
    return file_id.rpartition(".")[2]


def _chunks(folder: Path, level: str, cameras: set[str]) -> list[Chunk]:
    """The chunks of all label files of a level and of these cameras, each once, with the splits it belongs to."""
    found: dict[str, Chunk] = {}
    others = set()
    for path in sorted(folder.rglob(f"{level}.chunks_90*.csv")):
        match = _LABEL_FILE.fullmatch(path.name)
        if match is None or match[1] != level:
            continue
        for chunk in read_labels(path):
            if camera_of(chunk.file_id) not in cameras:
                others.add(camera_of(chunk.file_id))
                continue
            kept = found.setdefault(chunk.name, chunk)
            if (kept.start, kept.end, kept.activity) != (chunk.start, chunk.end, chunk.activity):
                raise DatasetError(f"{path} says otherwise about {chunk.name} than another label file")
            if match[2]:
                kept.splits[f"split_{match[2]}"] = match[3]
    if not found:
        where = f"; those there number the frames of {', '.join(sorted(others))}" if others else ""
        raise DatasetError(
            f"no {level} labels for the skeletons' camera ({', '.join(sorted(cameras))}) in {folder}{where}: "
            "put activities_3s/inner_mirror there"
        )
    return list(found.values())


def read_labels(path: Path) -> list[Chunk]:
    """The rows of a label file. At objectlevel the activity is "activity object location". Raises DatasetError."""
    rows = csv.DictReader(read_lines(path), strict=True)
    try:
        header = rows.fieldnames or []
        parts = [name for name in ("activity", "object", "location") if name in header]
        missing = [name for name in _COLUMNS if name not in header] + ([] if "activity" in header else ["activity"])
        if missing:
            raise DatasetError(f"{path} lacks the columns {', '.join(missing)}")
        chunks = []
        for row in rows:
            numbers = {name: int(row[name]) for name in _COLUMNS if name != "file_id"}
            chunk = Chunk(
                participant=numbers["participant_id"],
                file_id=row["file_id"].strip(),
                annotation=numbers["annotation_id"],
                chunk=numbers["chunk_id"],
                start=numbers["frame_start"],
                end=numbers["frame_end"],
                activity=" ".join(row[name].strip() for name in parts),
            )
            if not 0 <= chunk.start < chunk.end <= MAX_FRAMES or chunk.end - chunk.start > _MAX_CHUNK:
                raise DatasetError(f"{path}, line {rows.line_num}: frames {chunk.start} to {chunk.end}")
            chunks.append(chunk)
    except (csv.Error, ValueError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path}, line {rows.line_num}: {error}") from None
    return chunks


def read(item: tuple[str, Path | None, list[Chunk]], labels: list[str]) -> list[Recording]:
    """A run's chunks. Frames that the skeleton file leaves out are missing. Raises DatasetError."""
    file_id, path, chunks = item
    if path is None:
        raise DatasetError(f"{file_id} is labelled, but has no skeleton file {file_id}.openpose.3d.csv")
    frames, joints = read_skeletons(path)
    recordings = []
    for chunk in chunks:
        first, last = np.searchsorted(frames, (chunk.start, chunk.end))
        sequence = np.zeros((chunk.end - chunk.start, DRIVEACT26.size, 4), np.float32)
        sequence[frames[first:last] - chunk.start] = joints[first:last]
        recordings.append(
            Recording(
                name=chunk.name,
                sequence=to_ntu25(sequence, DRIVEACT26),
                fps=FPS,
                label=labels.index(chunk.activity),
                subject=f"vp{chunk.participant}",
                camera="inner_mirror" if camera_of(file_id) == "ids_1" else camera_of(file_id),
                group=f"{file_id}/{chunk.annotation:04d}",
                columns=dict(chunk.splits),
            )
        )
    return recordings


def read_skeletons(path: Path) -> tuple[NDArray[np.int64], Array]:
    """Frame numbers (n,), rising, and driveact26 joints (n, 26, 4), y up. Raises DatasetError."""
    lines = read_lines(path)
    header = [name.strip() for name in lines[0].split(",")] if lines else []
    wanted = ["frame_id"] + [f"{joint}_{axis}" for joint in _JOINTS for axis in "xyzp"]
    missing = [name for name in wanted if name not in header]
    if missing:
        raise DatasetError(f"{path} lacks {len(missing)} columns of 105, {missing[0]} first")
    values = numbers(lines[1:], [header.index(name) for name in wanted], str(path), delimiter=",")
    if not ((values[:, 0] >= 0) & (values[:, 0] < MAX_FRAMES)).all():
        raise DatasetError(f"{path} has a frame_id that is out of range")
    frames, first = np.unique(values[:, 0].astype(np.int64), return_index=True)
    joints = values[first, 1:].reshape(-1, DRIVEACT26.size, 4)
    joints[..., 1] *= -1
    return frames, joints
