"""Clips of several archives as one data set: other layouts, rates, dimensions and joints, drawn equally often.

Every archive's clips are made by a specification of its own: its joints (others are missing, hence 0), as deep as it
is, turned only where there is depth, and cut as its recordings are. One network then sees them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import NTU25, Array
from edge_c2vl.skeletons.windows import Windows
from train.data.augment import Augment
from train.data.clips import ClipStore
from train.data.splits import joints_of
from train.settings.pretraining import PretrainSettings
from train.settings.training import AugmentSettings

# So many clips of each archive are kept at most, drawn by the seed, and so many of each are in an epoch.
MOST_CLIPS, MOST_AN_EPOCH = 20_000, 2_000


class Several:
    """Stores one behind the other: `read`, `windows` and `confidence` as of one ClipStore. windows.clip: recordings of
    different archives have different numbers. portion: (N,), which store a row is of."""

    def __init__(self, stores: Sequence[ClipStore]) -> None:
        if len({store.shape for store in stores}) > 1:
            raise UsageError("clips of several archives need one number of frames")
        self.stores, self.shape = list(stores), stores[0].shape
        sizes = [len(store) for store in stores]
        self.first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self.portion = np.repeat(np.arange(len(stores)), sizes)
        self.confidence: Array = np.concatenate([store.confidence for store in stores])
        parts, recordings = [store.windows for store in stores], 0
        clips = []
        for part in parts:
            clips.append(part.clip + recordings)
            recordings += int(part.clip.max()) + 1
        self.windows = Windows(
            np.concatenate(clips),
            np.concatenate([part.start_s for part in parts]),
            np.concatenate([part.end_s for part in parts]),
            # Labels of different archives do not mean the same.
            np.full(len(self.portion), -1),
        )

    def __len__(self) -> int:
        return len(self.portion)

    def read(self, indices: NDArray[np.int64]) -> Array:
        """The clips (B, 3, T, 25) of these rows."""
        clips = np.empty((len(indices), *self.shape), np.float32)
        for number, store in enumerate(self.stores):
            own = np.flatnonzero(self.portion[indices] == number)
            if len(own):
                clips[own] = store.read(indices[own] - self.first[number])
        return clips

    def clips_an_epoch(self, rows: NDArray[np.int64]) -> int:
        """See `epoch_clips`."""
        return epoch_clips(np.bincount(self.portion[rows], minlength=len(self.stores)).tolist())

    def weights(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of these rows: each archive is drawn equally often."""
        portion = self.portion[rows]
        weights: NDArray[np.float64] = 1 / np.bincount(portion, minlength=len(self.stores))[portion]
        return weights / weights.sum()


@dataclass(frozen=True)
class Portion:
    """An archive, the windows of it that are learnt from, how they become clips, and what is known of them: kind ->
    (windows, K, D), and the way from words to "language" (train.knowledge.language.Language)."""

    archive: Archive
    windows: Windows
    spec: ClipSpec
    knowledge: Mapping[str, Tensor] = field(default_factory=dict)
    language: Any = None


def some_of(windows: int, seed: int) -> NDArray[np.int64]:
    """The numbers of MOST_CLIPS of so many windows, or of all."""
    return np.sort(np.random.default_rng([seed, 13]).permutation(windows)[:MOST_CLIPS])


def knowledge_of_all(portions: Sequence[Portion]) -> dict[str, Tensor]:
    """What each archive's clips are known by is a kind of its own: "language", "language-1", ... It is 0 for the clips
    of other archives, which are then neither rows nor candidates: telling archives apart teaches nothing about
    movement."""
    if len(portions) == 1:
        return dict(portions[0].knowledge)
    sizes = [len(portion.windows) for portion in portions]
    found, first = {}, 0
    for number, (portion, size) in enumerate(zip(portions, sizes, strict=True)):
        for kind, told in portion.knowledge.items():
            whole = told.new_zeros((sum(sizes), *told.shape[1:]))
            whole[first : first + size] = told
            found[f"{kind}-{number}" if number else kind] = whole
        first += size
    return found


def clip_spec(archive: Archive, settings: PretrainSettings, seconds: float) -> ClipSpec:
    """seconds: 0 for whole recordings. Bodies without depth are turned nowhere."""
    solid = archive.meta["dimensions"] == 3
    return ClipSpec(
        frames=settings.frames,
        seconds=seconds or ClipSpec().seconds,
        dimensions=archive.meta["dimensions"],
        facing=settings.facing and solid,
        upright=settings.upright and solid,
        joints=joints_of(archive, settings.joints),
    )


def spec_of_all(portions: Sequence[Portion]) -> ClipSpec:
    """What is kept with the encoder: the first archive's, with every joint that any of them has, and depth where any
    has it. (Clips of an archive without depth stay as they are: ClipStore.open.)"""
    joints = {name for portion in portions for name in portion.spec.joints}
    deepest = max(portions, key=lambda portion: portion.spec.dimensions).spec
    return replace(
        portions[0].spec,
        joints=tuple(name for name in NTU25.joints if name in joints),
        dimensions=deepest.dimensions,
        facing=deepest.facing,
        upright=deepest.upright,
    )


def epoch_clips(clips: Sequence[int]) -> int:
    """Of archives with so many clips each: as many of each as the smallest has, MOST_AN_EPOCH at most."""
    return min(min(clips), MOST_AN_EPOCH) * len(clips)


def split_names(split: str, archives: int) -> list[str]:
    """The split of each archive: one name counts for the first; several are separated by commas, and may be empty."""
    names = split.split(",") if archives > 1 else [split]
    if len(names) > archives:
        raise UsageError(f"--split {split}: {len(names)} splits for {archives} archives")
    return names + [""] * (archives - len(names))


def vary_each(settings: AugmentSettings) -> Callable[[Tensor], Tensor]:
    """Varies clips of pictures (z is 0 throughout) as such, and others in 3-D."""
    flat, solid = Augment(settings, 2), Augment(settings, 3)

    def vary(clip: Tensor) -> Tensor:
        is_flat = (clip[:, 2] == 0).flatten(1).all(dim=1)
        result = clip.new_empty(clip.shape)
        for chosen, augment in ((is_flat, flat), (~is_flat, solid)):
            if chosen.any():
                result[chosen] = augment(clip[chosen])
        return result

    return vary
