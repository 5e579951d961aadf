"""Which windows are trained on, and how often each is drawn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import NTU25
from edge_c2vl.skeletons.windows import Windows
from train.metrics import Floats, Ints

# What hides or is guessed in a vehicle: a dashboard hides the legs, and hands are seen worse than wrists.
_NOT_UPPER = ("knee", "ankle", "foot", "hand", "tip", "thumb")
UPPER = tuple(name for name in NTU25.joints if name.rpartition("_")[2] not in _NOT_UPPER)


def joints_of(archive: Archive, joints: str = "all", sample: int = 200, least: float = 0.005) -> tuple[str, ...]:
    """The ntu25 joints that an archive has: seen in at least that share of the frames of recordings spread over it.

    joints: "all", or "upper": those of head, trunk, shoulders and arms.
    """
    rows = np.unique(np.linspace(0, len(archive) - 1, sample).astype(int))
    seen = sum((archive.sequence(row)[..., 3] > 0).sum(axis=0) for row in rows)
    frames = sum(len(archive.sequence(row)) for row in rows)
    return tuple(
        name
        for name, count in zip(NTU25.joints, seen, strict=True)
        if count >= least * frames and (joints == "all" or name in UPPER)
    )


def hidden_share(archive: Archive, joints: str = "all", sample: int = 200) -> float:
    """In which share of their frames the joints that the archive has are missing, in recordings spread over it."""
    own = [NTU25.index(name) for name in joints_of(archive, joints)]
    rows = np.unique(np.linspace(0, len(archive) - 1, sample).astype(int))
    seen = np.concatenate([(archive.sequence(row)[:, own, 3] > 0).mean(axis=1) for row in rows]) if own else np.ones(1)
    return float(1 - seen[seen > 0].mean()) if (seen > 0).any() else 0.0


def draw_weights(
    archive: Archive, windows: Windows, rows: Ints, by: str = "", shares: Mapping[str, float] | None = None
) -> Floats:
    """Weights of these windows (rows of `windows`) by which each label is drawn equally often, and within a label each
    value of the archive's column `by`.

    shares: "LABEL" or "LABEL@VALUE" (of the column) -> its share of what is drawn. A label's share is that of its
    values which are not named themselves; labels of which nothing is named share the rest equally. Raises UsageError
    where the archive has no such column, label or value.
    """
    if by and by not in archive.clips.columns:
        columns = ", ".join(map(str, archive.clips.columns))
        raise UsageError(f"--balance-by {by}: {archive.path} has the columns {columns}")
    values = archive.clips[by].to_numpy().astype(str)[windows.clip[rows]] if by else np.full(len(rows), "")
    labels = np.array(archive.labels)[windows.label[rows]]
    cells = sorted(set(zip(labels.tolist(), values.tolist(), strict=True)))
    shares = dict(shares or {})
    known = {label for label, _ in cells} | {f"{label}@{value}" for label, value in cells}
    for name in shares:
        if name not in known:
            raise UsageError(f"--shares {name}: {archive.path} has {', '.join(sorted(known))}")
    for label in {label for label, _ in cells} & set(shares):
        if all(f"{label}@{value}" in shares for name, value in cells if name == label):
            raise UsageError(f"--shares {label}: each of its values has a share of its own, so nothing is left for it")
    named = {name.partition("@")[0] for name in shares}
    free = {label for label, _ in cells} - named
    rest = (1 - sum(shares.values())) / max(len(free), 1)
    weights = np.zeros(len(rows))
    for label, value in cells:
        own = f"{label}@{value}"
        together = [v for name, v in cells if name == label and f"{label}@{v}" not in shares]
        share = shares[own] if own in shares else shares.get(label, 0 if label in named else rest) / len(together)
        chosen = (labels == label) & (values == value)
        weights[chosen] = share / chosen.sum()
    return weights


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
