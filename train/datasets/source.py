"""What a data set's file hands over: its clips, each read by one function, so that processes can share them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Sequence, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.skeleton import Array, Layout, to_ntu25
from edge_c2vl.utils.atomic import files_below
from edge_c2vl.utils.texts import read_text

# Longer than any recording of these data sets; a number in a broken file must not make an array of gigabytes.
MAX_FRAMES = 1_000_000


@dataclass(frozen=True)
class Recording:
    """One row of the archive: the arguments of `ArchiveWriter.append`. `sequence`: ntu25 (T, 25, 4)."""

    name: str
    sequence: Array
    fps: float
    label: int = -1
    subject: str = ""
    camera: str = ""
    group: str = ""
    timestamps: NDArray[np.float64] | None = None
    frame_labels: NDArray[np.int16] | None = None
    columns: dict[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """A clip, or a part of an item, that gets no row. what: its name for `listed`, else where it is and why. kind:
    broken; nobody (no joint is ever seen in it); listed (the user, or the data set's authors, want it left out)."""

    what: str
    kind: Literal["broken", "nobody", "listed"] = "broken"


class NobodyError(DatasetError):
    """No joint is ever seen in an item."""


@dataclass(frozen=True)
class Options:
    """What a data set may be asked for beside its folder. `missing`: a file that lists samples to leave out (NTU, PKU).
    Drive&Act: `level`: midlevel, tasklevel or objectlevel; `camera`; `input`: skeleton (openpose_3d) or pose (MediaPipe
    on that camera's videos, by `workers` processes, kept in the folder `cache`). sktDD: `views`: recordings as they
    look from other places, too."""

    missing: Path | None = None
    level: str = "midlevel"
    camera: str = "inner_mirror"
    input: str = "skeleton"
    workers: int = 1
    cache: Path | None = None
    views: bool = False


@dataclass(frozen=True)
class Source:
    """A data set found on disk. `read(item)` gives the rows of one of `items` (one for each body, say) or raises
    DatasetError where it is broken; both can be pickled unless `in_process`. `count`: how many items; by itself where
    they are a list. `left_out`: what was left out before any item was read. `listed`: the names that the user wants
    left out."""

    labels: list[str]
    source: str
    licence: str
    source_layout: str
    dimensions: int
    items: Iterable[Any]
    read: Callable[[Any], Sequence[Recording | LeftOut]]
    count: int | None = None
    in_process: bool = False
    left_out: list[LeftOut] = field(default_factory=list)
    listed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.count is None and isinstance(self.items, Sized):
            object.__setattr__(self, "count", len(self.items))


def named_files(folder: Path, pattern: str, name: re.Pattern[str], what: str, example: str) -> list[Path]:
    """The files below `folder` that fit the pattern and whose name, without its suffix, is `name`. Raises DatasetError
    where there is none: "no WHAT in FOLDER: expected files like EXAMPLE"."""
    paths = [path for path in files_below(folder, pattern) if name.fullmatch(path.stem)]
    if not paths:
        raise DatasetError(f"no {what} in {folder}: expected files like {example}")
    return paths


def only_file(path: Path, suffix: str) -> Path:
    """The file itself, or the only one with that suffix below the folder. Raises DatasetError."""
    paths = [path] if path.is_file() else files_below(path, f"*{suffix}")
    if len(paths) != 1:
        raise DatasetError(f"{path} holds {len(paths)} {suffix} files: name one")
    return paths[0]


def from_kinect(points: ArrayLike, confidence: ArrayLike, layout: Layout) -> Array:
    """Kinect camera space (T, V, 3), metres, and confidence (T, V) -> ntu25 (T, 25, 4).

    Kinect's x grows to the sensor's left, so that its space is right-handed; ours, as a picture has it, grows to the
    right. Without negating it, left and right would be exchanged against every skeleton that comes from a picture.
    """
    points = np.asarray(points, np.float32)
    sequence = np.concatenate([points, np.asarray(confidence, np.float32)[..., None]], axis=2)
    sequence[..., 0] = -sequence[..., 0]
    return to_ntu25(sequence, layout)


def bodies(recording: Recording, sequences: Sequence[Array]) -> list[Recording]:
    """A row for each of a sample's bodies (ntu25, all (T, 25, 4)) in which a joint was ever seen.

    The first keeps the sample's name; the second is called NAME#1. Column `body` counts them; the group is shared.
    Raises NobodyError where nobody was seen.
    """
    seen = [sequence for sequence in sequences if (sequence[..., 3] > 0).any()]
    if not seen:
        raise NobodyError(f"{recording.name} shows nobody")
    rows = []
    for index, sequence in enumerate(seen):
        name = recording.name if index == 0 else f"{recording.name}#{index}"
        values = {**vars(recording), "name": name, "sequence": sequence, "columns": recording.columns | {"body": index}}
        rows.append(Recording(**values))
    return rows


def read_lines(path: Path) -> list[str]:
    """A text file's lines. Raises DatasetError where it cannot be read or is no text."""
    try:
        return read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None


def names_in(path: Path, name: re.Pattern[str]) -> frozenset[str]:
    """The sample names in a text file, wherever they stand in it: one a line, numbered, or with a suffix behind them.
    Raises DatasetError where the file cannot be read, or holds none."""
    found = frozenset(match[0] for line in read_lines(path) for match in name.finditer(line))
    if not found:
        raise DatasetError(f"{path} holds no sample name to leave out")
    return found


def numbers(lines: Sequence[str], columns: Sequence[int] | None, where: str, delimiter: str | None = None) -> Array:
    """A row of float32 for each line, of all or some columns. Raises DatasetError, naming the file, where a line holds
    anything else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "input contained no data": said below
            values = np.loadtxt(lines, np.float32, delimiter=delimiter, usecols=columns, ndmin=2, comments=None)
    except (ValueError, IndexError, OverflowError) as error:
        raise DatasetError(f"{where} cannot be read: {error}") from None
    if len(lines) == 0 or len(values) != len(lines):
        raise DatasetError(f"{where} has numbers in {len(values)} of {len(lines)} lines")
    return values
