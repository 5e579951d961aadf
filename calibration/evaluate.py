"""Two models on the same clips: accuracy, agreement of their decisions, signal-to-noise ratio of their outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.inference.onnxruntime import OnnxRuntimeBackend
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.scores import top1_and_balanced

BATCH = 32


@dataclass(frozen=True)
class Outputs:
    """What a model says of N clips. labels: the right answers, (N,)."""

    logits: Array
    embedding: Array
    labels: NDArray[np.int64]

    @property
    def decisions(self) -> NDArray[np.int64]:
        return self.logits.argmax(axis=1)


def outputs(model: Path | bytes, clips: Array, labels: NDArray[np.int64]) -> Outputs:
    """What an ONNX model says of clips in memory (N, 3, T, 25), on the CPU in one thread."""
    starts = range(0, len(clips), BATCH)
    return outputs_of({"": model}, ((clips[s : s + BATCH], labels[s : s + BATCH]) for s in starts))[""]


def outputs_of(
    models: Mapping[str, Path | bytes], batches: Iterable[tuple[Array, NDArray[np.int64]]]
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
        name: Outputs(np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]), answers)
        for name, parts in found.items()
    }


def accuracy(found: Outputs) -> dict[str, float]:
    """top1, and balanced: the mean over the classes that occur of the share of their clips that is right."""
    top1, balanced = top1_and_balanced(found.decisions, found.labels)
    return {"top1": top1, "balanced": balanced, "clips": len(found.labels)}


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
