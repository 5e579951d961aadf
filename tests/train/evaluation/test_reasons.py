"""Alerts of a reason against when they were due."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_c2vl.errors import DatasetError
from edge_c2vl.monitoring.standing import Level, Reason
from tests.support.fleet import ALERT
from train.evaluation.reasons import ReasonCounted, count_reason, stood
from train.extraction.label_files import Span, read_truth

BLIND, LONG = Reason.CANNOT_SEE.value, Reason.LONG.value


def told(*alerts: tuple[float, Reason, Level]):
    return [replace(ALERT, timestamp_s=time_s, reason=reason, level=level) for time_s, reason, level in alerts]


def test_an_alert_stands_from_its_first_level_to_its_end():
    alerts = told(
        (4.0, Reason.LONG, Level.NOTICE),
        (5.0, Reason.LONG, Level.WARNING),
        (5.5, Reason.CANNOT_SEE, Level.NOTICE),
        (7.0, Reason.LONG, Level.NONE),
    )
    assert stood(alerts, 9.0) == [Span(4.0, 7.0, LONG), Span(5.5, 9.0, BLIND)]


def test_right_false_and_missed_alerts():
    truth = [
        Span(0, 10, "attentive", ()),
        Span(10, 14, "phone", (LONG,)),
        Span(14, 18, "drink", (LONG, BLIND)),  # goes on
        Span(30, 40, "phone", (LONG,)),  # missed
        Span(50, 60, "-", ()),
    ]
    alerts = [Span(2, 3, LONG), Span(13, 15, LONG), Span(16, 20, LONG), Span(52, 55, LONG), Span(20.5, 21, BLIND)]
    found = count_reason(LONG, truth, alerts, 3.0, 3600.0)
    assert found == ReasonCounted(2, 4, 2, (3.0,), 1, 3600.0)
    values = found.to_json()
    # The one in the time that is not judged counts for nothing.
    assert values["precision"] == pytest.approx(2 / 3)
    assert (values["recall"], values["delay_median_s"], values["false_alerts_an_hour"]) == (0.5, 3.0, 1.0)
    # Within the grace behind the stretch.
    assert count_reason(BLIND, truth, alerts, 3.0, 1.0).right == 1
    assert count_reason(BLIND, truth, alerts, 2.0, 1.0).false_alerts == 1


def test_an_alert_that_stood_before_is_no_delay():
    assert count_reason(LONG, [Span(5, 9, "phone", (LONG,))], [Span(1, 6, LONG)], 3.0, 1.0).delays_s == (0.0,)


def test_the_column_of_reasons(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"start,end,label,reasons\n0,1,phone,\n1,2,phone,{LONG}; {BLIND}\n")
    reasons = [reason.value for reason in Reason]
    assert [span.reasons for span in read_truth(path, ["phone"], 9.0, reasons)] == [(), (LONG, BLIND)]
    assert [span.reasons for span in read_truth(path, ["phone"])] == [None, None]
    path.write_text("start,end,label,reasons\n0,1,phone,bored\n")
    with pytest.raises(DatasetError, match="line 2: the reason 'bored' is unknown; there are unresponsive"):
        read_truth(path, ["phone"], 9.0, reasons)
