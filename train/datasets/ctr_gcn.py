"""CTR-GCN's arrays (Chen et al., ICCV 2021), which many later works read too: NTU60_CS.npz, NTU120_CSet.npz, ...

    x_train, x_test    (N, T, 150): 2 bodies x 25 joints x (x, y, z), padded to the longest clip with zeros
    y_train, y_test    (N, classes), one-hot, or (N,)

Clips are read one after another from the file, compressed or not: NTU120's x_train alone has 10 GB.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.skeleton import NTU25, Array
from edge_c2vl.utils.arrays import NpzFile, read_header
from train.datasets.action_names import NTU60, NTU120, PKU_MMD
from train.datasets.source import MAX_FRAMES, NobodyError, Options, Recording, Source, bodies, from_kinect, only_file

FPS = 30.0
# The split is told by the file's name alone: cross-subject, cross-view, cross-set-up.
_SPLITS = {"xsub": ("_cs.", "_csub.", "_xsub."), "xview": ("_cv.", "_xview."), "xset": ("_cset.", "_xset.")}
_NAMES = {60: NTU60, 120: NTU120, 51: PKU_MMD}
_MAX_CLASSES = 100_000


def open_source(path: Path, options: Options) -> Source:  # noqa: ARG001
    """`path`: the .npz, or a folder that holds one. Raises DatasetError."""
    path = only_file(path, ".npz")
    column = next((key for key, ends in _SPLITS.items() if any(end in path.name.lower() for end in ends)), "split")
    labels, classes = read_labels(path)
    return Source(
        labels=_NAMES.get(classes, [str(number) for number in range(classes)]),
        source=f"CTR-GCN {path.name} (https://github.com/Uason-Chen/CTR-GCN)",
        licence="of the data set that it was made from",
        source_layout=NTU25.name,
        dimensions=3,
        items=_clips(path, labels, column),
        read=read,
        count=sum(len(part) for part in labels.values()),
        in_process=True,
    )


def read_labels(path: Path) -> tuple[dict[str, NDArray[np.int64]], int]:
    """train and test -> class of each clip; and how many classes there are. Raises DatasetError."""
    labels, classes = {}, 0
    for part in ("train", "test"):
        try:
            with NpzFile(path) as file:
                values = file[f"y_{part}"]
        except Exception as error:  # a broken zip ends in nearly any exception
            raise DatasetError(f"{path}: y_{part} cannot be read: {type(error).__name__}: {error}") from None
        if values.ndim == 2 and 0 < values.shape[1] <= _MAX_CLASSES:
            classes = max(classes, values.shape[1])
            labels[part] = values.argmax(axis=1)
        elif values.ndim == 1 and values.dtype.kind in "iu" and ((values >= 0) & (values < _MAX_CLASSES)).all():
            classes = max(classes, int(values.max(initial=-1)) + 1)
            labels[part] = values.astype(np.int64)
        else:
            raise DatasetError(f"{path}: y_{part} is {values.dtype} {values.shape}, not (N, classes) or (N,)")
    return labels, classes


def _clips(path: Path, labels: dict[str, NDArray[np.int64]], column: str) -> Iterator[tuple[str, str, str, int, Array]]:
    """(name, split column, part, label, (T, 2, 25, 3)) of each clip in the file, read one at a time."""
    for part, classes in labels.items():
        try:
            with NpzFile(path) as archive, archive.open(f"x_{part}")[0] as file:
                shape, fortran, dtype = read_header(file)
                if fortran or dtype.kind != "f":
                    raise ValueError(f"it is {dtype}, in Fortran order: {fortran}")
                if len(shape) != 3 or shape[0] != len(classes) or shape[2] != 150 or not 0 < shape[1] <= MAX_FRAMES:
                    raise ValueError(f"it is {dtype} {shape}, not ({len(classes)}, T, 150)")
                size = shape[1] * shape[2] * dtype.itemsize
                for index, label in enumerate(classes):
                    data = file.read(size)
                    if len(data) != size:
                        raise ValueError(f"it ends in clip {index}")
                    frames = np.frombuffer(data, dtype).reshape(shape[1], 2, NTU25.size, 3).astype(np.float32)
                    yield f"{part}/{index:06d}", column, part, int(label), frames
        except GeneratorExit:
            raise
        except Exception as error:
            raise DatasetError(f"{path}: x_{part} cannot be read: {type(error).__name__}: {error}") from None


def read(item: tuple[str, str, str, int, Array]) -> list[Recording]:
    """The rows of one clip; padding is cut off. Raises DatasetError where nobody is in it."""
    name, column, part, label, frames = item
    # (T, 2); one joint may well be at 0, all of them are not.
    there = ((frames != 0) & np.isfinite(frames)).any(axis=(2, 3))
    seen = np.flatnonzero(there.any(axis=1))
    if len(seen) == 0:
        raise NobodyError(f"clip {name} shows nobody")
    frames, there = frames[: seen[-1] + 1], there[: seen[-1] + 1]
    confidence = np.repeat(there[..., None], NTU25.size, axis=2)
    plain = Recording(
        name=name,
        sequence=np.zeros((0, NTU25.size, 4), np.float32),
        fps=FPS,
        label=label,
        group=name,
        columns={column: part},
    )
    return bodies(plain, [from_kinect(frames[:, body], confidence[:, body], NTU25) for body in range(2)])
