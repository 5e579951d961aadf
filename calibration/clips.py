"""Which clips INT8 is calibrated on, which choose the layers that stay in floating point, and which judge the result.

The three never share a recording, nor another camera's recording of the same moment; what judges is the archive's test
split, or, where it has none, people who are in neither of the others. A recording that names nobody is taken for
another person's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import ArchiveError, UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.skeletons.splits import Split, split_columns
from edge_c2vl.skeletons.windows import Windows, clip_of, windows_of

Ints = NDArray[np.int64]

MIN_SAMPLES = 16
HOP_S = 1.0  # between windows of a long recording
JUDGING = 20_000  # clips that judge, at most
UNNAMED = -1  # the label of a distraction of which the archive does not say which it is


@dataclass(frozen=True)
class ClipSet:
    """Clips of an archive that serve one purpose. labels (N,): indices into the model's labels, or UNNAMED. name: where
    they come from, in words."""

    archive: Archive
    windows: Windows
    labels: Ints
    spec: ClipSpec
    name: str

    def __len__(self) -> int:
        return len(self.windows)

    def batches(self, size: int = 32) -> Iterator[tuple[Array, Ints]]:
        """(clips (B, 3, T, 25), labels (B,)), read from the archive batch by batch."""
        for first in range(0, len(self), size):
            part = range(first, min(first + size, len(self)))
            yield np.stack([self._clip(index) for index in part]), self.labels[part.start : part.stop]

    def clips(self) -> Array:
        """All of them, (N, 3, T, 25)."""
        return np.stack([self._clip(index) for index in range(len(self))])

    def _clip(self, index: int) -> Array:
        windows = self.windows
        row, start, end = int(windows.clip[index]), float(windows.start_s[index]), float(windows.end_s[index])
        return clip_of(self.archive, row, start, end, self.spec).data


@dataclass(frozen=True)
class Sets:
    calibration: ClipSet
    selection: ClipSet
    evaluation: ClipSet


def divide(
    archive: Archive,
    labels: Sequence[str],
    spec: ClipSpec,
    *,
    distraction: Collection[str] = (),
    samples: int = 512,
    split: str | None = None,
    windows: str = "auto",
    seed: int = 0,
) -> Sets:
    """The archive's clips for calibration (`samples`), selection (as many at most) and evaluation (JUDGING at most).

    labels: the model's; distraction: those of them that are one. An archive's label that stands for several of these
    (`edge-c2vl merge --group`) gives UNNAMED ones. split: the archive's column of train / val / test; None: its only
    one, if it has one. windows: "whole" recordings or "sliding" ones of spec.seconds; "auto": sliding where frames are
    labelled one by one.

    Raises UsageError for what the archive does not have, ArchiveError where too few clips are left.
    """
    if samples < MIN_SAMPLES:
        raise UsageError(f"--samples is at least {MIN_SAMPLES}, not {samples}: ranges of fewer clips say nothing")
    found = _windows(archive, spec, windows)
    groups = archive.meta.get("groups", {})
    unnamed = {name for name, members in groups.items() if set(members) <= set(distraction)}
    # The last entry answers for -1, a window without a label.
    known = np.array([name in labels or name in unnamed for name in archive.labels] + [False])
    indices = np.array([labels.index(name) if name in labels else UNNAMED for name in archive.labels] + [UNNAMED])
    found = found[known[found.label]]
    own = indices[found.label]
    if (own == UNNAMED).all():
        raise ArchiveError(
            f"no recording of {archive.path} has one of the model's labels ({', '.join(labels)}): "
            "calibrate on the data set that the model was trained on"
        )
    clips = archive.clips
    part, named = _parts(archive, found, split)
    pool, judges = np.flatnonzero(part == "train"), np.flatnonzero(part == "test")
    choosing = np.flatnonzero(part == "val")
    if not len(choosing):
        pool, choosing = _halves(pool, _moments(archive)[found.clip[pool]], seed)
    cells = np.char.add(own.astype(str), clips["camera"].to_numpy()[found.clip].astype(str))
    calibration = balanced(pool, cells[pool], samples, seed)
    selection = balanced(choosing, cells[choosing], samples, seed)
    judges = balanced(judges, cells[judges], JUDGING, seed)
    for rows, purpose in ((calibration, "calibrate on"), (selection, "choose layers by"), (judges, "evaluate on")):
        if len(rows) < MIN_SAMPLES:
            raise ArchiveError(f"{archive.path} has {len(rows)} clips to {purpose}, at least {MIN_SAMPLES} are needed")

    def subset(rows: Ints, purpose: str) -> ClipSet:
        return ClipSet(archive, found[rows], own[rows], spec, f"{archive.path.name}, {named[purpose]}")

    return Sets(subset(calibration, "train"), subset(selection, "val"), subset(judges, "test"))


def balanced(rows: Ints, cells: NDArray[Any], count: int, seed: int = 0) -> Ints:
    """`count` of the rows at most, as evenly as can be over the cells (N,) that they lie in: a row of each cell in
    turn, until no more are wanted. Sorted."""
    if not len(rows):
        return rows
    random = np.random.default_rng(seed)
    shuffled = [random.permutation(rows[cells == cell]) for cell in np.unique(cells)]
    # Rows by the turn they are taken in; rows of one turn in random order, so that an early end favours no cell.
    turns = np.concatenate([np.arange(len(cell)) + random.random(len(cell)) * 0.9 for cell in shuffled])
    order = np.argsort(turns, kind="stable")[:count]
    return np.sort(np.concatenate(shuffled)[order])


def fingerprint(clips: Array) -> str:
    """SHA-256 of clips (N, 3, T, 25), in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(clips, np.float32).tobytes()).hexdigest()


