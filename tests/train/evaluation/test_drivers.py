"""Folds by driver never leak; figures over drivers and views are what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.splits import subject_folds
from edge_c2vl.skeletons.windows import sliding
from train.evaluation.driver_folds import Scenes, figures, frame_level, own_mean, table


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40), st.integers(2, 8))
def test_each_driver_is_tested_in_exactly_one_fold(drivers: list[str], count: int) -> None:
    count = min(count, len(set(drivers)))
    assume(count > 1)
    folds = subject_folds(drivers, count)
    assert sorted(name for fold in folds for name in fold) == sorted(set(drivers))
    assert max(map(len, folds)) - min(map(len, folds)) <= 1
    assert len(folds) == count


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
    assert result["right"]["auc_spread"] == pytest.approx(0.5**0.5, abs=1e-4)  # of the sample: n - 1
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


def test_a_frame_has_the_score_of_the_windows_around_it(tmp_path: Path) -> None:
    with ArchiveWriter(
        tmp_path / "archive", labels=["a", "b"], source="made up", licence="none", source_layout="ntu25"
    ) as writer:
        for camera in ("left", "right"):
            writer.append(
                camera, np.ones((60, 25, 4)), 10.0, subject="x", camera=camera, group="drive",
                frame_labels=np.repeat([-1, 0, 1], 20),
            )  # fmt: skip
    archive = Archive.open(tmp_path / "archive")
    windows = sliding(archive, None, seconds=2.0, hop_s=1.0)
    # The second recording has no score at all.
    labels, scores, where = frame_level(archive, windows, np.where(windows.clip == 0, windows.end_s, np.nan))
    assert labels.tolist() == [0] * 20 + [1] * 20
    assert set(where.camera) == {"left"}
    assert where.moment[0] == "drive@20"
    # The window that ends at 3.0 s has the frame at 2.0 s in its middle; the last window's middle is at 4.0 s, or
    # nearest to it, and frames after it keep its score.
    assert scores[0] == pytest.approx(3.0)
    assert scores[15] == pytest.approx(4.5)
    assert scores[-1] == pytest.approx(windows.end_s[windows.clip == 0].max())


def test_own_mean_is_of_the_same_driver_and_camera() -> None:
    where = scenes(drivers=2, moments=3)
    values = np.arange(12, dtype=float)[:, None]
    values[0] = np.nan
    normal = np.tile([True, True, False], 4)
    assert own_mean(values, where, normal)[:, 0].tolist() == [1.0] * 3 + [3.5] * 3 + [6.5] * 3 + [9.5] * 3
