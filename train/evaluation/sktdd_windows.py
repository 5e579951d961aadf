"""sktDD's windows, and the folds by driver that all judgements on it share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import NTU25
from edge_c2vl.skeletons.windows import Windows, sliding
from train.data.clips import ClipStore
from train.evaluation.driver_folds import Scenes

LABELS = ["attentive", "distracted"]
# Arms, shoulders, head and trunk. Legs are left out: a dashboard hides them, and MediaPipe guesses where they are.
JOINTS = tuple(
    name for name in NTU25.joints if name.rpartition("_")[2] not in ("knee", "ankle", "foot", "hand", "tip", "thumb")
)
SPEC = ClipSpec(frames=32, seconds=3.0, dimensions=2, joints=JOINTS)
DRIVERS_A_FOLD = 2
# How an epoch is made up. Distraction is a third of the labelled frames; windows of one bout are much alike.
SHARES = {"distracted": 0.5, "attentive": 0.25, "normal": 0.25}
# Of each of these, where the archive has views from other places.
TURNED = 0.5
# Seconds between windows of each kind of recording.
HOPS = {"labelled": 0.5, "normal": 2.0, "labelled, turned": 1.0, "normal, turned": 4.0}


@dataclass(frozen=True)
class Data:
    """sktDD's windows: clips, scenes, labels (N,), which are of the labelled drives as recorded, which are turned
    (sktdd_views.py), and which are of normal driving."""

    store: ClipStore
    scenes: Scenes
    labels: NDArray[np.int64]
    labelled: NDArray[np.bool_]
    turned: NDArray[np.bool_]
    normal: NDArray[np.bool_]

    @classmethod
    def open(cls, archive: Archive, spec: ClipSpec = SPEC) -> Data:
        """Windows every 0.5 s of labelled drives, every 2 s of normal driving, and half as many of what was turned
        (sktdd_views.py). Raises DatasetError on other archives."""
        clips = archive.clips
        if "kind" not in clips.columns or archive.labels != LABELS:
            raise DatasetError(f"{archive.path} is not sktDD: make it with edge-c2vl prepare sktdd")
        parts = [
            sliding(archive, np.flatnonzero(clips["kind"] == kind), spec.seconds, hop_s)
            for kind, hop_s in HOPS.items()
            if (clips["kind"] == kind).any()
        ]
        windows = Windows(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ("clip", "start_s", "end_s", "label"))
        )
        kind = clips["kind"].to_numpy()[windows.clip]
        turned = np.isin(kind, [name for name in HOPS if name.endswith("turned")])
        normal = np.isin(kind, [name for name in HOPS if name.startswith("normal")])
        store = ClipStore.open(archive, windows, spec)
        return cls(store, Scenes.of(archive, windows), windows.label, kind == "labelled", turned, normal)

    def fold(self, drivers: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows to train on (none of these drivers, none without a skeleton) and to test on (their labelled ones)."""
        theirs = np.isin(self.scenes.driver, drivers)
        return np.flatnonzero(~theirs & (self.store.confidence > 0)), np.flatnonzero(theirs & self.labelled)

    def weights(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Weights of the rows by which an epoch is made up as SHARES and TURNED say."""
        kind = np.where(self.normal[rows], "normal", np.array(LABELS)[self.labels[rows]])
        turned = self.turned[rows]
        weights = np.zeros(len(rows))
        for name, share in SHARES.items():
            for part, of_it in ((turned, TURNED), (~turned, 1 - TURNED if turned.any() else 1)):
                chosen = (kind == name) & part
                weights[chosen] = share * of_it / max(chosen.sum(), 1)
        return weights
