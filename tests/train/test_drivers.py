"""Folds by driver never leak; figures over drivers and views are what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.drivers import Scenes, driver_folds, figures, table


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40), st.integers(1, 4))
def test_each_driver_is_tested_in_exactly_one_fold(drivers: list[str], per_fold: int) -> None:
    folds = driver_folds(drivers, per_fold)
    assert sorted(name for fold in folds for name in fold) == sorted(set(drivers))
    assert all(len(fold) <= per_fold for fold in folds)


def scenes(drivers: int = 2, moments: int = 4, views: tuple[str, ...] = ("left", "right")) -> Scenes:
    keys = [(f"{d}", view, f"{d}@{m}") for d in range(drivers) for view in views for m in range(moments)]
    return Scenes(*(np.array(column) for column in zip(*keys, strict=True)))


def test_figures_by_hand() -> None:
    where = scenes()
    labels = np.tile([0, 0, 1, 1], 4)
    # Driver 0: the left view is right always, the right view never. Driver 1: both are right always.
    good, bad = [0.1, 0.2, 0.8, 0.9], [0.7, 0.8, 0.2, 0.3]
    result = figures(labels, np.array(good + bad + good + good), where)
    assert result["left"]["auc"] == 1
    assert result["left"]["balanced"] == 1
    assert result["right"]["auc_drivers"] == pytest.approx(0.5)
    assert result["right"]["auc_spread"] == pytest.approx(0.5)
    assert result["right"]["auc_worst"] == 0
    assert result["right"]["balanced"] == pytest.approx(0.5)
    # Driver 0's moments together: means .4, .5, .5, .6: three pairs ordered rightly, one tie, at a threshold of .5.
    assert result["views_together"]["auc_worst"] == pytest.approx(3.5 / 4)
    assert result["views_together"]["windows"] == 8
    assert "| left | 1.000 |" in table(result)


def test_moments_that_a_camera_missed_do_not_count() -> None:
    where = scenes()
    kept = np.arange(len(where.driver)) != 0
    result = figures(np.tile([0, 0, 1, 1], 4)[kept], np.linspace(0, 1, 16)[kept], where[kept])
    assert result["views_together"]["windows"] == 7


def test_one_class_only_gives_no_figure_rather_than_a_wrong_one() -> None:
    result = figures(np.zeros(16, int), np.linspace(0, 1, 16), scenes())
    assert result["pooled"] == {"windows": 16}
    assert "only one class" in table(result)
