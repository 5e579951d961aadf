"""Northwestern-UCLA: ten everyday actions by ten people, seen by three Kinects (Wang et al., CVPR 2014).

One JSON file a clip, aNN_sNN_eNN_vNN.json (action, subject, take, view), as CTR-GCN's authors hand them on:

    {"file_name": ..., "skeletons": [T][20][3] in metres, "label": 1 to 10}

Cross-view: trained on views 1 and 2, tested on view 3.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.skeleton import KINECT20
from train.datasets.action_names import NW_UCLA
from train.datasets.source import Options, Recording, Source, from_kinect, named_files

FPS = 30.0  # a Kinect's; the files do not state it
_NAME = re.compile(r"(a\d\d)_(s\d\d)_(e\d\d)_v0([123])")


def open_source(folder: Path, options: Options) -> Source:  # noqa: ARG001
    """`folder` holds the .json files, at any depth. Raises DatasetError where there is none."""
    return Source(
        labels=NW_UCLA,
        source="Northwestern-UCLA Multiview Action 3D (Wang et al., CVPR 2014)",
        licence="research use",
        source_layout=KINECT20.name,
        dimensions=3,
        items=named_files(folder, "*.json", _NAME, "NW-UCLA clip", "a01_s01_e00_v01.json"),
        read=read,
    )


def read(path: Path) -> list[Recording]:
    """One clip. Raises DatasetError where the file is broken."""
    name = _NAME.fullmatch(path.stem)
    if name is None:
        raise DatasetError(f"{path} is not named like a01_s01_e00_v01.json")
    try:
        values = json.loads(path.read_bytes())
        points = np.array(values["skeletons"], np.float32)
        label = values["label"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise DatasetError(f"{path} cannot be read: {type(error).__name__}: {error}") from None
    if points.ndim != 3 or points.shape[1:] != (KINECT20.size, 3) or len(points) == 0:
        raise DatasetError(f"{path} holds skeletons of shape {points.shape}, not (T, 20, 3)")
    if type(label) is not int or not 1 <= label <= len(NW_UCLA):
        raise DatasetError(f"{path} has label {label!r}, not 1 to {len(NW_UCLA)}")
    action, subject, take, view = name.groups()
    return [
        Recording(
            name=path.stem,
            sequence=from_kinect(points, (points != 0).any(axis=2), KINECT20),
            fps=FPS,
            label=label - 1,
            subject=subject,
            camera=f"v{view}",
            group=f"{action}_{subject}_{take}",
            columns={"xview": "test" if view == "3" else "train"},
        )
    ]
