"""How `train probe` and `eval` judge encoders: linear probes, nearest neighbours, one class.

The encoder is frozen and in eval mode and its features are computed once: with BatchNorm left in train mode features
depend on their batch, and published linear evaluations have come out tens of points wrong by it. Whatever is chosen is
chosen on validation rows; test rows are scored once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from train.evaluation.fusion import fuse
from train.metrics import Ints, score
from train.model.inference import Floats

# C of the protocol "fixed", and what "linear" chooses from.
FIXED_C = 1.0
C_GRID = (0.001, 0.01, 0.1, 1.0, 10.0)
# The log-probability of a class that the probe was never shown.
UNSEEN_LOG_PROBABILITY = -1e3


# Linear probe and nearest neighbours


def probe_scores(train: Floats, labels: Ints, test: Floats, classes: int, c: float = FIXED_C) -> NDArray[np.float64]:
    """Log-probabilities (N, K) of the test rows by logistic regression on standardised features.

    Mean and standard deviation are those of the training rows. A class without a training row gets -1000. Raises
    UsageError on fewer than two classes, or features that are not finite.
    """
    from sklearn.linear_model import LogisticRegression

    if not np.isfinite(train).all() or not np.isfinite(test).all():
        raise UsageError("the features hold NaN or infinity: the model did not converge, or the clips are broken")
    if len(np.unique(labels)) < 2 or (labels < 0).any():
        raise UsageError("a probe needs labelled clips of two classes or more")
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    deviation = np.where(deviation > 1e-6, deviation, 1)  # a feature that never varies stays 0
    model = LogisticRegression(C=c, max_iter=5000).fit((train - mean) / deviation, labels)
    scores = np.full((len(test), classes), UNSEEN_LOG_PROBABILITY)
    if len(test):
        with np.errstate(divide="ignore"):  # a probability may round to 0
            scores[:, model.classes_] = np.maximum(
                model.predict_log_proba((test - mean) / deviation), UNSEEN_LOG_PROBABILITY
            )
    return scores


def choose_c(train: Floats, labels: Ints, validation: Floats, validation_labels: Ints, classes: int) -> float:
    """The C of C_GRID with the best top-1 accuracy on the validation rows; the smaller one of equals."""
    results = []
    for c in C_GRID:
        predicted = probe_scores(train, labels, validation, classes, c).argmax(axis=1)
        results.append(score(predicted, validation_labels).top1)
    return C_GRID[int(np.argmax(results))]


def linear(
    features: Mapping[str, Floats],
    labels: Ints,
    train: Ints,
    test: Ints,
    classes: int,
    validation: Ints | None = None,
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Scores (len(test), K) of the test rows by a linear probe on each stream's features (N, F), fused where there are
    several; and the C of each stream that was chosen.

    labels: (N,). train, test, validation: rows. With validation rows ("linear") C is chosen on them by probes on the
    other training rows; without ("fixed") it is 1. The probe that scores is fitted on all training rows.
    """
    scores, chosen = {}, {}
    for stream, values in features.items():
        c = FIXED_C
        if validation is not None:
            fit = np.setdiff1d(train, validation)
            c = choose_c(values[fit], labels[fit], values[validation], labels[validation], classes)
            chosen[stream] = c
        scores[stream] = probe_scores(values[train], labels[train], values[test], classes, c)
    return (fuse(scores) if len(scores) > 1 else next(iter(scores.values()))), chosen


def knn_votes(
    train: Floats, labels: Ints, test: Floats, classes: int, k: int = 1, chunk: int = 4096
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of the k nearest training rows by cosine: how many are of each class (N, K), and their summed cosines (N, K)."""
    k = min(k, len(train))
    if k < 1:
        raise UsageError("nearest neighbours need at least one training clip, and k of at least 1")
    unit_train = torch.nn.functional.normalize(torch.from_numpy(train), dim=1)
    unit_test = torch.nn.functional.normalize(torch.from_numpy(test), dim=1)
    counts, sums = np.zeros((len(test), classes)), np.zeros((len(test), classes))
    for first in range(0, len(test), chunk):
        similarity, nearest = (unit_test[first : first + chunk] @ unit_train.T).topk(k, dim=1)
        rows, voted = np.arange(first, first + len(similarity))[:, None], labels[nearest.numpy()]
        np.add.at(counts, (rows, voted), 1.0)
        np.add.at(sums, (rows, voted), similarity.numpy())
    return counts, sums


def knn_shares(train: Floats, labels: Ints, test: Floats, classes: int, k: int = 1) -> NDArray[np.float64]:
    """(N, K): the share of each class among the k nearest training rows."""
    return knn_votes(train, labels, test, classes, k)[0] / min(k, len(train))


def knn_predict(train: Floats, labels: Ints, test: Floats, k: int = 1) -> Ints:
    """The majority of the k nearest training rows by cosine; of equals the class whose members are nearer in sum."""
    counts, sums = knn_votes(train, labels, test, int(labels.max()) + 1, k)
    # A vote more counts for more than any sum of k cosines.
    result: Ints = (3 * k * counts + sums).argmax(axis=1)
    return result


# One class


def one_class_scores(normal: Floats, test: Floats, by: str = "mahalanobis") -> NDArray[np.float64]:
    """How far each test row (N, F) is from the normal ones (M, F); higher is stranger.

    mahalanobis: by the normal rows' mean and covariance, shrunk as Ledoit & Wolf (2004); cosine: 1 - the cosine to the
    nearest normal row, both centred on the normal mean.
    """
    if len(normal) < 2:
        raise UsageError("the one-class protocol needs at least two normal clips")
    mean = normal.mean(axis=0, dtype=np.float64)
    if by == "mahalanobis":
        from sklearn.covariance import LedoitWolf

        spread_ = normal.std(axis=0) + 1e-6
        estimate = LedoitWolf(assume_centered=True).fit((normal - mean) / spread_)
        return np.sqrt(estimate.mahalanobis((test - mean) / spread_))
    if by != "cosine":
        raise UsageError(f"--distance is mahalanobis or cosine, not {by!r}")
    unit = [torch.nn.functional.normalize(torch.from_numpy(x - mean), dim=1) for x in (normal, test)]
    nearest = [(part @ unit[0].T).amax(dim=1) for part in unit[1].split(1024)]
    return 1 - torch.cat(nearest).numpy() if nearest else np.zeros(0)


def one_class_by_camera(
    values: Floats, camera: NDArray[Any], normal: Ints, test: Ints, by: str = "mahalanobis", share: float = 0.0
) -> NDArray[np.float64]:
    """(len(test),): how far each test row is from the normal rows that its own camera saw.

    values: (N, F); camera: (N,); normal, test: rows. share: distances of several cameras are made to compare: a
    distance that so many of the camera's normal rows keep below becomes 0.5; 0: distances as they are.
    """
    result = np.full(len(test), np.nan)
    for name in np.unique(camera[test]):
        own, here = normal[camera[normal] == name], camera[test] == name
        distance = one_class_scores(values[own], values[test[here]], by)
        if share:
            distance = distance / (distance + np.quantile(one_class_scores(values[own], values[own], by), share))
        result[here] = distance
    return result
