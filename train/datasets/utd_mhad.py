"""UTD-MHAD (Chen et al., ICIP 2015): 27 actions by 8 people, one Kinect v1.

One MATLAB file a clip, aA_sS_tT_skeleton.mat (action, subject, trial), with `d_skel` (20, 3, T) in metres.
Cross-subject: odd subjects train, even ones test.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeleton import KINECT20
from train.datasets.action_names import UTD_MHAD
from train.datasets.source import Options, Recording, Source, from_kinect

FPS = 30.0
_NAME = re.compile(r"(a\d{1,2})_(s[1-8])_(t\d)_skeleton")
# UTD-MHAD counts its joints from the head downwards along the trunk (Skeleton_joint_order.txt in its sample code); the
# limbs are in kinect20's order.
_ORDER = [3, 2, 1, 0, *range(4, 20)]


def open_source(folder: Path, options: Options) -> Source:  # noqa: ARG001
    """`folder` holds the _skeleton.mat files, at any depth. Raises DatasetError where there is none."""
    items = sorted(path for path in folder.rglob("*_skeleton.mat") if _NAME.fullmatch(path.stem))
    if not items:
        raise DatasetError(f"no UTD-MHAD skeleton in {folder}: expected files like a1_s1_t1_skeleton.mat")
    return Source(
        labels=UTD_MHAD,
        source="UTD-MHAD (https://personal.utdallas.edu/~kehtar/UTD-MHAD.html)",
        licence="free for research; cite Chen et al., ICIP 2015",
        source_layout=KINECT20.name,
        dimensions=3,
        items=items,
        read=read,
        count=len(items),
    )


def read(path: Path) -> list[Recording]:
    """One clip. Raises DatasetError where the file is broken."""
    from scipy.io import loadmat

    name = _NAME.fullmatch(path.stem)
    if name is None or not 1 <= int(name[1][1:]) <= len(UTD_MHAD):
        raise DatasetError(f"{path} is not named like a1_s1_t1_skeleton.mat, with an action up to {len(UTD_MHAD)}")
    try:
        points = np.asarray(loadmat(path, variable_names=["d_skel"])["d_skel"], np.float32)
    except Exception as error:  # loadmat raises whatever its parsers run into
        raise DatasetError(f"{path} cannot be read: {type(error).__name__}: {' '.join(str(error).split())}") from None
    if points.ndim != 3 or points.shape[:2] != (KINECT20.size, 3) or points.shape[2] == 0:
        raise DatasetError(f"{path} holds d_skel of shape {points.shape}, not (20, 3, T)")
    points = points.transpose(2, 0, 1)[:, _ORDER]
    action, subject, trial = name.groups()
    return [
        Recording(
            name=f"{action}_{subject}_{trial}",
            sequence=from_kinect(points, (points != 0).any(axis=2), KINECT20),
            fps=FPS,
            label=int(action[1:]) - 1,
            subject=subject,
            group=f"{action}_{subject}_{trial}",
            columns={"xsub": "train" if int(subject[1:]) % 2 else "test"},
        )
    ]
