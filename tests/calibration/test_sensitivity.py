"""A layer that is known to be the culprit is found, ranked first and left in floating point, and no other is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.clips import divide
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
    clips = sets.selection.clips(), sets.selection.labels
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
    order = [row.node for row in rows]
    floating = search(case["model"], case["layers"], case["ranges"], case["clips"], case["reference"], order, 0.5)
    assert floating == [case["culprit"]]


def test_nothing_stays_where_nothing_is_lost(case: dict[str, Any], rows: list[Sensitivity]) -> None:
    order = [row.node for row in rows]
    assert search(case["model"], case["layers"], case["ranges"], case["clips"], case["reference"], order, 100.0) == []


def test_a_search_that_cannot_end_well_says_so(case: dict[str, Any], rows: list[Sensitivity]) -> None:
    order = [row.node for row in rows if row.node != case["culprit"]]
    with pytest.raises(CalibrationError, match="raise --max-drop"):
        search(case["model"], case["layers"], case["ranges"], case["clips"], case["reference"], order, 0.5)


def test_the_table(case: dict[str, Any], rows: list[Sensitivity]) -> None:
    lines = table(rows, [case["culprit"]]).splitlines()
    assert len(lines) == 2 + len(rows)
    assert case["culprit"] in lines[2]
    assert lines[2].endswith("| floating point |")
    assert all(line.endswith("| INT8 |") for line in lines[3:])


def made(logits: list[list[float]], labels: list[int]) -> Outputs:
    array = np.array(logits, np.float32)
    return Outputs(array, array, np.array(labels))


def test_accuracy_and_agreement_worked_by_hand() -> None:
    # Three clips of class 0, one of class 1: 2 of 3 and 0 of 1 are right.
    reference = made([[2, 0], [2, 0], [0, 2], [2, 0]], [0, 0, 0, 1])
    assert accuracy(reference) == {"top1": 0.5, "balanced": pytest.approx(1 / 3), "clips": 4}
    other = made([[2, 0], [2, 0], [2, 0], [0, 2]], [0, 0, 0, 1])
    assert compare(reference, other)["agreement"] == 0.5
    assert drop_points(other, reference) == pytest.approx(100 * 2 / 3)
    assert drop_points(reference, other) == pytest.approx(-100 * 2 / 3)


def test_sqnr_worked_by_hand() -> None:
    reference = np.array([[3.0, 4.0]], np.float32)
    assert sqnr_db(reference, reference) == float("inf")
    assert sqnr_db(reference, np.array([[3.0, 4.5]], np.float32)) == pytest.approx(20)  # 25 over 0.25
