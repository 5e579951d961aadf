"""What holds of the policy whatever happens: ranges, more distraction, the decision rate."""

from __future__ import annotations

import functools
import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.monitoring.policy import Observation, Policy, State
from edge_c2vl.monitoring.standing import OF_DISTRACTION, Level
from tests.support.policy import LOOKS_AHEAD, ON_THE_PHONE, first, play

moments = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.floats(0, 3),
        st.sampled_from(["seen", "seen", "seen", "hidden", "nobody"]),
        st.one_of(st.none(), st.floats(0, 200)),
    ),
    max_size=60,
)


def run(observations, more=(0.0,)):
    policy = Policy(["phoning"])
    now = 0.0
    for (probability, step, view, kmh), added in zip(observations, itertools.cycle(more), strict=False):
        now += step
        p = min(1.0, probability + added)
        unseen = 2.0 if view == "nobody" else 0.0
        seen = Observation(now, unseen, 1.0, view == "seen", {"phoning": p, "attentive": 1 - p}, kmh)
        yield now, policy.update(seen)


@given(moments)
def test_awareness_and_the_filtered_probability_stay_in_range(observations):
    for _, status in run(observations):
        assert 0 <= status.awareness <= 1
        assert status.distraction is None or 0 <= status.distraction <= 1
        assert (status.level is Level.NONE) == (status.reason is None) == (not status.alerts)
        assert list(status.alerts.values()) == sorted(status.alerts.values(), reverse=True)
        assert Level.NONE not in status.alerts.values()


@settings(max_examples=200)
@given(
    moments,
    st.lists(st.floats(0, 1), min_size=1, max_size=8),
    st.sampled_from([Level.NOTICE, Level.WARNING, Level.CRITICAL]),
)
def test_more_distraction_never_means_a_later_alert(observations, more, level):
    def first_about_distraction(added):
        for now, status in run(observations, added):
            if max(status.alerts.get(reason, Level.NONE) for reason in OF_DISTRACTION) >= level:
                return now
        return math.inf

    assert first_about_distraction(more) <= first_about_distraction((0.0,))


@settings(max_examples=40, deadline=None)
@given(
    st.floats(2, 30),
    st.lists(st.tuples(st.floats(1, 6), st.sampled_from([LOOKS_AHEAD, ON_THE_PHONE])), min_size=1, max_size=6),
)
def test_the_decision_rate_moves_awareness_by_what_few_steps_hold(rate, spans):
    # Every change of state may be seen a step later or earlier, by either run.
    slow, fast = play(*spans, rate_hz=rate)[-1], play(*spans, rate_hz=30.0)[-1]
    steps = 2 * (len(spans) + 1)
    assert abs(slow[1].awareness - fast[1].awareness) <= steps * (1 / rate + 1 / 30) * 2 / 7 + 1e-6


LEVELS = [Level.NOTICE, Level.WARNING, Level.CRITICAL]


@functools.cache
def alerts_at_30_hz():
    played = play((9, ON_THE_PHONE), rate_hz=30.0)
    return [first(played, level) for level in LEVELS]


@given(rate=st.floats(2, 30))
def test_the_decision_rate_moves_an_alert_by_one_step_at_most(rate):
    played = play((9, ON_THE_PHONE), rate_hz=rate)
    assert [first(played, level) for level in LEVELS] == pytest.approx(alerts_at_30_hz(), rel=0, abs=1 / rate + 1e-6)


@settings(max_examples=30)
@given(st.floats(2, 30), st.floats(2, 8))
def test_from_taking_the_phone_to_the_alert_the_rate_counts_for_one_step_at_most(rate, before_s):
    def delays(rate_hz):
        played = play((before_s, LOOKS_AHEAD), (9, ON_THE_PHONE), rate_hz=rate_hz)
        distracted_s = next(now for now, status in played if status.state is State.DISTRACTED)
        return [first(played, level) - distracted_s for level in LEVELS]

    assert delays(rate) == pytest.approx(delays(60.0), rel=0, abs=1 / rate + 1 / 60 + 1e-6)
