"""How encoders are judged: linear probes, nearest neighbours, few labels, one class.

The encoder is frozen and in eval mode and its features are computed once: with BatchNorm left in train mode features
depend on their batch, and published linear evaluations have come out tens of points wrong by it. Whatever is chosen is
chosen on validation rows; test rows are scored once.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from train.metrics import Ints, score
from train.model.inference import Floats

# The fixed probe's C, and what the tuned one chooses from.
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


def choose_c(
    train: Floats, labels: Ints, validation: Floats, validation_labels: Ints, classes: int, by: str = "top1"
) -> float:
    """The C of C_GRID with the best `by` (top1 or balanced) on the validation rows; the smaller one of equals."""
    results = []
    for c in C_GRID:
        predicted = probe_scores(train, labels, validation, classes, c).argmax(axis=1)
        results.append(getattr(score(predicted, validation_labels), by))
    return C_GRID[int(np.argmax(results))]


def knn_predict(train: Floats, labels: Ints, test: Floats, k: int = 1, chunk: int = 4096) -> Ints:
    """The majority of the k nearest training rows by cosine; of equals the class whose members are nearer in sum."""
    k = min(k, len(train))
    if k < 1:
        raise UsageError("nearest neighbours need at least one training clip, and k of at least 1")
    unit_train = torch.nn.functional.normalize(torch.from_numpy(train), dim=1)
    unit_test = torch.nn.functional.normalize(torch.from_numpy(test), dim=1)
    predicted = []
    classes = int(labels.max()) + 1
    for part in unit_test.split(chunk):
        similarity, nearest = (part @ unit_train.T).topk(k, dim=1)
        votes = torch.zeros(len(part), classes)
        # 3 > the largest similarity sum that one more vote could be outweighed by, per vote: votes come first.
        votes.scatter_add_(1, torch.from_numpy(labels)[nearest], 3 * k + similarity)
        predicted.append(votes.argmax(dim=1))
    result: Ints = torch.cat(predicted).numpy() if predicted else np.zeros(0, np.int64)
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
