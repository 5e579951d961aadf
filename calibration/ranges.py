"""From activations to the range [-t, t] that INT8 covers: four ways to choose the threshold t of a tensor.

    minmax      the largest magnitude seen: nothing is clipped, and an outlier costs everybody resolution
    percentile  the magnitude that 99.99 % of the values stay below
    entropy     the threshold after which the distribution is closest to what it was (Kullback-Leibler divergence;
                Migacz, "8-bit inference with TensorRT", GTC 2017)
    mse         the threshold with the least mean squared error of rounding and clipping

All but minmax work on a histogram of 2048 bins; with 128, entropy would have nothing to choose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.skeletons.skeleton import Array

METHODS = ("minmax", "entropy", "percentile", "mse")
BINS = 2048
LEVELS = 127  # of a symmetric INT8 number, on either side of 0
PERCENTILE = 99.99
SMALLEST = 1e-6  # threshold: of a tensor that is always 0
VALUES = 1 << 17  # of a tensor that are counted in a batch, about
STEPS = (1, 3, 7, 13, 29, 59, 127, 251, 509, 1021)


class CalibrationError(EdgeC2VLError):
    """The model cannot be quantised, or loses too much by it."""


@dataclass
class Histogram:
    """How often a tensor's magnitudes fell into each of BINS equal bins over [0, largest]."""

    largest: float
    counts: NDArray[np.int64]


def observe(
    run: Callable[[Array], Sequence[Array]], names: Sequence[str], batches: Callable[[], Iterable[Array]]
) -> dict[str, Histogram]:
    """The histograms of the tensors that `run` gives for a batch of clips, in the order of `names`.

    `batches` is called twice, for the clips have to be seen twice: once for the largest magnitudes, once to count.
    Raises CalibrationError where a tensor is not finite.
    """
    largest = np.zeros(len(names))
    for batch in batches():
        found = np.array([np.abs(value).max(initial=0) for value in run(batch)])
        if not np.isfinite(found).all():
            name = names[int(np.argmin(np.isfinite(found)))]
            raise CalibrationError(f"the model's tensor {name} is not finite on these clips: its weights are broken")
        largest = np.maximum(largest, found)
    histograms = {
        name: Histogram(float(top), np.zeros(BINS, np.int64)) for name, top in zip(names, largest, strict=True)
    }
    for batch in batches():
        for value, histogram in zip(run(batch), histograms.values(), strict=True):
            # A prime step meets all channels, frames and joints. bincount: np.histogram takes thirty times as long.
            step = next((step for step in STEPS if value.size <= step * VALUES), STEPS[-1])
            scaled = np.abs(value.ravel()[::step]) * np.float32(BINS / max(histogram.largest, 1e-30))
            bins = np.minimum(scaled, BINS - 1).astype(np.int32)
            histogram.counts += np.bincount(bins, minlength=BINS)
    return histograms


def thresholds(histograms: Mapping[str, Histogram], method: str) -> dict[str, float]:
    """The threshold of each tensor by one of METHODS; a tensor that is always 0 gets a tiny one."""
    choose = {"minmax": _minmax, "percentile": _percentile, "entropy": _entropy, "mse": _mse}[method]
    return {name: max(choose(found), SMALLEST) if found.largest else SMALLEST for name, found in histograms.items()}


def _minmax(histogram: Histogram) -> float:
    return histogram.largest


def _percentile(histogram: Histogram) -> float:
    covered = np.cumsum(histogram.counts) / histogram.counts.sum()
    return (int(np.searchsorted(covered, PERCENTILE / 100)) + 1) * histogram.largest / BINS


def _entropy(histogram: Histogram) -> float:
    """Of all thresholds at an edge of a bin, from LEVELS + 1 bins up, the one with the least divergence.

    The reference is the distribution with what lies beyond the threshold put into its last bin; the candidate is the
    same without it, merged into LEVELS + 1 levels and spread evenly over those of their bins that are not empty.
    Zeros are left out: they are exact in INT8, and after a ReLU they are half of all values.
    """
    counts = histogram.counts.astype(np.float64)
    counts[0] = 0
    if not counts.any():
        return histogram.largest
    levels = LEVELS + 1
    best, chosen = np.inf, BINS
    beyond = counts.sum() - np.cumsum(counts)
    for bins in range(levels, BINS + 1):
        inside = counts[:bins]
        reference = inside.copy()
        reference[-1] += beyond[bins - 1]
        level = np.arange(bins) * levels // bins
        occupied = inside > 0
        sums = np.bincount(level, inside, levels)
        members = np.bincount(level, occupied, levels)
        spread = np.where(occupied, sums[level] / np.maximum(members[level], 1), 0)
        divergence = _divergence(reference, spread)
        if divergence < best:
            best, chosen = divergence, bins
    return chosen * histogram.largest / BINS


def _divergence(reference: NDArray[np.float64], candidate: NDArray[np.float64]) -> float:
    """KL(reference || candidate), both normalised. What the candidate rules out counts as all but impossible: where an
    outlier stands alone, the threshold's own bin is empty, and the divergence would be infinite."""
    if not candidate.any():
        return np.inf
    happens = reference > 0
    p, q = reference[happens] / reference.sum(), np.maximum(candidate[happens] / candidate.sum(), 1e-9)
    return float((p * np.log(p / q)).sum())


def _mse(histogram: Histogram) -> float:
    """Of 200 thresholds up to the largest magnitude, the one with the least squared error over the bins' centres."""
    centres = (np.arange(BINS) + 0.5) * histogram.largest / BINS
    # What lies in the first bin is mostly exact zeros, which no threshold moves.
    weights = histogram.counts.astype(np.float64)
    weights[0] = 0
    candidates = histogram.largest * np.arange(1, 201) / 200
    errors = []
    for threshold in candidates:
        step = threshold / LEVELS
        rounded = np.minimum(np.round(centres / step), LEVELS) * step
        errors.append(float((weights * (centres - rounded) ** 2).sum()))
    return float(candidates[int(np.argmin(errors))])
