"""sktDD's windows, and the folds by driver that all judgements on it share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.splits import subject_folds
from edge_c2vl.skeletons.windows import Windows, windows_of
from train.data.clips import ClipStore
from train.data.splits import UPPER, draw_weights
from train.evaluation.driver_folds import Scenes

LABELS = ["attentive", "distracted"]
# Clips of train/recipes/sktdd.yaml.
SPEC = ClipSpec(frames=32, seconds=3.0, dimensions=2, joints=UPPER)
DRIVERS_A_FOLD = 2
# Seconds between windows of each kind of recording.
HOPS = {"labelled": 0.5, "normal": 2.0, "labelled, turned": 1.0, "normal, turned": 4.0}


@dataclass(frozen=True)
class Data:
    """sktDD's windows: clips, scenes, labels (N,), which are of the labelled drives as recorded, which are turned
    (train.datasets.sktdd_views), and which are of normal driving."""

    archive: Archive
    store: ClipStore
    scenes: Scenes
    labels: NDArray[np.int64]
    labelled: NDArray[np.bool_]
    turned: NDArray[np.bool_]
    normal: NDArray[np.bool_]

    @classmethod
    def open(cls, archive: Archive, spec: ClipSpec = SPEC, kinds: Iterable[str] = tuple(HOPS)) -> Data:
        """Windows of recordings of these kinds: every 0.5 s of labelled drives, every 2 s of normal driving, and half
        as many of what was turned. Raises DatasetError on other archives."""
        clips = archive.clips
        if "kind" not in clips.columns or archive.labels != LABELS:
            raise DatasetError(f"{archive.path} is not sktDD: make it with edge-c2vl prepare sktdd")
        parts = [
            windows_of(archive, np.flatnonzero(clips["kind"] == kind), spec.seconds, HOPS[kind])
            for kind in kinds
            if (clips["kind"] == kind).any()
        ]
        windows = Windows(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ("clip", "start_s", "end_s", "label"))
        )
        kind = clips["kind"].to_numpy()[windows.clip]
        turned = np.isin(kind, [name for name in HOPS if name.endswith("turned")])
        normal = np.isin(kind, [name for name in HOPS if name.startswith("normal")])
        store = ClipStore.open(archive, windows, spec)
        return cls(archive, store, Scenes.of(archive, windows), windows.label, kind == "labelled", turned, normal)

    def folds(self) -> list[list[str]]:
        """The drivers of each fold, as `--split subject:K/N` has them: two at most."""
        drivers = self.archive.clips["subject"].astype(str)
        return subject_folds(drivers, -(-drivers.nunique() // DRIVERS_A_FOLD))

    def fold(self, drivers: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows to train on (none of these drivers, none without a skeleton) and to test on (their labelled ones)."""
        theirs = np.isin(self.scenes.driver, drivers)
        return np.flatnonzero(~theirs & (self.store.confidence > 0)), np.flatnonzero(theirs & self.labelled)

    def weights(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Weights of the rows as train/recipes/sktdd.yaml draws them."""
        return draw_weights(self.archive, self.store.windows, rows, "kind")
