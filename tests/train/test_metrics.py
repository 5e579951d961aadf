"""Metrics against scikit-learn, and against figures worked out by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, precision_recall_fscore_support

from edge_c2vl.errors import UsageError
from edge_c2vl.utils.scores import softmax, top1_and_balanced
from train.metrics import (
    calibration_error,
    confusion,
    figures,
    mean_and_spread,
    per_class,
    reliability,
)


@st.composite
def predictions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,), some classes of which may be absent, and probabilities (N, K)."""
    classes, rows = draw(st.integers(2, 8)), draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    present = random.permutation(classes)[: draw(st.integers(1, classes))]
    labels = random.choice(present, rows)
    logits = random.normal(size=(rows, classes)) * draw(st.sampled_from([0.1, 1.0, 10.0]))
    logits[np.arange(rows), labels] += draw(st.sampled_from([0.0, 1.0, 5.0]))
    return labels, softmax(logits)


@given(predictions())
def test_figures_are_those_of_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = case
    predicted = probabilities.argmax(axis=1)
    found = figures(labels, probabilities)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are answered and do not occur
        expected = balanced_accuracy_score(labels, predicted)
    assert found.top1 == pytest.approx(accuracy_score(labels, predicted))
    assert found.balanced == pytest.approx(expected)
    assert found.n == len(labels)
    assert found.classes == len(np.unique(labels))


@given(predictions())
def test_each_class_is_as_scikit_learn_has_it(case: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = case
    predicted, classes = probabilities.argmax(axis=1), probabilities.shape[1]
    matrix = confusion(labels, predicted, classes)
    np.testing.assert_array_equal(matrix, confusion_matrix(labels, predicted, labels=range(classes)))
    precision, recall, f1, count = precision_recall_fscore_support(
        labels, predicted, labels=range(classes), zero_division=np.nan
    )
    for index, row in enumerate(per_class(matrix, [str(number) for number in range(classes)])):
        assert row["count"] == count[index]
        for name, values in (("precision", precision), ("recall", recall)):
            if row[name] is None:
                assert np.isnan(values[index])
            else:
                assert row[name] == pytest.approx(values[index])
        if row["count"] + row["predicted"]:
            assert row["f1"] == pytest.approx(f1[index])
        else:
            assert row["f1"] is None


@given(predictions())
def test_calibration_error_agrees_with_scikit_learns_bins(case: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = case
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    # Its bins are closed on the other side: a confidence of exactly one edge would fall elsewhere.
    edges = np.linspace(0, 1, 16)
    if np.isclose(confidence[:, None], edges[None, 1:-1], atol=1e-9).any():
        return
    accuracy, mean = calibration_curve(right, confidence, n_bins=15, strategy="uniform")
    counts, _ = np.histogram(confidence, edges)
    expected = np.average(np.abs(accuracy - mean), weights=counts[counts > 0])
    assert calibration_error(confidence, right) == pytest.approx(expected)
    assert sum(row["count"] for row in reliability(confidence, right)) == len(labels)


def test_calibration_error_by_hand() -> None:
    # Of four answers given with 0.9 three are right, of two given with 0.55 one.
    confidence = [0.9, 0.9, 0.9, 0.9, 0.55, 0.55]
    right = [True, True, True, False, True, False]
    assert calibration_error(confidence, right) == pytest.approx((4 * 0.15 + 2 * 0.05) / 6)


def test_an_absent_class_is_left_out_not_counted_as_zero() -> None:
    matrix = confusion([0, 0, 1], [0, 2, 1], 3)
    assert top1_and_balanced([0, 2, 1], [0, 0, 1]) == (pytest.approx(2 / 3), pytest.approx((0.5 + 1.0) / 2))
    rows = per_class(matrix, ["a", "b", "c"])
    assert rows[2] == {"name": "c", "count": 0, "predicted": 1, "recall": None, "precision": 0.0, "f1": 0.0}


def test_pooled_and_mean_of_splits_are_not_the_same() -> None:
    """Split 0 has three clips of class 0, all right; split 1 one clip of each class, both wrong."""
    first = figures([0, 0, 0], np.eye(2)[[0, 0, 0]])
    second = figures([0, 1], np.eye(2)[[1, 0]])
    pooled = figures([0, 0, 0, 0, 1], np.eye(2)[[0, 0, 0, 1, 0]])
    assert mean_and_spread([first.balanced, second.balanced])[0] == pytest.approx(0.5)
    assert pooled.balanced == pytest.approx((3 / 4 + 0) / 2)
    assert mean_and_spread([first.top1, second.top1])[0] == pytest.approx(0.5)
    assert pooled.top1 == pytest.approx(3 / 5)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=9))
def test_mean_and_sample_deviation(values: list[float]) -> None:
    mean, spread = mean_and_spread(values)
    assert mean == pytest.approx(np.mean(values), abs=1e-9)
    if len(values) == 1:
        assert spread is None
    else:
        assert spread == pytest.approx(np.std(values, ddof=1), abs=1e-9)


@pytest.mark.parametrize(("labels", "predicted"), [([], []), ([0], [0, 1]), ([-1], [0]), ([0], [3]), ([[0]], [[0]])])
def test_nonsense_is_refused(labels: list, predicted: list) -> None:
    with pytest.raises(UsageError):
        confusion(labels, predicted, 2)
