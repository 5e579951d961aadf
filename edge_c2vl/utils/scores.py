"""From a classifier's outputs to probabilities and accuracy: in the vehicle, in training and in calibration."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def softmax(scores: NDArray[Any]) -> NDArray[Any]:
    """(..., K) -> probabilities (..., K), in the same floating-point type."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: NDArray[Any] = powers / powers.sum(axis=-1, keepdims=True)
    return result


def log_odds(probabilities: Mapping[str, float], chosen: Collection[str]) -> float:
    """Of all classes `chosen` together, within -14 and 14."""
    share = sum(p for name, p in probabilities.items() if name in chosen)
    share = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(share / (1 - share))


def shift_odds(probabilities: Mapping[str, float], chosen: Collection[str], by: float) -> dict[str, float]:
    """The probabilities with the log-odds of all classes `chosen` together moved."""
    moved = {name: p * (math.exp(by) if name in chosen else 1.0) for name, p in probabilities.items()}
    total = sum(moved.values()) or 1.0
    return {name: p / total for name, p in moved.items()}


def top1_and_balanced(predicted: ArrayLike, labels: ArrayLike) -> tuple[float, float]:
    """The share of N >= 1 answers that are right; and the mean of the classes' recalls, over those that occur among the
    labels: a class without a row has no recall, and is left out rather than counted as 0 or 1."""
    labels = np.asarray(labels)
    right = np.asarray(predicted) == labels
    recalls = [right[labels == label].mean() for label in np.unique(labels)]
    return float(right.mean()), float(np.mean(recalls))
