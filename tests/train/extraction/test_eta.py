"""The remaining time of an extraction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.extraction.eta import Eta, words


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=20),
    st.floats(0.01, 1.0),
    st.floats(3.1, 1e6),
)
def test_remaining_time_is_exact_when_files_go_at_one_rate(sizes: list[int], share: float, elapsed_s: float) -> None:
    """All files under way at once, equally far: the rest takes what is left at the same rate."""
    remaining = Eta(sizes)
    for index in range(len(sizes)):
        remaining.move(index, share)
    expected = elapsed_s * (1 - share) / share
    found = remaining.seconds(elapsed_s)
    assert found is not None
    # Never less; more where one file is longer than the others, which then goes on alone.
    assert found >= expected * (1 - 1e-9)
    if len(set(sizes)) == 1:
        assert found == pytest.approx(expected)


def test_remaining_time_of_one_long_file_among_many_processes() -> None:
    remaining = Eta([1000, *[100] * 10])
    for index in range(1, 11):
        remaining.finish(index)
    remaining.move(0, 0.5)
    # 1,500 bytes took 30 s; 500 are left, by one process alone.
    assert remaining.seconds(30.0) == pytest.approx(10.0)
    remaining.move(0, 0.0)  # it failed, and is done anew
    assert remaining.seconds(30.0) == pytest.approx(30.0)


def test_remaining_time_is_not_guessed() -> None:
    remaining = Eta([1000, 1000])
    remaining.move(0, 0.5)
    assert remaining.seconds(1.0) is None
    remaining.move(0, 0.0001)
    assert remaining.seconds(100.0) is None
    assert [words(value) for value in (None, 45.4, 600, 7200)] == [
        "time left not known yet", "about 45 s left", "about 10 min left", "about 2.0 h left",
    ]  # fmt: skip