def _windows(archive: Archive, spec: ClipSpec, kind: str) -> Windows:
    if kind == "auto":
        kind = "whole" if archive.frame_labels(0) is None else "sliding"
    return windows_of(archive, None, spec.seconds if kind == "sliding" else 0.0, HOP_S)


def _parts(archive: Archive, windows: Windows, split: str | None) -> tuple[NDArray[Any], dict[str, str]]:
    """The part ("train", "val", "test") that each window belongs to, and each part's name to read."""
    clips = archive.clips
    splits = split_columns(archive)
    if split is None and len(splits) > 1:
        raise UsageError(f"{archive.path} has the splits {', '.join(splits)}: choose one with --split")
    name = split or (splits[0] if splits else "")
    if name:
        part = Split.of(archive, name).part[windows.clip]
        judging = "test" if (part == "test").any() else "val"
        choosing = f"{name} val" if judging == "test" and (part == "val").any() else f"{name} train, held apart"
        if judging == "val":  # then a part of train chooses
            part = np.where(part == "val", "test", part)
        return part, {"train": f"{name} train", "val": choosing, "test": f"{name} {judging}"}
    # No split: every second person judges; of one person, every second recording.
    moments = _moments(archive)
    subjects = clips["subject"].to_numpy().astype(str)
    people = [(np.where(subjects == "", moments, subjects), "subjects")] if subjects.any() else []
    for owner, what in (*people, (moments, "recordings")):
        who = owner[windows.clip]
        names = np.unique(who)
        if len(names) > 1:
            # Without a split it is unknown on whom the model was trained.
            named = {
                "train": f"half of the {what}",
                "val": f"the same {what}, other recordings",
                "test": f"the other half of the {what} (training may have seen them)",
            }
            return np.where(np.isin(who, names[1::2]), "test", "train"), named
    raise ArchiveError(f"{archive.path} holds one recording: INT8 needs others to be judged by")


def _moments(archive: Archive) -> NDArray[Any]:
    """The group of each recording (row of the archive), or the recording itself where it has none."""
    group = archive.clips["group"].to_numpy().astype(str)
    return np.where(group == "", archive.clips["name"].to_numpy().astype(str), group)


def _halves(rows: Ints, groups: NDArray[Any], seed: int) -> tuple[Ints, Ints]:
    """The rows in two halves that share no group."""
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    first = np.isin(groups, names[: (len(names) + 1) // 2])
    return rows[first], rows[~first]
