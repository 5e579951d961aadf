"""Embeddings of one data set are all alike: taking off their mean, whitening, and the figures that show it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.skeleton import Array

HOW = ("none", "centre", "whiten")
_SAMPLE = 4096


@dataclass(frozen=True)
class Preparation:
    """x -> unit((x - mean) @ matrix): what is done to embeddings before a softmax over them."""

    mean: Array  # (D,)
    matrix: Array  # (D, d)

    @classmethod
    def fit(cls, embeddings: ArrayLike, how: str = "centre", size: int = 0, at_most: bool = False) -> Preparation:
        """embeddings (..., D). centre: their mean is taken off; whiten: each principal component also gets variance 1.
        size: how many components are kept, or, at_most, as many of them as vary; 0: all that vary. Raises
        UsageError."""
        if how not in HOW:
            raise UsageError(f"embeddings are prepared by one of {', '.join(HOW)}, not {how!r}")
        flat = _flat(embeddings).astype(np.float64)
        dimension = flat.shape[1]
        if how == "none" and not size:
            return cls(np.zeros(dimension, np.float32), np.eye(dimension, dtype=np.float32))
        mean = np.zeros(dimension) if how == "none" else flat.mean(axis=0)
        variance, axes = np.linalg.eigh((flat - mean).T @ (flat - mean) / len(flat))
        variance, axes = variance[::-1], axes[:, ::-1]
        varying = int((variance > 1e-6 * variance[0]).sum()) if variance[0] > 1e-12 else 0
        if not varying:
            raise UsageError(f"{len(flat)} embeddings are all alike: nothing can be learnt from them")
        size = min(size, varying) if at_most else size
        if size > varying:
            raise UsageError(f"{len(flat)} embeddings vary in {varying} of {dimension} dimensions: ask for fewer")
        if how == "whiten":
            axes = axes[:, :varying] / np.sqrt(variance[:varying])
        matrix = np.eye(dimension) if how == "centre" and not size else axes[:, : size or axes.shape[1]]
        return cls(mean.astype(np.float32), np.ascontiguousarray(matrix, np.float32))

    def apply(self, embeddings: ArrayLike) -> Array:
        """(..., D) -> (..., d), unit length; what equals the mean stays zero."""
        moved = (np.asarray(embeddings, np.float32) - self.mean) @ self.matrix
        return moved / np.maximum(np.linalg.norm(moved, axis=-1, keepdims=True), 1e-12)


def _flat(embeddings: ArrayLike) -> Array:
    array = np.asarray(embeddings, np.float32)
    return array.reshape(-1, array.shape[-1])


def _sampled(flat: Array, count: int, seed: int) -> Array:
    if len(flat) <= count:
        return flat
    return flat[np.random.default_rng(seed).choice(len(flat), count, replace=False)]


def mean_cosine(embeddings: ArrayLike, seed: int = 0) -> float:
    """Mean cosine between two different embeddings; 1: all equal, 0: no common direction."""
    flat = _sampled(_flat(embeddings), _SAMPLE, seed).astype(np.float64)
    count = len(flat)
    if count < 2:
        return 1.0
    return float((np.square(flat.sum(axis=0)).sum() - np.square(flat).sum()) / (count * (count - 1)))


def effective_rank(embeddings: ArrayLike, seed: int = 0) -> float:
    """How many directions are used: exp of the entropy of the singular values' shares (Roy & Vetterli, 2007)."""
    values = np.linalg.svd(_sampled(_flat(embeddings), _SAMPLE, seed).astype(np.float64), compute_uv=False)
    shares = values[values > 1e-9 * values[0]] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def target_entropy(embeddings: ArrayLike, temperature: float, batch: int = 128, seed: int = 0) -> float:
    """Mean entropy (nats) of the rows of softmax(m m^T / temperature), in batches of `batch` rows' first embeddings.

    log(batch) where the targets are uniform and say nothing; 0 where they are one-hot and soften nothing.
    """
    array = np.asarray(embeddings, np.float32)
    rows = _sampled(array[:, 0] if array.ndim == 3 else array, batch * 16, seed)
    entropies: list[NDArray[np.float64]] = []
    for start in range(0, max(len(rows) - batch, 0) + 1, batch):
        some = rows[start : start + batch].astype(np.float64)
        logits = some @ some.T / temperature
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        entropies.append(-(shares * np.log(np.maximum(shares, 1e-300))).sum(axis=1))
    return float(np.concatenate(entropies).mean())


def statistics(embeddings: ArrayLike, temperatures: tuple[float, ...] = (0.05, 0.1, 0.2), size: int = 64) -> list[dict]:
    """For embeddings (N, K, D) as they are, centred, and whitened to `size`: mean cosine, effective rank, and the
    entropy of softmax targets in batches of 128 at each temperature."""
    rows = []
    for how, kept in (("none", 0), ("centre", 0), ("whiten", size)):
        try:
            prepared = Preparation.fit(embeddings, how, kept).apply(embeddings)
        except UsageError:  # fewer samples than dimensions asked for: this row cannot be told
            continue
        rows.append(
            {
                "prepared": f"{how} to {kept}" if kept else how,
                "dimensions": int(prepared.shape[-1]),
                "mean_cosine": mean_cosine(prepared),
                "effective_rank": effective_rank(prepared),
                "target_entropy": {f"{t:g}": target_entropy(prepared, t) for t in temperatures},
            }
        )
    return rows
