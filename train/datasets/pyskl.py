"""pyskl's annotation files (Duan et al., 2022): one pickle a data set, such as ntu60_3danno.pkl or ntu60_hrnet.pkl.

    {"split": {"xsub_train": [names], "xsub_val": [names], ...},
     "annotations": [{"frame_dir": name, "label": int, "total_frames": T, "keypoint": (M, T, V, C),
                      "keypoint_score": (M, T, V)}, ...]}

V, C = 25, 3: Kinect v2's joints; 17, 2: COCO's in pixels, with scores. The file is read whole, as a pickle must be.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.skeleton import COCO17, NTU25, Array, to_ntu25
from edge_c2vl.utils.arrays import most_unpacked
from train.datasets import ntu
from train.datasets.action_names import NTU60, NTU120
from train.datasets.safe_pickle import as_array, load
from train.datasets.source import Options, Recording, Source, bodies, from_kinect, only_file

FPS = 30.0  # NTU's; the files do not state it
_MAX_CLASSES = 100_000
_MAX_SPLITS = 100
_SPLIT = re.compile(r"(.*?)_?(train|val|test)(\d*)")


def open_source(path: Path, options: Options) -> Source:  # noqa: ARG001
    """`path`: the .pkl, or a folder that holds one. Raises DatasetError."""
    path = only_file(path, ".pkl")
    values = load(path)
    try:
        annotations = list(values["annotations"])
        whole = [entry for entry in annotations if not _problem(entry)]
        if not whole:
            raise ValueError(_problem(annotations[0]) if annotations else "no annotation")
        layout = _layout(as_array(whole[0]["keypoint"]).shape)
        splits = read_splits(values.get("split", {}))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{path} is no pyskl file: {type(error).__name__}: {error}") from None
    most = most_unpacked(path.stat().st_size)
    # A pickle may name one array any number of times.
    if sum(as_array(entry["keypoint"]).nbytes for entry in whole) > most:
        raise DatasetError(f"{path} would unpack to more than {most} bytes")
    return Source(
        labels=_labels([entry["frame_dir"] for entry in whole], max(entry["label"] for entry in whole) + 1),
        source=f"pyskl {path.name} (https://github.com/kennymckormick/pyskl)",
        licence="of the data set that it was made from",
        source_layout=layout,
        dimensions=3 if layout == NTU25.name else 2,
        items=annotations,
        read=partial(read, splits=splits),
        in_process=True,
    )


def _problem(entry: Any) -> str:
    """What keeps an annotation from being read; empty where nothing does."""
    if not isinstance(entry, dict) or not isinstance(entry.get("frame_dir"), str):
        return "an annotation has no frame_dir"
    if type(entry.get("label")) is not int or not 0 <= entry["label"] < _MAX_CLASSES:
        return f"sample {entry['frame_dir']} has no label from 0 to {_MAX_CLASSES - 1}"
    try:
        as_array(entry.get("keypoint"))
    except ValueError as error:
        return f"sample {entry['frame_dir']} has no keypoint: {error}"
    return ""


def _layout(shape: tuple[int, ...]) -> str:
    if len(shape) == 4 and shape[2:] == (NTU25.size, 3):
        return NTU25.name
    if len(shape) == 4 and shape[2:] in ((COCO17.size, 2), (COCO17.size, 3)):
        return COCO17.name
    raise ValueError(f"keypoints of shape {shape}; (M, T, 25, 3) and (M, T, 17, 2) are known")


def _labels(names: list[str], classes: int) -> list[str]:
    if all(ntu.NAME.fullmatch(name) for name in names) and classes <= len(NTU120):
        return NTU60 if classes <= len(NTU60) else NTU120
    return [str(number) for number in range(classes)]


def read_splits(split: dict[str, list[str]]) -> dict[str, dict[str, str]]:
    """pyskl's split lists -> sample name -> {column: train, val or test}.

    xsub_train, xsub_val -> column xsub. What pyskl calls val is the official test set, unless there is a test list too.
    """
    columns: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for key, names in split.items():
        match = _SPLIT.fullmatch(key) if isinstance(key, str) else None
        if match:
            columns[(match[1] or "split") + match[3]][match[2]] = [name for name in names if isinstance(name, str)]
        if len(columns) > _MAX_SPLITS:
            raise ValueError(f"more than {_MAX_SPLITS} splits")
    result: dict[str, dict[str, str]] = defaultdict(dict)
    for column, parts in columns.items():
        for part, names in parts.items():
            meant = "test" if part == "val" and "test" not in parts else part
            for name in names:
                result[name][column] = meant
    return dict(result)


def read(entry: dict[str, Any], splits: dict[str, dict[str, str]]) -> list[Recording]:
    """The rows of one annotation. Raises DatasetError where it is broken."""
    problem = _problem(entry)
    if problem:
        raise DatasetError(problem)
    name, label = entry["frame_dir"], entry["label"]
    try:
        points = np.asarray(as_array(entry["keypoint"]), np.float32)
        layout = _layout(points.shape)
        scores = entry.get("keypoint_score")
        confidence = None if scores is None else np.asarray(as_array(scores), np.float32)
        if points.shape[1] == 0 or (confidence is not None and confidence.shape != points.shape[:3]):
            raise ValueError(f"label {label}, keypoints {points.shape}; no frame, or scores of another shape")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DatasetError(f"sample {name} is broken: {type(error).__name__}: {error}") from None
    if confidence is None:
        # Where nobody is, all joints are 0; a single joint may well be.
        there = ((points != 0) & np.isfinite(points)).any(axis=(2, 3))
        confidence = np.repeat(there[..., None], points.shape[2], axis=2).astype(np.float32)
    to_sequence = _kinect if layout == NTU25.name else _pixels
    columns: dict[str, str | int | float] = {**splits.get(name, {})}
    known = ntu.NAME.fullmatch(name)
    plain = Recording(
        name=name,
        sequence=np.zeros((0, NTU25.size, 4), np.float32),
        fps=FPS,
        label=label,
        subject=f"P{known[3]}" if known else "",
        camera=f"C{known[2]}" if known else "",
        group=f"S{known[1]}P{known[3]}R{known[4]}A{known[5]}" if known else name,
        columns=columns,
    )
    return bodies(plain, [to_sequence(body, seen) for body, seen in zip(points, confidence, strict=True)])


def _kinect(points: Array, confidence: Array) -> Array:
    return from_kinect(points, confidence, NTU25)


def _pixels(points: Array, confidence: Array) -> Array:
    sequence = np.zeros((*points.shape[:2], 4), np.float32)
    sequence[..., 0], sequence[..., 1], sequence[..., 3] = points[..., 0], -points[..., 1], confidence
    return to_ntu25(sequence, COCO17)
