"""Probabilities keep their type; accuracy counts classes that occur."""

from __future__ import annotations

import numpy as np
import pytest

from edge_c2vl.utils.scores import softmax, top1_and_balanced


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_softmax_of_a_row_and_of_rows(kind: type) -> None:
    rows = np.array([[1000.0, 1000.0, -1000.0], [0.0, np.log(3.0), -np.inf]], kind)
    found = softmax(rows)
    assert found.dtype == kind
    np.testing.assert_allclose(found, [[0.5, 0.5, 0], [0.25, 0.75, 0]], rtol=1e-6)
    np.testing.assert_array_equal(softmax(rows[1]), found[1])


def test_a_class_that_does_not_occur_counts_neither_for_nor_against() -> None:
    assert top1_and_balanced([0, 2, 1, 0], [0, 0, 1, 0]) == (0.75, pytest.approx((2 / 3 + 1) / 2))
