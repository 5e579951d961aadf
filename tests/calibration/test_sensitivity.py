"""A layer that is known to be the culprit is found, ranked first and left in floating point, and no other is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.clips import UNNAMED, divide
from calibration.evaluate import Outputs, accuracy, compare, drop_points, outputs, sqnr_db
from calibration.quantize import insert_qdq, layers, load_folded
from calibration.ranges import CalibrationError
from calibration.sensitivity import Sensitivity, leave_one_out, search, table
from calibration.workflow import _histograms
from edge_c2vl.skeletons.archive import Archive
from tests.support.movements import LABELS, SPEC


@pytest.fixture(scope="module")
def case(trained_bundle: Path, archive: Archive) -> dict[str, Any]:
    """A model whose second graph convolution has a range 3,000 times too large: all it lets through is zeros."""
    model = load_folded(trained_bundle / "model.fp32.onnx")
    sets = divide(archive, LABELS, SPEC, samples=32)
    found = layers(model)
    histograms = _histograms(model, found, sets.calibration.clips())
    ranges = {name: histogram.largest for name, histogram in histograms.items()}
    (culprit,) = [layer for layer in found if "blocks.1/graph" in layer.node]  # no other layer has its input's range
    ranges[culprit.input] *= 3000
    clips = sets.selection.clips(), sets.selection.labels, np.array([True, True, False, False])
    return {
        "model": model,
        "layers": found,
        "ranges": ranges,
        "clips": clips,
        "culprit": culprit.node,
        "reference": outputs(model.SerializeToString(), *clips),
        "quantised": outputs(insert_qdq(model, found, ranges).SerializeToString(), *clips),
    }


@pytest.fixture(scope="module")
def rows(case: dict[str, Any]) -> list[Sensitivity]:
    return leave_one_out(
        case["model"], case["layers"], case["ranges"], case["clips"], case["reference"], case["quantised"]
    )


def test_the_case_is_broken(case: dict[str, Any]) -> None:
    assert drop_points(case["reference"], case["quantised"]) > 10


def test_the_culprit_comes_first(case: dict[str, Any], rows: list[Sensitivity]) -> None:
    assert rows[0].node == case["culprit"]
    assert rows[0].gain_db > 10
    assert rows[0].gain_db > 5 * abs(rows[1].gain_db)
    assert rows[0].agreement > rows[1].agreement
    assert {row.node for row in rows} == {layer.node for layer in case["layers"]}


def test_the_search_leaves_it_in_floating_point_and_no_other(case: dict[str, Any], rows: list[Sensitivity]) -> None:
    """By what it costs in accuracy, whatever it does to the log-odds."""
    assert searched(case, [replace(row, odds_gain_db=0.0) for row in rows], 0.5) == [case["culprit"]]


def test_one_layer_is_left_to_int8_where_every_one_is_noisy(case: dict[str, Any], rows: list[Sensitivity]) -> None:
    noisy = [replace(row, odds_gain_db=6.0) for row in rows]
    assert searched(case, noisy, 100.0) == [row.node for row in rows[:-1]]


def searched(case: dict[str, Any], rows: list[Sensitivity], max_drop: float) -> list[str]:
    return search(case["model"], case["layers"], case["ranges"], case["clips"], case["reference"], rows, max_drop)


def test_nothing_stays_where_nothing_is_lost(case: dict[str, Any], rows: list[Sensitivity]) -> None:
    assert searched(case, [replace(row, odds_gain_db=2.9) for row in rows], 100.0) == []


def test_what_makes_half_of_the_noise_of_the_log_odds_stays_though_no_clip_is_decided_otherwise(
    case: dict[str, Any], rows: list[Sensitivity]
) -> None:
    assert rows[0].odds_gain_db > 3 > rows[1].odds_gain_db
    assert searched(case, rows, 100.0) == [case["culprit"]]


def test_a_search_that_cannot_end_well_says_so(case: dict[str, Any], rows: list[Sensitivity]) -> None:
    with pytest.raises(CalibrationError, match="raise --max-drop"):
        searched(case, [row for row in rows if row.node != case["culprit"]], 0.5)


def test_the_table(case: dict[str, Any], rows: list[Sensitivity]) -> None:
    lines = table(rows, [case["culprit"]]).splitlines()
    assert len(lines) == 2 + len(rows)
    assert case["culprit"] in lines[2]
    assert lines[2].endswith("| floating point |")
    assert all(line.endswith("| INT8 |") for line in lines[3:])


def made(logits: list[list[float]], labels: list[int], distraction: list[bool] | None = None) -> Outputs:
    array = np.array(logits, np.float32)
    return Outputs(array, array, np.array(labels), np.array(distraction or [False] * array.shape[1]))


def test_accuracy_and_agreement_worked_by_hand() -> None:
    # Three clips of class 0, one of class 1: 2 of 3 and 0 of 1 are right.
    reference = made([[2, 0], [2, 0], [0, 2], [2, 0]], [0, 0, 0, 1])
    assert accuracy(reference) == {"top1": 0.5, "balanced": pytest.approx(1 / 3), "clips": 4}
    other = made([[2, 0], [2, 0], [2, 0], [0, 2]], [0, 0, 0, 1])
    assert compare(reference, other)["agreement"] == 0.5
    assert drop_points(other, reference) == pytest.approx(100 * 2 / 3)
    assert drop_points(reference, other) == pytest.approx(-100 * 2 / 3)


def test_the_drop_is_the_worse_of_classes_and_of_distracted_or_not() -> None:
    """Class 0 is attentive. The last clip is a distraction of which nobody says which one."""
    odds = [False, True, True]
    labels = [0, 1, 2, UNNAMED]
    right = made([[3, 0, 0], [0, 3, 0], [0, 0, 3], [0, 1, 1]], labels, odds)
    assert accuracy(right) == {"top1": 1, "balanced": 1, "clips": 4, "distracted": 1}
    # Classes exchanged among the distractions: a drop of the classes alone.
    exchanged = made([[3, 0, 0], [0, 0, 3], [0, 3, 0], [0, 1, 1]], labels, odds)
    assert accuracy(exchanged)["distracted"] == 1
    assert drop_points(right, exchanged) == pytest.approx(100 * 2 / 3)
    # The unnamed one is missed: of three distractions one, and no class.
    missed = made([[3, 0, 0], [0, 3, 0], [0, 0, 3], [4, 1, 1]], labels, odds)
    assert accuracy(missed)["balanced"] == 1
    assert drop_points(right, missed) == pytest.approx(100 / 6)


def test_one_clip_that_is_decided_otherwise_is_no_sure_drop() -> None:
    """Of 4 clips of class 0 one changes: 12.5 points of balanced accuracy, and a standard error as large. Of 8 changes
    the wrong way and 2 the right way in 40 clips, more than half of the drop is sure."""
    right = made([[1, 0]] * 4 + [[0, 1]] * 4, [0] * 4 + [1] * 4)
    changed = made([[0, 1]] + [[1, 0]] * 3 + [[0, 1]] * 4, [0] * 4 + [1] * 4)
    assert drop_points(right, changed) == pytest.approx(12.5)
    assert drop_points(right, changed, errors=1) == pytest.approx(0)
    labels = [0] * 40 + [1] * 40
    before = made([[0, 1]] * 2 + [[1, 0]] * 38 + [[0, 1]] * 40, labels)
    after = made([[1, 0]] * 2 + [[0, 1]] * 8 + [[1, 0]] * 30 + [[0, 1]] * 40, labels)
    assert drop_points(before, after) == pytest.approx(100 * 6 / 80)
    assert drop_points(before, after, errors=1) == pytest.approx(100 * (6 / 80 - np.sqrt(10) / 80))


def test_the_log_odds_of_distraction_worked_by_hand() -> None:
    found = made([[0, 1, 1], [2, 0, 0]], [0, 1], [False, True, True])
    np.testing.assert_allclose(found.odds, [1 + np.log(2), np.log(2) - 2], rtol=1e-6)
    noisy = made([[0, 1.15, 1.15], [2, 0, 0]], [0, 1], [False, True, True])
    # They lie 1.5 from their mean; one of them is off by 0.15.
    assert compare(found, noisy)["sqnr_odds_db"] == pytest.approx(10 * np.log10(2 * 1.5**2 / 0.15**2), abs=1e-4)
    assert "sqnr_odds_db" not in compare(made([[1, 0]], [0]), made([[1, 0]], [0]))


def test_sqnr_worked_by_hand() -> None:
    reference = np.array([[3.0, 4.0]], np.float32)
    assert sqnr_db(reference, reference) == float("inf")
    assert sqnr_db(reference, np.array([[3.0, 4.5]], np.float32)) == pytest.approx(20)  # 25 over 0.25
