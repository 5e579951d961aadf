"""Figures of a classifier: top-1, balanced accuracy, per class, calibration error, confusion matrix.

Balanced accuracy is the mean of the recalls of the classes that occur among the labels: a class without a test row has
no recall, and is left out rather than counted as 0 or 1. NumPy only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.utils.scores import top1_and_balanced

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BINS = 15  # of the calibration error, as in Guo et al.


@dataclass(frozen=True)
class Figures:
    """top1, balanced, ece: shares of 1. n: rows. classes: how many of the classes occur among the labels."""

    top1: float
    balanced: float
    ece: float
    n: int
    classes: int

    def to_json(self) -> dict[str, float]:
        return asdict(self)


def figures(labels: ArrayLike, probabilities: ArrayLike) -> Figures:
    """labels (N,) in [0, K), probabilities (N, K). Raises UsageError on no row, or a label out of range."""
    labels, probabilities = np.asarray(labels, np.int64), np.asarray(probabilities, np.float64)
    matrix = confusion(labels, probabilities.argmax(axis=1), probabilities.shape[1])
    right = probabilities.argmax(axis=1) == labels
    top1, balanced = top1_and_balanced(probabilities.argmax(axis=1), labels)
    return Figures(
        top1=top1,
        balanced=balanced,
        ece=calibration_error(probabilities.max(axis=1), right),
        n=len(labels),
        classes=int((matrix.sum(axis=1) > 0).sum()),
    )


def confusion(labels: ArrayLike, predicted: ArrayLike, classes: int) -> Ints:
    """Counts (K, K): row = the right class, column = what was predicted."""
    labels, predicted = np.asarray(labels, np.int64), np.asarray(predicted, np.int64)
    if labels.shape != predicted.shape or labels.ndim != 1 or len(labels) == 0:
        raise UsageError("accuracy needs at least one clip, and a label and a prediction for each")
    if min(labels.min(), predicted.min()) < 0 or max(labels.max(), predicted.max()) >= classes:
        raise UsageError(f"accuracy needs labels from 0 to {classes - 1}: a clip without a label cannot be right")
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def per_class(matrix: Ints, names: Sequence[str]) -> list[dict[str, Any]]:
    """For each class: count (test rows), predicted (how often it was answered), recall, precision, f1.

    None where a figure does not exist: recall without a row, precision without an answer, f1 without either.
    """
    rows = []
    for index, name in enumerate(names):
        right, count, predicted = (
            int(matrix[index, index]),
            int(matrix[index].sum()),
            int(matrix[:, index].sum()),
        )
        rows.append(
            {
                "name": name,
                "count": count,
                "predicted": predicted,
                "recall": right / count if count else None,
                "precision": right / predicted if predicted else None,
                "f1": 2 * right / (count + predicted) if count + predicted else None,
            }
        )
    return rows


def reliability(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> list[dict[str, float]]:
    """The rows in bins of equal width of the predicted probability: from, to, count, mean confidence, accuracy.

    Bins are (from, to]; empty ones are left out.
    """
    confidence, right = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    result = []
    for index in np.unique(place):
        inside = place == index
        result.append(
            {
                "from": float(edges[index]),
                "to": float(edges[index + 1]),
                "count": int(inside.sum()),
                "confidence": float(confidence[inside].mean()),
                "accuracy": float(right[inside].mean()),
            }
        )
    return result


def calibration_error(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> float:
    """Expected calibration error of the answered class (Guo et al., "On Calibration of Modern Neural Networks", ICML
    2017, eq. 5): the mean over rows of |accuracy - confidence| of their bin."""
    table = reliability(confidence, right, bins)
    total = sum(row["count"] for row in table)
    return sum(row["count"] * abs(row["accuracy"] - row["confidence"]) for row in table) / total


def mean_and_spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation; None of a single value, of which no spread is known."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


@dataclass(frozen=True)
class Scores:
    """top1 and balanced (the mean of each class's recall, over the classes that occur) as shares; n clips."""

    top1: float
    balanced: float
    n: int

    def to_json(self) -> dict[str, float]:
        return asdict(self)


def score(predicted: Ints, labels: Ints) -> Scores:
    """Raises UsageError where a label is -1: it cannot be right or wrong."""
    if len(labels) == 0 or (labels < 0).any():
        raise UsageError("accuracy needs at least one clip, and a label for each")
    return Scores(*top1_and_balanced(predicted, labels), len(labels))


def roc_auc(scores: NDArray[np.float64], strange: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: how often a strange row scores above a normal one. NaN where either kind is missing."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(strange, scores)) if strange.any() and not strange.all() else float("nan")
