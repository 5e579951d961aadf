"""Durations by stage, kept in a ring."""

from __future__ import annotations

import pytest

from edge_c2vl.monitoring.stats import Timings


def test_table_totals_and_newest():
    timings = Timings(size=10)
    for duration in range(1, 26):
        timings.add("pose", float(duration))
    assert timings.newest("pose", 3) == [23.0, 24.0, 25.0]
    assert timings.newest("pose", 99) == [float(value) for value in range(16, 26)]
    assert timings.newest("encoder", 3) == []
    assert timings.totals() == {"pose": (25, 325.0)}
    row = timings.table()["pose"]
    assert row["count"] == 25
    assert row["p50_ms"] == pytest.approx(20.5)
    assert row["mean_ms"] == pytest.approx(20.5)


def test_measuring():
    timings = Timings()
    with timings.measure("policy"):
        pass
    assert timings.totals()["policy"][0] == 1
    assert timings.newest("policy", 1)[0] >= 0
