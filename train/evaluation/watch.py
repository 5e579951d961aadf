"""What an encoder is worth while it is pretrained, and at the end beside one that was not trained.

Labels are only judged by, never learnt from, and only those of the recordings that pretraining may see. rankme: the
effective rank of the embedding (RankMe, Garrido et al., ICML 2023); alignment and uniformity: Wang & Isola, ICML 2020.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from train.data.clips import ClipStore, in_order
from train.data.splits import hold_out
from train.evaluation.judges import knn_predict, probe_scores
from train.knowledge.spectrum import effective_rank
from train.metrics import Floats, Ints, score
from train.model.encoder import Encoder

HELD_OUT = 0.25
# Clips that the verdict takes, those of each look while training, and those whose two views are compared.
VERDICT_CLIPS, WATCHED_CLIPS, VIEWED_CLIPS = 2000, 600, 256
# Of a collapsed embedding: fewer directions than this, or all clips nearer to each other than this (log of the mean
# kernel; 0: all in one point).
LEAST_RANK, MOST_UNIFORMITY = 2.0, -0.02


def alignment(first: Floats, second: Floats) -> float:
    """Two views (N, D) of the same clips, unit length -> the mean squared distance; 0: views do not matter."""
    return float(np.square(first - second).sum(axis=1).mean())


def uniformity(embeddings: Floats) -> float:
    """(N, D), unit length -> log of the mean over pairs of exp(-2 squared distance): 0 in one point, -4 at most."""
    n = len(embeddings)
    if n < 2:
        return 0.0
    cosines = (embeddings @ embeddings.T)[np.triu_indices(n, 1)]
    return float(np.log(np.exp(-2 * (2 - 2 * cosines.astype(np.float64))).mean()))


class Watch:
    """watched: rows of the store that are looked at while training. fit, held: labelled rows that a probe is fitted on
    and judged on; empty without labels. held_out: in words, who the second are."""

    def __init__(
        self,
        store: ClipStore,
        vary: Callable[[Tensor], Tensor],
        watched: Ints,
        fit: Ints,
        held: Ints,
        held_out: str = "",
        seed: int = 0,
    ) -> None:
        self.store, self.vary, self.seed, self.held_out = store, vary, seed, held_out
        self.watched, self.fit, self.held = watched, fit, held
        self._warned = False

    @classmethod
    def of(
        cls, store: ClipStore, archive: Archive, rows: Ints, vary: Callable[[Tensor], Tensor], seed: int = 0
    ) -> Watch:
        """rows: those of the store with somebody in them."""
        random = np.random.default_rng([seed, 11])
        windows = store.windows
        length_s = windows.end_s[rows] - windows.start_s[rows]
        # Of a recording and its crops the whole; of the windows of a long drive all: none is longer than another.
        longest = np.zeros(len(archive))
        np.maximum.at(longest, windows.clip[rows], length_s)
        whole = rows[length_s >= longest[windows.clip[rows]] - 1e-6]
        labelled = _some(whole[windows.label[whole] >= 0], VERDICT_CLIPS, random)
        watched = _some(whole, WATCHED_CLIPS, random)
        fit, held, held_out = _held_out(archive, windows.clip[labelled], labelled, seed)
        fit, held = labelled[fit], labelled[held]
        known = np.unique(windows.label[fit])
        held = held[np.isin(windows.label[held], known)]
        if len(known) < 2 or not len(held):
            return cls(store, vary, watched, fit[:0], held[:0], seed=seed)
        return cls(store, vary, watched, fit, held, f"{len(held)} clips of {held_out}", seed)

    def __call__(self, encoder: Encoder, progress: float = 1.0) -> dict[str, float]:
        """rankme, alignment, uniformity, and knn where there are labels. Warns, once, of an embedding that collapses;
        in the first half of the run it is as narrow as it was made.

        Nothing random is taken from the run: a resumed one goes on to the bit.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            viewed = self.watched[:VIEWED_CLIPS]
            first, second = (self._run(encoder, viewed, embed=True, vary=True) for _ in range(2))
        embeddings = self._run(encoder, self.watched, embed=True)
        values = {
            "rankme": effective_rank(embeddings),
            "alignment": alignment(first, second),
            "uniformity": uniformity(embeddings),
        }
        if len(self.held):
            values["knn"] = self._nearest(encoder, self.fit[: WATCHED_CLIPS * 3 // 4], self.held[: WATCHED_CLIPS // 4])
        if (
            progress >= 0.5
            and not self._warned
            and (values["rankme"] < LEAST_RANK or values["uniformity"] > MOST_UNIFORMITY)
        ):
            self._warned = True
            print(
                f"warning: the embedding collapses (effective rank {values['rankme']:.1f}, uniformity "
                f"{values['uniformity']:.3f}): all clips look alike to the encoder. Lower --learning-rate, vary clips "
                "more, or look at the bank: edge-c2vl knowledge show ARCHIVE --bank BANK",
                file=sys.stderr,
                flush=True,
            )
        return values

    def verdict(self, untrained: Encoder, trained: Encoder) -> dict[str, float]:
        """rankme of both, and where there are labels probe (logistic regression, C = 1) and knn (the nearest
        neighbour) of both; `_random`: the untrained one's."""
        values: dict[str, float] = {}
        untrained.to(next(trained.parameters()).device)
        for ending, encoder in (("", trained), ("_random", untrained)):
            values[f"rankme{ending}"] = effective_rank(self._run(encoder, self.watched, embed=True))
            if len(self.held):
                fit, held = self._run(encoder, self.fit), self._run(encoder, self.held)
                labels, wanted = self.store.windows.label[self.fit], self.store.windows.label[self.held]
                predicted = probe_scores(fit, labels, held, int(labels.max()) + 1).argmax(axis=1)
                values[f"probe{ending}"] = score(predicted, wanted).top1
                values[f"knn{ending}"] = score(knn_predict(fit, labels, held), wanted).top1
        return values

    def _nearest(self, encoder: Encoder, fit: Ints, held: Ints) -> float:
        label = self.store.windows.label
        predicted = knn_predict(self._run(encoder, fit), label[fit], self._run(encoder, held))
        return score(predicted, label[held]).top1

    def _run(self, encoder: Encoder, rows: Ints, embed: bool = False, vary: bool = False) -> Any:
        """The features (N, F), or embeddings (N, D), in eval mode; its mode is put back."""
        training, device = encoder.training, next(encoder.parameters()).device
        encoder.eval()
        parts = []
        with torch.no_grad():
            for batch in in_order(self.store, rows):
                clip = (self.vary(batch.clip) if vary else batch.clip).to(device)
                parts.append((encoder(clip)[1] if embed else encoder.features(clip)).float().cpu().numpy())
        encoder.train(training)
        return np.concatenate(parts)


def _some(rows: Ints, most: int, random: np.random.Generator) -> Ints:
    return random.permutation(rows)[:most]


def _held_out(archive: Archive, clips: Ints, rows: Ints, seed: int) -> tuple[Ints, Ints, str]:
    """Positions (fitting, held out), and who the second are: people where they are known; moments, or recordings; of
    one recording the last quarter of its time. clips: each position's recording; rows: its window, in order of time."""
    columns = {"subject": "people", "group": "moments", "name": "recordings"}
    for column, many in columns.items():
        groups = archive.clips[column].to_numpy().astype(str)[clips]
        names: NDArray[Any] = np.unique(groups)
        if len(names) > 1 and "" not in names:
            try:
                fit, held = hold_out(groups, HELD_OUT, seed)
            except UsageError:
                continue
            return fit, held, f"{len(np.unique(groups[held]))} of {len(names)} {many}"
    order = rows.argsort().argsort() * 4 // max(len(rows), 1)
    return np.flatnonzero(order < 3), np.flatnonzero(order == 3), "the same recording"
