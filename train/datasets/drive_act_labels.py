"""Drive&Act's labels: chunks of at most three seconds, and the splits that they belong to."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.atomic import files_below
from train.datasets.source import MAX_FRAMES, LeftOut, Recording, read_lines

FPS = 30.0  # the infrared cameras'
LEVELS = ("midlevel", "tasklevel", "objectlevel")
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
_LABEL_FILE = re.compile(r"(\w+)\.chunks_90(?:\.split_(\d)\.(train|val|test))?(?:\.\w+)?\.csv")
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
