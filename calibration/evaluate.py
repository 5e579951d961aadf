"""Two models on the same clips: accuracy, agreement of their decisions, signal-to-noise ratio of their outputs.

What a vehicle alerts by is whether the driver is distracted, so that is judged beside the classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.clips import UNNAMED
from edge_c2vl.inference.onnxruntime import OnnxRuntimeBackend
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.scores import top1_and_balanced

BATCH = 32


@dataclass(frozen=True)
class Outputs:
    """What a model says of N clips. labels (N,): the right answers, or UNNAMED. distraction (K,): whether a class is
    one."""

    logits: Array
    embedding: Array
    labels: NDArray[np.int64]
    distraction: NDArray[np.bool_]

    @property
    def decisions(self) -> NDArray[np.int64]:
        return self.logits.argmax(axis=1)

    @property
    def odds(self) -> NDArray[np.float64]:
        """(N,) the log-odds of distraction. Only where there are classes of both kinds."""
        logits = self.logits.astype(np.float64)
        distracted, attentive = (
            np.logaddexp.reduce(logits[:, chosen], axis=1) for chosen in (self.distraction, ~self.distraction)
        )
        result: NDArray[np.float64] = distracted - attentive
        return result

    @property
    def judges_distraction(self) -> bool:
        return bool(self.distraction.any() and not self.distraction.all())


def outputs(model: Path | bytes, clips: Array, labels: NDArray[np.int64], distraction: NDArray[np.bool_]) -> Outputs:
    """What an ONNX model says of clips in memory (N, 3, T, 25), on the CPU in one thread."""
    starts = range(0, len(clips), BATCH)
    return outputs_of({"": model}, ((clips[s : s + BATCH], labels[s : s + BATCH]) for s in starts), distraction)[""]


def outputs_of(
    models: Mapping[str, Path | bytes],
    batches: Iterable[tuple[Array, NDArray[np.int64]]],
    distraction: NDArray[np.bool_],
) -> dict[str, Outputs]:
    """What several ONNX models say of the same clips, which are read once."""
    found: dict[str, list[tuple[Array, Array]]] = {name: [] for name in models}
    labels = []
    with ExitStack() as stack:
        backends = {name: stack.enter_context(OnnxRuntimeBackend(model, "")) for name, model in models.items()}
        for clips, right in batches:
            labels.append(right)
            for name, backend in backends.items():
                found[name].append(backend.infer(clips))
    answers = np.concatenate(labels)
    return {
        name: Outputs(
            np.concatenate([part[0] for part in parts]),
            np.concatenate([part[1] for part in parts]),
            answers,
            distraction,
        )
        for name, parts in found.items()
    }


def accuracy(found: Outputs) -> dict[str, float]:
    """top1, and balanced: the mean over the classes that occur of the share of their clips that is right, of the clips
    whose class is known. distracted, where it can be judged: the same of distracted or not, of all clips."""
    named = found.labels != UNNAMED
    top1, balanced = top1_and_balanced(found.decisions[named], found.labels[named])
    result = {"top1": top1, "balanced": balanced, "clips": len(found.labels)}
    if found.judges_distraction:
        right = np.where(named, found.distraction[found.labels], True)
        result["distracted"] = top1_and_balanced(found.odds > 0, right)[1]
    return result


def drop_points(reference: Outputs, found: Outputs, errors: float = 0.0) -> float:
    """How many points of balanced accuracy `found` loses, of the classes or of distracted or not, whichever is more;
    negative where it wins at both. errors: how many standard errors of the loss are taken off it. Few clips of a class
    tell little: of 43, one that is decided otherwise is 2.3 points of its recall.
    """
    named = reference.labels != UNNAMED
    falls = [_fall(reference.decisions[named], found.decisions[named], reference.labels[named], errors)]
    if reference.judges_distraction:
        right = np.where(named, reference.distraction[reference.labels], True)
        falls.append(_fall(reference.odds > 0, found.odds > 0, right, errors))
    return 100 * max(falls)


def _fall(before: NDArray[Any], after: NDArray[Any], labels: NDArray[Any], errors: float) -> float:
    """By how much the balanced accuracy of N >= 1 answers falls, less so many standard errors of that. Both are of the
    same clips, so only answers that became right or wrong count."""
    changes = (before == labels).astype(float) - (after == labels)
    by_class = [changes[labels == label] for label in np.unique(labels)]
    fall = np.mean([part.mean() for part in by_class])
    # The mean square and not the variance: one change of one clip has no variance, and says little all the same.
    variance = sum((part**2).mean() / len(part) for part in by_class) / len(by_class) ** 2
    return float(fall - errors * np.sqrt(variance))


def compare(reference: Outputs, found: Outputs) -> dict[str, float]:
    """agreement: share of equal decisions; SQNR of logits and embedding in dB (infinite where they are equal), and,
    where it can be judged, of the log-odds of distraction."""
    result = {
        "agreement": float((reference.decisions == found.decisions).mean()),
        "sqnr_logits_db": sqnr_db(reference.logits, found.logits),
        "sqnr_embedding_db": sqnr_db(reference.embedding, found.embedding),
    }
    if reference.judges_distraction:
        # Of their spread: where they are all alike, a large mean would hide that they are lost in noise.
        mean = reference.odds.mean()
        result["sqnr_odds_db"] = sqnr_db(reference.odds - mean, found.odds - mean)
    return result


def sqnr_db(reference: NDArray[Any], found: NDArray[Any]) -> float:
    """Signal-to-quantisation-noise ratio: power of the reference over power of the difference."""
    noise = float(((reference - found).astype(np.float64) ** 2).sum())
    signal = float((reference.astype(np.float64) ** 2).sum())
    return float("inf") if noise == 0 else 10 * float(np.log10(signal / noise))
