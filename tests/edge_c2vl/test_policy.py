"""Scripted timelines: what happens to a driver, and what the policy makes of it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_c2vl.policy import Observation, Policy, PolicySettings, State


def timeline(*spans, rate_hz=4.0, settings=None):
    """Plays spans of (seconds, observation fields) and returns [(time, status)]. A number stands for the probability of
    distraction of a driver who is well in view."""
    policy = Policy(["phoning", "drinking"], settings)
    result, now = [], 0.0
    for seconds, what in spans:
        for _ in range(round(seconds * rate_hz)):
            fields = {"unseen_s": 0.0, "fill": 1.0, "arms_seen": True, "distracted": 0.0}
            fields |= what if isinstance(what, dict) else {"distracted": what}
            p = fields.pop("distracted")
            probabilities = {"attentive": 1 - p, "phoning": p * 0.75, "drinking": p * 0.25}
            result.append((now, policy.update(Observation(now, probabilities=probabilities, **fields))))
            now += 1 / rate_hz
    return result


def states(*spans, **how):
    """The states in order, each once."""
    seen = []
    for _, status in timeline(*spans, **how):
        if not seen or seen[-1] is not status.state:
            seen.append(status.state)
    return seen


def test_an_attentive_driver_stays_attentive():
    assert states((20, 0.1)) == [State.ATTENTIVE]


def test_a_driver_takes_a_call_and_hangs_up():
    assert states((5, 0.05), (5, 0.95), (5, 0.05)) == [State.ATTENTIVE, State.DISTRACTED, State.ATTENTIVE]


def test_one_odd_decision_changes_nothing():
    assert states((5, 0.05), (0.25, 0.99), (5, 0.05)) == [State.ATTENTIVE]


def test_a_score_that_wavers_between_the_thresholds_does_not_flicker():
    assert states((5, 0.9), *[(0.5, 0.45), (0.5, 0.6)] * 10) == [State.DISTRACTED]
    assert states((5, 0.1), *[(0.5, 0.45), (0.5, 0.6)] * 10) == [State.ATTENTIVE]


def test_a_driver_who_gets_in_is_waited_for():
    spans = ((1, {"fill": 0.2, "unseen_s": math.inf}), (1, {"fill": 0.4}), (2, 0.1))
    assert states(*spans) == [State.STARTING, State.ATTENTIVE]


def test_an_empty_seat():
    assert states((2, 0.1), (3, {"unseen_s": 3.0}), (2, 0.1)) == [State.ATTENTIVE, State.NOBODY, State.ATTENTIVE]


def test_a_camera_on_an_empty_seat_from_the_start():
    assert states((5, {"unseen_s": math.inf})) == [State.NOBODY]


def test_losing_the_driver_for_a_moment_is_no_empty_seat():
    assert states((2, 0.9), (0.5, {"unseen_s": 0.3, "distracted": 0.9}), (2, 0.9)) == [State.DISTRACTED]


def test_hidden_arms_give_no_class():
    played = timeline((2, 0.9), (5, {"arms_seen": False, "distracted": 0.99}))
    assert played[-1][1].state is State.CANNOT_SEE
    assert played[-1][1].label is None
    assert played[-1][1].distraction is None


def test_after_hidden_arms_the_driver_is_judged_anew():
    played = states((4, 0.95), (4, {"arms_seen": False}), (4, 0.05))
    assert played == [State.DISTRACTED, State.CANNOT_SEE, State.ATTENTIVE]


def test_the_label_is_the_most_probable_class_and_distraction_their_sum():
    status = timeline((5, 0.9))[-1][1]
    assert status.label == "phoning"
    assert status.probability == pytest.approx(0.675)
    assert status.distraction == pytest.approx(0.9)


def test_the_state_says_since_when():
    played = timeline((5, 0.05), (5, 0.95))
    change = next(now for now, status in played if status.state is State.DISTRACTED)
    assert 5 < change < 6.5
    assert {status.since_s for now, status in played if now >= change} == {change}


@given(st.floats(2, 30), st.floats(0.7, 1.0))
def test_the_decision_rate_moves_a_change_by_one_step_at_most(rate, probability):
    def first_distracted(hertz):
        played = timeline((5, 0.05), (8, probability), rate_hz=hertz)
        return next(now for now, status in played if status.state is State.DISTRACTED)

    # 5 s of attention end on a step of either rate, which adds a step of its own to the difference.
    assert abs(first_distracted(rate) - first_distracted(30.0)) <= 2 / rate + 0.1


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 5), st.booleans()), max_size=40))
def test_the_filtered_probability_stays_a_probability(observations):
    policy = Policy(["phoning"], PolicySettings())
    now = 0.0
    for probability, step, arms in observations:
        now += step
        status = policy.update(Observation(now, 0.0, 1.0, arms, {"phoning": probability, "attentive": 1 - probability}))
        assert status.distraction is None or 0 <= status.distraction <= 1
