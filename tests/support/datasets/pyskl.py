"""Small files in the form of pyskl."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np


def dump(path: Path, value: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol))
    return path


def annotations() -> dict:
    points = np.random.default_rng(0).normal(size=(2, 6, 25, 3)).astype(np.float16)
    single = np.random.default_rng(1).normal(size=(1, 4, 25, 3)).astype(np.float16)
    return {
        "split": {"xsub_train": ["S001C001P001R001A001"], "xsub_val": ["S017C003P003R002A060"], "xview_train": []},
        "annotations": [
            {"frame_dir": "S001C001P001R001A001", "label": 0, "total_frames": 6, "keypoint": points},
            {"frame_dir": "S017C003P003R002A060", "label": 59, "total_frames": 4, "keypoint": single},
        ],
    }
