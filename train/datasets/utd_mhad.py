"""UTD-MHAD (Chen et al., ICIP 2015): 27 actions by 8 people, one Kinect v1.

One MATLAB file a clip, aA_sS_tT_skeleton.mat (action, subject, trial), with `d_skel` (20, 3, T) in metres.
Cross-subject: odd subjects train, even ones test.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.skeleton import KINECT20, Array
from edge_c2vl.utils.arrays import most_unpacked
from train.datasets.action_names import UTD_MHAD
from train.datasets.source import Options, Recording, Source, from_kinect, named_files

FPS = 30.0
_HEADER, _MATRIX, _COMPRESSED = 128, 14, 15  # bytes before a MATLAB 5 file's first element; types of elements
_NUMBERS = frozenset(["double", "single", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))])
_NAME = re.compile(r"(a\d{1,2})_(s[1-8])_(t\d)_skeleton")
# UTD-MHAD counts its joints from the head downwards along the trunk (Skeleton_joint_order.txt in its sample code); the
# limbs are in kinect20's order.
_ORDER = [3, 2, 1, 0, *range(4, 20)]


def open_source(folder: Path, options: Options) -> Source:  # noqa: ARG001
    """`folder` holds the _skeleton.mat files, at any depth. Raises DatasetError where there is none."""
    return Source(
        labels=UTD_MHAD,
        source="UTD-MHAD (https://personal.utdallas.edu/~kehtar/UTD-MHAD.html)",
        licence="free for research; cite Chen et al., ICIP 2015",
        source_layout=KINECT20.name,
        dimensions=3,
        items=named_files(folder, "*_skeleton.mat", _NAME, "UTD-MHAD skeleton", "a1_s1_t1_skeleton.mat"),
        read=read,
    )


def read_joints(path: Path) -> Array:
    """d_skel of a MATLAB file. Raises ValueError and what SciPy's parsers run into; allocates no more than the file
    holds, unpacked as far as `most_unpacked` says."""
    from scipy.io import loadmat, whosmat

    content = _unpacked(path.read_bytes())
    found = {name: (shape, kind) for name, shape, kind in whosmat(io.BytesIO(content))}
    shape, kind = found["d_skel"]
    # Eight bytes a number would be usual; fewer than one there cannot be.
    if kind not in _NUMBERS or math.prod(shape) > len(content):
        raise ValueError(f"d_skel is {kind} {shape} in {len(content)} bytes")
    return np.asarray(loadmat(io.BytesIO(content), variable_names=["d_skel"])["d_skel"], np.float32)


def _unpacked(content: bytes) -> bytes:
    """A MATLAB 5 file with its compressed elements unpacked; any other as it is. Raises ValueError, zlib.error."""
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        return content
    parts, position, left = [content[:_HEADER]], _HEADER, most_unpacked(len(content))
    while position + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, position)
        end = position + 8 + size
        if kind != _COMPRESSED:
            parts.append(content[position:end])
        else:
            unpacking = zlib.decompressobj()
            parts.append(unpacking.decompress(content[position + 8 : end], left))
            left -= len(parts[-1])
            if unpacking.unconsumed_tail or left <= 0:
                raise ValueError(f"it would unpack to more than {most_unpacked(len(content))} bytes")
        _check_lengths(parts[-1], order)
        position = end
    return b"".join(parts)


def _check_lengths(element: bytes, order: str) -> None:
    """Raises ValueError where an element of a MATLAB 5 file, or a part of it, states more bytes than there are: SciPy
    allocates what is stated."""
    position, end = 0, len(element)
    while position + 8 <= end:
        kind, size = struct.unpack_from(f"{order}II", element, position)
        small = kind >> 16  # up to four bytes, within the tag itself
        if not small and size > end - position - 8:
            raise ValueError(f"it states {size} bytes where {end - position - 8} are left")
        inside = position == 0 and kind == _MATRIX
        position += 8 if small or inside else 8 + -(-size // 8) * 8


def read(path: Path) -> list[Recording]:
    """One clip. Raises DatasetError where the file is broken."""
    name = _NAME.fullmatch(path.stem)
    if name is None or not 1 <= int(name[1][1:]) <= len(UTD_MHAD):
        raise DatasetError(f"{path} is not named like a1_s1_t1_skeleton.mat, with an action up to {len(UTD_MHAD)}")
    try:
        points = read_joints(path)
    except Exception as error:  # SciPy's parsers raise whatever they run into
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
