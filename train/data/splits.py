"""Which windows are trained, validated and tested on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import NTU25
from edge_c2vl.skeletons.windows import Windows, sliding, whole_clips
from train.metrics import Ints
from train.settings.probe import ProbeSettings
from train.settings.training import DataSettings

Rows = NDArray[np.int64]


def make_windows(archive: Archive, data: DataSettings) -> Windows:
    """The labelled windows of an archive."""
    windows = sliding(archive, None, data.seconds, data.hop_s) if data.seconds else whole_clips(archive)
    windows = windows[windows.label >= 0]
    if not len(windows):
        raise UsageError(f"nothing in {archive.path} has a label: pretrain on it, or prepare it with labels")
    return windows


def split_rows(archive: Archive, windows: Windows, split: str) -> dict[str, NDArray[np.int64]]:
    """Rows of the windows in "train", "val" and "test". Raises UsageError for a split that the archive lacks."""
    if not split:
        nothing = np.zeros(0, np.int64)
        return {"train": np.arange(len(windows)), "val": nothing, "test": nothing}
    if split not in archive.clips.columns:
        others = [name for name in archive.clips.columns if (archive.clips[name] == "train").any()]
        raise UsageError(f"--split {split}: {archive.path} has {', '.join(others) or 'no split'}")
    part = archive.clips[split].to_numpy()[windows.clip]
    rows = {name: np.flatnonzero(part == name) for name in ("train", "val", "test")}
    if not len(rows["train"]):
        raise UsageError(f"--split {split}: no recording of {archive.path} is in train")
    return rows


def joints_of(archive: Archive, sample: int = 200, least: float = 0.005) -> tuple[str, ...]:
    """The ntu25 joints that an archive has: seen in at least that share of the frames of recordings spread over it."""
    rows = np.unique(np.linspace(0, len(archive) - 1, sample).astype(int))
    seen = sum((archive.sequence(row)[..., 3] > 0).sum(axis=0) for row in rows)
    frames = sum(len(archive.sequence(row)) for row in rows)
    return tuple(name for name, count in zip(NTU25.joints, seen, strict=True) if count >= least * frames)


def train_rows(archive: Archive, split: str) -> NDArray[np.int64]:
    """The recordings to learn from."""
    if not split:
        return np.arange(len(archive))
    if split not in archive.clips.columns:
        others = [name for name in archive.clips.columns if (archive.clips[name] == "train").any()]
        raise UsageError(f"--split {split}: {archive.path} has {', '.join(others) or 'no split'}")
    rows = np.flatnonzero(archive.clips[split].to_numpy() == "train")
    if not len(rows):
        raise UsageError(f"--split {split}: no recording of {archive.path} is in train")
    return rows


def few_labels(labels: Ints, *, share: float | None = None, shots: int | None = None, seed: int = 0) -> Ints:
    """Positions of a random part of the labelled rows: a share of each class (at least one), or `shots` of each.

    Raises UsageError unless exactly one of share (0 to 1] and shots (1 or more) is given.
    """
    if (share is None) == (shots is None):
        raise UsageError("say either which share of the labels is used or how many of each class")
    if (share is not None and not 0 < share <= 1) or (shots is not None and shots < 1):
        raise UsageError("the share of labels lies in (0, 1], and the number of each class is at least 1")
    random = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(labels[labels >= 0]):
        rows = np.flatnonzero(labels == label)
        count = min(shots, len(rows)) if shots is not None else max(1, round(float(share or 0) * len(rows)))
        chosen.append(random.choice(rows, count, replace=False))
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)


def hold_out(groups: NDArray[np.str_], share: float, seed: int = 0) -> tuple[Ints, Ints]:
    """Positions (fitting, validation): whole groups (people) are held out, about `share` of the rows.

    Raises UsageError where there is only one group: a person in both parts would flatter the result.
    """
    names = np.unique(groups)
    if len(names) < 2:
        raise UsageError("holding out for validation needs two subjects or more")
    held: list[str] = []
    for name in np.random.default_rng(seed).permutation(names)[:-1]:
        if held and np.isin(groups, [*held, name]).mean() > share:
            break
        held.append(str(name))
    inside = np.isin(groups, held)
    return np.flatnonzero(~inside), np.flatnonzero(inside)


def windows_to_judge(archive: Archive, settings: ProbeSettings) -> Windows:
    windows = sliding(archive, None, settings.seconds, settings.hop_s) if settings.seconds else whole_clips(archive)
    windows = windows[windows.label >= 0]
    if not len(windows):
        raise UsageError(f"nothing in {archive.path} has a label to judge by")
    return windows


def parts_to_judge(archive: Archive, windows: Windows, settings: ProbeSettings) -> dict[str, Rows]:
    """Rows of the windows in train, val and test; val is made of train subjects where it is needed and missing."""
    if settings.split not in archive.clips.columns:
        others = [name for name in archive.clips.columns if (archive.clips[name] == "train").any()]
        raise UsageError(f"--split {settings.split!r}: {archive.path} has {', '.join(others) or 'no split'}")
    part = archive.clips[settings.split].to_numpy()[windows.clip]
    rows = {name: np.flatnonzero(part == name) for name in ("train", "val", "test")}
    for name in ("train", "test"):
        if not len(rows[name]):
            raise UsageError(f"--split {settings.split}: no labelled window of {archive.path} is in {name}")
    if settings.protocol == "linear" and not len(rows["val"]):
        subjects = archive.clips["subject"].to_numpy()[windows.clip].astype(str)
        _, held = hold_out(subjects[rows["train"]], settings.hold_out)
        rows["val"] = rows["train"][held]
    return rows
