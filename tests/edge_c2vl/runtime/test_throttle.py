"""Doing less under heat and load."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from edge_c2vl.runtime.throttle import Throttle, ThrottleSettings
from tests.support.pipeline import Blinking, Kept, build


def walk(*spans):
    throttle, now, steps = Throttle(ThrottleSettings(settle_s=5)), 0.0, []
    for seconds, temperature, age in spans:
        for _ in range(seconds):
            now += 1
            steps.append(throttle.update(now, temperature, age))
    return steps


def test_a_cool_machine_on_time_does_full_work():
    assert set(walk((60, 50, 100.0))) == {0}
    assert set(walk((60, None, None))) == {0}


def test_heat_takes_steps_down_one_at_a_time_and_cooling_up_again():
    steps = walk((60, 95, 100.0), (60, 60, 100.0))
    assert steps[59] == 3
    assert steps[-1] == 0
    assert all(abs(a - b) <= 1 for a, b in itertools.pairwise(steps))


def test_between_hot_and_cool_nothing_changes():
    steps = walk((7, 95, 100.0), (100, 80, 100.0))
    assert set(steps[7:]) == {steps[6]}


def test_lateness_takes_steps_down_too():
    assert walk((30, 50, 900.0))[-1] == 3


@given(st.lists(st.tuples(st.floats(0, 50), st.none() | st.floats(-50, 200), st.none() | st.floats(0, 5000))))
def test_the_step_is_always_one_there_is(readings):
    throttle, now = Throttle(), 0.0
    for elapsed, temperature, age in readings:
        now += elapsed
        assert 0 <= throttle.update(now, temperature, age) < len(throttle.settings.steps)
        assert throttle.hop_factor >= 1
        assert throttle.most_fps >= 5


def test_fewer_poses_and_decisions_when_told_to():
    kept = Kept()
    pipeline = build(Blinking(240, ()), sinks=[kept], throttle=Throttle(ThrottleSettings(steps=((4, 10.0),))))
    summary = pipeline.run()
    # Every third frame, a decision each second of 8.
    assert summary.frames + summary.skipped_frames + summary.dropped_frames == 240
    assert summary.frames <= 80
    assert len(kept.decisions) <= 9
