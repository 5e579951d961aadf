"""What was seen in a drive, and its file: an array of numbers in NumPy's .npy form, which holds no code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_c2vl.face.eyes import Eye
from edge_c2vl.face.head_pose import HeadPose
from edge_c2vl.face.tracker import Face
from edge_c2vl.skeletons.evidence import Evidence
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.atomic import whole_file

EYE = [("quality", "f8"), ("gap_mm", "f8"), ("gaze", "f8", 3), ("frontal", "f8")]
HEAD = [("rotation", "f8", (3, 3)), ("position", "f8", 3), ("px_per_m", "f8"), ("error", "f8")]
FACE = [("presence", "f8"), ("head", HEAD), ("left", EYE), ("right", EYE), ("mouth_mm", "f8")]
EVIDENCE = [("presence", "f8"), ("visibility", "f4", 33), ("points", "f8", (33, 2))]
# has_...: whether there is one; its numbers are 0 where there is none.
LOOK = np.dtype(
    [
        ("time_s", "f8"),
        ("size", "i4", 3),
        ("looked", "?"),
        ("has_landmarks", "?"),
        ("landmarks", "f4", (33, 4)),
        ("has_evidence", "?"),
        ("evidence", EVIDENCE),
        ("has_face", "?"),
        ("face", FACE),
    ]
)


@dataclass(frozen=True)
class Look:
    """What there is in a picture. looked: whether the face was looked for; its points are left out."""

    size: tuple[int, ...]
    landmarks: Array | None
    evidence: Evidence | None
    looked: bool = False
    face: Face | None = None


Drive = dict[float, Look]
"""By the picture's time, which rises."""


def write_drive(path: Path, drive: Drive) -> None:
    rows = np.zeros(len(drive), LOOK)
    for row, (time_s, look) in zip(rows, drive.items(), strict=True):
        row["time_s"], row["size"], row["looked"] = time_s, look.size, look.looked
        for name in ("landmarks", "evidence", "face"):
            if (value := getattr(look, name)) is not None:
                row[f"has_{name}"] = True
                row[name] = value if name == "landmarks" else _numbers(value, LOOK[name])
    with whole_file(path) as part, part.open("wb") as file:
        np.save(file, rows, allow_pickle=False)


def read_drive(path: Path) -> Drive:
    """Raises ValueError where the file is none of write_drive's."""
    rows = np.load(path, allow_pickle=False)
    if rows.dtype != LOOK:
        raise ValueError(f"{path} holds no drive of this version: delete it, and it is made again")
    return {float(row["time_s"]): _look(row) for row in rows}


def _numbers(value: Any, form: np.dtype[Any]) -> tuple[Any, ...]:
    """The fields of this form, those within it too."""
    parts = ((getattr(value, name), form[name]) for name in form.names or ())
    return tuple(_numbers(part, inner) if inner.names else part for part, inner in parts)


def _look(row: Any) -> Look:
    evidence, face = row["evidence"], row["face"]
    return Look(
        tuple(int(length) for length in row["size"]),
        row["landmarks"].copy() if row["has_landmarks"] else None,
        Evidence(float(evidence["presence"]), evidence["visibility"].copy(), evidence["points"].copy())
        if row["has_evidence"]
        else None,
        bool(row["looked"]),
        _face(face) if row["has_face"] else None,
    )


def _face(row: Any) -> Face:
    head = row["head"]
    pose = HeadPose(head["rotation"].copy(), head["position"].copy(), float(head["px_per_m"]), float(head["error"]))
    eyes = [
        Eye(float(eye["quality"]), float(eye["gap_mm"]), eye["gaze"].copy(), float(eye["frontal"]))
        for eye in (row["left"], row["right"])
    ]
    return Face(float(row["presence"]), np.empty((0, 3)), pose, *eyes, float(row["mouth_mm"]))
