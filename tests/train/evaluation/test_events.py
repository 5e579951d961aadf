"""Events found against events that took place."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.evaluation.events import Counted, Span, count, iou, match, merged


@st.composite
def spans(draw: st.DrawFn) -> list[Span]:
    """Spans one after another, with gaps."""
    edges = sorted(draw(st.lists(st.integers(0, 400), max_size=12, unique=True)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return [Span(a / 10, b / 10, draw(st.sampled_from(["phone", "drink"]))) for a, b in pairs]


def test_iou_by_hand() -> None:
    assert iou(Span(0, 4), Span(2, 6)) == pytest.approx(2 / 6)
    assert iou(Span(0, 4), Span(4, 6)) == 0
    assert iou(Span(1, 3), Span(1, 3)) == 1
    assert iou(Span(1, 1), Span(1, 1)) == 0


@given(spans(), spans(), st.sampled_from([0.1, 0.3, 0.5, 0.7]))
def test_matching_is_one_to_one_and_from_half_on_the_largest_there_is(
    truth: list[Span], found: list[Span], least: float
) -> None:
    pairs = match(truth, found, least)
    assert len({t for t, _ in pairs}) == len({f for _, f in pairs}) == len(pairs)
    for t, f in pairs:
        assert iou(truth[t], found[f]) >= least
        assert truth[t].label == found[f].label
    if least > 0.5:
        # Disjoint spans on both sides: each has one partner above one half at most, so all such pairs are matched.
        every = [
            (t, f)
            for t, f in itertools.product(range(len(truth)), range(len(found)))
            if truth[t].label == found[f].label and iou(truth[t], found[f]) >= least
        ]
        assert pairs == sorted(every)


@given(spans())
def test_what_is_found_exactly_is_perfect(truth: list[Span]) -> None:
    values = count(truth, truth, alerts_s=[span.start_s for span in truth], seconds=60).to_json()
    if truth:
        assert values["precision"] == values["recall"] == values["f1"] == 1
        assert values["delay_median_s"] == 0
    else:
        assert values["precision"] is values["recall"] is values["f1"] is values["delay_median_s"] is None
    assert values["false_alerts"] == values["false_events"] == 0


@given(spans(), spans())
def test_exchanging_truth_and_found_exchanges_precision_and_recall(a: list[Span], b: list[Span]) -> None:
    one, other = count(a, b).to_json(), count(b, a).to_json()
    assert one["precision"] == other["recall"]
    assert one["f1"] == other["f1"]


def test_a_scripted_drive() -> None:
    """A phone call noticed late, a drink missed, a false event with a false alert, and one alert in the grace."""
    truth = [Span(10, 20, "phone"), Span(40, 44, "drink")]
    found = [Span(12, 21, "phone"), Span(60, 62, "phone"), Span(41, 43, "phone")]
    counted = count(truth, found, alerts_s=[15, 22, 61], grace_s=3, seconds=1800)
    values = counted.to_json()
    assert (values["truth"], values["found"], values["matched"]) == (2, 3, 1)
    assert values["precision"] == pytest.approx(1 / 3)
    assert values["recall"] == 0.5
    assert (values["noticed"], values["delay_median_s"]) == (1, 2.0)
    assert (values["alerts"], values["false_alerts"], values["false_alerts_an_hour"]) == (3, 1, 2.0)
    # The phone "found" while drinking is a false event of phoning, as is that at 60 s.
    assert values["false_events_an_hour"] == 4.0


def test_recordings_add_up() -> None:
    one = Counted(2, 1, 1, (0.5,), 1, 0, 0, 1800)
    other = Counted(1, 3, 1, (1.5, 2.5), 2, 2, 2, 1800)
    values = (one + other).to_json()
    assert values["precision"] == 0.5
    assert values["recall"] == pytest.approx(2 / 3)
    assert values["delay_median_s"] == 1.5
    assert (values["hours"], values["false_alerts_an_hour"]) == (1.0, 2.0)


@given(spans(), st.floats(0, 2))
def test_merged_spans_are_apart_and_cover_the_same(truth: list[Span], gap_s: float) -> None:
    whole = merged(truth, gap_s)
    assert all(a.end_s + gap_s < b.start_s for a, b in itertools.pairwise(whole))
    assert all(any(one.contains(span.start_s) and one.contains(span.end_s) for one in whole) for span in truth)
    assert merged(whole, gap_s) == whole


def test_what_is_ambiguous_is_neither_false_nor_missed() -> None:
    """An alert and a found event that only an ambiguous span explains; another of each outside it."""
    unclear = [Span(30, 40, "-")]
    found = [Span(10, 20), Span(33, 41), Span(60, 62)]
    values = count(
        [Span(10, 20)], found, ambiguous=unclear, alerts_s=[12, 35, 42, 61], grace_s=3, seconds=990
    ).to_json()
    assert (values["found"], values["false_events"], values["false_alerts"]) == (2, 1, 1)
    assert (values["truth"], values["recall"], values["precision"]) == (1, 1.0, 0.5)
    assert values["seconds"] == 990


@given(spans(), spans(), st.lists(st.floats(0, 40), max_size=5))
def test_where_all_is_ambiguous_nothing_is_false(truth: list[Span], found: list[Span], alerts_s: list[float]) -> None:
    options = {"ambiguous": [Span(0, 41)], "alerts_s": alerts_s}
    values = count(truth, found, **options).to_json()
    assert values["false_alerts"] == values["false_events"] == 0
    assert values["found"] == values["matched"]
    assert values["recall"] == count(truth, found).to_json()["recall"]
