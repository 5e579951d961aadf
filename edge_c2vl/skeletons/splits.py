"""Which recordings of an archive are learnt from, chosen by and judged on.

A split is a column of the archive that holds train, val or test, or `subject:K/N`: the people, in order of their names,
in N folds; those of fold K (from 0) are test, all others train.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.windows import Windows

Rows = NDArray[np.int64]

PARTS = ("train", "val", "test")
_FOLD = re.compile(r"subject:(\d+)/(\d+)")


def split_columns(archive: Archive) -> list[str]:
    """The columns that say which part a recording is in."""
    clips = archive.clips
    return [str(name) for name in clips.columns if clips[name].isin(("train", "test")).any()]


def subject_folds(subjects: Iterable[Any], count: int) -> list[list[str]]:
    """The people in `count` folds, in order of their names; the first folds have one more where they do not divide.
    Recordings of nobody known (an empty name), such as simulated ones, are in no fold.

    Raises UsageError unless 2 <= count <= number of people.
    """
    names = sorted({str(name) for name in subjects} - {""})
    if not 2 <= count <= len(names):
        raise UsageError(f"{len(names)} subjects cannot be split into {count} folds")
    return [part.tolist() for part in np.array_split(np.array(names), count)]


@dataclass(frozen=True)
class Split:
    """`part` (N,): "train", "val", "test" or "" (in none) for each recording of an archive."""

    name: str
    part: NDArray[np.str_]

    @classmethod
    def of(cls, archive: Archive, name: str, needed: Iterable[str] = ("train",)) -> Split:
        """The split of that name; with an empty name everything is in train. Raises UsageError where the archive has no
        such split, or no recording in a part that is needed."""
        clips = archive.clips
        fold = _FOLD.fullmatch(name)
        if not name:
            part = np.full(len(archive), "train")
        elif fold:
            number, count = int(fold[1]), int(fold[2])
            subjects = clips["subject"].to_numpy().astype(str)
            folds = subject_folds(subjects, count)
            if number >= count:
                raise UsageError(f"--split {name}: {count} folds are numbered 0 to {count - 1}")
            part = np.where(np.isin(subjects, folds[number]), "test", "train")
        elif name in clips.columns:
            part = clips[name].to_numpy().astype(str)
        else:
            raise UsageError(
                f"--split {name}: {archive.path} has {', '.join(split_columns(archive)) or 'no split'}; "
                "subject:K/N names fold K of N by subject"
            )
        for wanted in needed:
            if not (part == wanted).any():
                raise UsageError(f"--split {name}: no recording of {archive.path} is in {wanted}")
        return cls(name, part)

    def rows(self, *parts: str) -> Rows:
        """The recordings in any of the parts."""
        return np.flatnonzero(np.isin(self.part, parts))

    @property
    def parts(self) -> dict[str, Rows]:
        """The recordings of each part."""
        return {name: self.rows(name) for name in PARTS}


def windows_in(windows: Windows, parts: Mapping[str, Rows]) -> dict[str, Rows]:
    """Which of the windows are of each part's recordings."""
    return {name: np.flatnonzero(np.isin(windows.clip, rows)) for name, rows in parts.items()}
