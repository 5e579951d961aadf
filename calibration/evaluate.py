"""Two models on the same clips: accuracy, agreement of their decisions, signal-to-noise ratio of their outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.clips import ClipSet
from edge_c2vl.backends.onnxruntime import OnnxRuntimeBackend
from edge_c2vl.progress import track
from edge_c2vl.skeleton import Array


@dataclass(frozen=True)
class Outputs:
    """What a model says of N clips. labels: the right answers, (N,)."""

    logits: Array
    embedding: Array
    labels: NDArray[np.int64]

    @property
    def decisions(self) -> NDArray[np.int64]:
        return self.logits.argmax(axis=1)


def outputs(model: Path | bytes, clips: ClipSet | tuple[Array, NDArray[np.int64]], description: str = "") -> Outputs:
    """Runs an ONNX model on the CPU, in one thread. clips: a set, or clips (N, 3, T, 25) and labels (N,) in memory."""
    batches: Any = clips.batches() if isinstance(clips, ClipSet) else _batches(*clips)
    if description and isinstance(clips, ClipSet):
        batches = track(batches, description, -(-len(clips) // 32))
    logits, embeddings, labels = [], [], []
    with OnnxRuntimeBackend(model, "") as backend:
        for batch, right in batches:
            found = backend.infer(batch)
            logits.append(found[0])
            embeddings.append(found[1])
            labels.append(right)
    return Outputs(np.concatenate(logits), np.concatenate(embeddings), np.concatenate(labels))


def accuracy(found: Outputs) -> dict[str, float]:
    """top1, and balanced: the mean over the classes that occur of the share of their clips that is right."""
    right = found.decisions == found.labels
    recalls = [right[found.labels == label].mean() for label in np.unique(found.labels)]
    return {"top1": float(right.mean()), "balanced": float(np.mean(recalls)), "clips": len(right)}


def drop_points(reference: Outputs, found: Outputs) -> float:
    """How many points of balanced accuracy `found` loses; negative where it wins."""
    return 100 * (accuracy(reference)["balanced"] - accuracy(found)["balanced"])


def compare(reference: Outputs, found: Outputs) -> dict[str, float]:
    """agreement: share of equal decisions; SQNR of logits and embedding in dB (infinite where they are equal)."""
    return {
        "agreement": float((reference.decisions == found.decisions).mean()),
        "sqnr_logits_db": sqnr_db(reference.logits, found.logits),
        "sqnr_embedding_db": sqnr_db(reference.embedding, found.embedding),
    }


def sqnr_db(reference: Array, found: Array) -> float:
    """Signal-to-quantisation-noise ratio: power of the reference over power of the difference."""
    noise = float(((reference - found).astype(np.float64) ** 2).sum())
    signal = float((reference.astype(np.float64) ** 2).sum())
    return float("inf") if noise == 0 else 10 * float(np.log10(signal / noise))


def _batches(clips: Array, labels: NDArray[np.int64], size: int = 32) -> Any:
    for first in range(0, len(clips), size):
        yield clips[first : first + size], labels[first : first + size]
