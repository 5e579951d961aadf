"""Scripted timelines in which the policy must not fall silent: hidden drivers, flickers, gaps, speeds, other drivers.

The unit is a timeline, the figure is when which alert stands.
"""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.monitoring.policy import Observation, Policy, State
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.standing import OF_DISTRACTION, Level, Reason
from tests.support.policy import EMPTY_SEAT, HIDDEN_ARMS, LOOKS_AHEAD, ON_THE_PHONE, first, play

HOP_HZ = 4.0


def when(played, reason, level=Level.NOTICE):
    """The first time at which that alert stood; None: never."""
    return next((now for now, status in played if status.alerts.get(reason, Level.NONE) >= level), None)


def changes(played):
    """How many alert events a run would write: each reason whose level changed, at each step."""
    before, count = {}, 0
    for _, status in played:
        count += sum(before.get(reason, 0) != status.alerts.get(reason, 0) for reason in Reason)
        before = status.alerts
    return count


def turns(played):
    """How often the state changed."""
    return sum(before.state is not after.state for (_, before), (_, after) in itertools.pairwise(played))


def alternating(seconds, *whats, rate_hz=HOP_HZ):
    """One of `whats` an observation, in turn."""
    return play(*[(1 / rate_hz, whats[index % len(whats)]) for index in range(int(seconds * rate_hz))], rate_hz=rate_hz)


# A driver who is distracted and then cannot be seen


@pytest.mark.parametrize("hidden", [HIDDEN_ARMS, EMPTY_SEAT], ids=["arms hidden", "slumped out of view"])
def test_a_driver_who_slumps_out_of_view_on_the_phone_is_alerted_of_until_seen_attentive(hidden):
    played = play((8, ON_THE_PHONE), (60, hidden), (5, LOOKS_AHEAD))
    assert when(played, Reason.LONG, Level.CRITICAL) == pytest.approx(7.0, abs=0.051)
    assert all(status.alerts[Reason.LONG] is Level.CRITICAL for now, status in played if 7.1 < now < 68)
    assert when(played, Reason.UNRESPONSIVE) == pytest.approx(8 + 10, abs=0.1)
    assert all(status.reason is Reason.UNRESPONSIVE for now, status in played if 18.2 < now < 68)
    ended = next(now for now, status in played if now > 68 and not OF_DISTRACTION & set(status.alerts))
    assert ended == pytest.approx(68 + 1.0, abs=0.11)


def test_the_time_of_a_standing_alert_goes_on_counting_while_the_driver_cannot_be_seen():
    played = play((2.5, ON_THE_PHONE), (20, HIDDEN_ARMS))
    assert when(played, Reason.LONG, Level.NOTICE) == pytest.approx(2.1, abs=0.051)
    assert when(played, Reason.LONG, Level.WARNING) == pytest.approx(3.5, abs=0.11)
    assert when(played, Reason.LONG, Level.CRITICAL) == pytest.approx(7.0, abs=0.11)
    assert when(played, Reason.UNRESPONSIVE, Level.CRITICAL) == pytest.approx(12.5, abs=0.11)


def test_how_long_it_holds_before_it_escalates_has_a_name():
    played = play((4, ON_THE_PHONE), (10, HIDDEN_ARMS), policy_settings=PolicySettings(unresponsive_s=3))
    assert when(played, Reason.UNRESPONSIVE) == pytest.approx(7, abs=0.11)


def test_a_cumulative_warning_holds_while_the_driver_cannot_be_seen_and_escalates():
    glances = [(2.0, ON_THE_PHONE), (2.5, LOOKS_AHEAD)] * 8
    played = play(*glances, (2.0, ON_THE_PHONE), (15, HIDDEN_ARMS))
    hidden = [status for now, status in played if now > 38.5]
    assert all(status.alerts[Reason.CUMULATIVE] is Level.WARNING for status in hidden)
    assert hidden[-1].reason is Reason.UNRESPONSIVE


def test_one_attentive_look_between_hidden_stretches_ends_no_alert():
    looks = [(5, HIDDEN_ARMS), (0.25, LOOKS_AHEAD)] * 6
    played = play((8, ON_THE_PHONE), *looks, rate_hz=HOP_HZ)
    assert all(status.level is Level.CRITICAL for now, status in played if now > 7.1)


def test_hiding_before_there_was_an_alert_is_no_distraction():
    played = play((1.5, ON_THE_PHONE), (9, HIDDEN_ARMS))
    assert {status.level for _, status in played} == {Level.NONE}


def test_stopping_ends_the_alert_of_a_driver_out_of_view():
    played = play((8, ON_THE_PHONE), (20, EMPTY_SEAT), (5, EMPTY_SEAT | {"kmh": 0}))
    assert when(played, Reason.UNRESPONSIVE) is not None
    assert played[-1][1].alerts == {}


@pytest.mark.parametrize("hidden", [HIDDEN_ARMS, EMPTY_SEAT], ids=["arms hidden", "out of view"])
def test_a_distracted_driver_whose_arms_flicker_gives_a_handful_of_events(hidden):
    played = alternating(120, ON_THE_PHONE, hidden)
    assert changes(played) <= 6
    assert turns(played) <= 2
    # Half of the time he is seen, so each level comes before twice its time is over.
    assert when(played, Reason.LONG, Level.CRITICAL) < 14
    assert played[-1][1].level is Level.CRITICAL


@pytest.mark.parametrize("seconds", [0.5, 1, 2, 5])
def test_however_slowly_the_arms_flicker_the_events_stay_few(seconds):
    played = play(*[(seconds, ON_THE_PHONE), (seconds, HIDDEN_ARMS)] * int(60 / seconds), rate_hz=HOP_HZ)
    assert changes(played) <= 6


# A driver who cannot be seen


@pytest.mark.parametrize("glimpse", [LOOKS_AHEAD, ON_THE_PHONE])
def test_a_camera_that_is_blind_but_for_flickers_is_told_and_stays_told(glimpse):
    played = play(*[(8.25, HIDDEN_ARMS), (0.25, glimpse)] * 8, rate_hz=HOP_HZ)
    told = when(played, Reason.CANNOT_SEE)
    assert told == pytest.approx(10, abs=0.6)
    assert all(Reason.CANNOT_SEE in status.alerts for now, status in played if now >= told)


def test_a_starved_machine_tells_in_time_that_it_cannot_see():
    played = play((60, HIDDEN_ARMS), rate_hz=1 / 5)
    assert when(played, Reason.CANNOT_SEE) == pytest.approx(10)


def test_a_machine_that_looks_once_in_eight_seconds_says_so_though_each_look_is_clear():
    played = play((60, LOOKS_AHEAD), rate_hz=1 / 8)
    assert when(played, Reason.CANNOT_SEE) <= 16
    assert all(Reason.CANNOT_SEE in status.alerts for now, status in played if now >= 16)


@pytest.mark.parametrize("unseen_s", [0.0, math.inf])
def test_starting_for_ever_is_told(unseen_s):
    played = play((30, {"fill": 0.1, "unseen_s": unseen_s}), rate_hz=HOP_HZ)
    assert played[-1][1].state is State.STARTING
    assert when(played, Reason.CANNOT_SEE) == pytest.approx(10)


def test_a_driver_who_is_seen_again_for_three_seconds_is_seen():
    played = play((15, HIDDEN_ARMS), (10, LOOKS_AHEAD))
    ended = next(now for now, status in played if now > 15 and not status.alerts)
    assert ended == pytest.approx(18, abs=0.11)


def test_arms_that_are_seen_half_of_the_time_are_no_notice():
    assert changes(alternating(120, LOOKS_AHEAD, HIDDEN_ARMS)) == 0


def test_a_gap_in_which_nobody_looked_is_blind_and_no_distraction():
    policy = Policy(["phoning"])
    phone = {"attentive": 0.0, "phoning": 1.0}
    for now in (0.0, 0.5, 1.0, 41.0):
        status = policy.update(Observation(now, 0.0, 1.0, True, phone))
    assert status.alerts == {Reason.CANNOT_SEE: Level.NOTICE}
    assert status.awareness == pytest.approx(1 - 2 / 7)


# Where a distraction begins and ends


@pytest.mark.parametrize("rate_hz", [4.0, 10.0, 20.0])
def test_the_limit_counts_from_where_the_probability_began_to_rise(rate_hz):
    played = play((10, LOOKS_AHEAD), (20, ON_THE_PHONE), rate_hz=rate_hz)
    detected = next(now for now, status in played if status.state is State.DISTRACTED)
    assert detected >= 10.5
    for level, limit_s in ((Level.NOTICE, 2.1), (Level.WARNING, 3.5), (Level.CRITICAL, 7.0)):
        assert first(played, level) - 10 == pytest.approx(limit_s, abs=1 / rate_hz + 0.01)


def test_a_slow_rise_counts_for_two_seconds_at_most():
    rise = [(0.25, 0.4 + 0.004 * step) for step in range(70)]
    played = play((10, LOOKS_AHEAD), *rise, (20, 0.95), rate_hz=HOP_HZ)
    turned = next(status for _, status in played if status.state is State.DISTRACTED)
    assert turned.awareness == pytest.approx(1 - 2 / 7, abs=0.01)


def test_a_glance_counts_for_as_long_as_it_lasted():
    played = play((10, LOOKS_AHEAD), (2, ON_THE_PHONE), (10, LOOKS_AHEAD))
    assert 1 - min(status.awareness for _, status in played) == pytest.approx(2 / 7, abs=0.01)


def test_one_odd_window_within_a_call_costs_no_time():
    played = play((3, ON_THE_PHONE), (0.25, LOOKS_AHEAD), (10, ON_THE_PHONE), rate_hz=HOP_HZ)
    assert first(played) == pytest.approx(3.5, abs=0.01)


# Speed


@pytest.mark.parametrize("limit_kmh", [20, 50])
def test_a_speed_that_wavers_around_a_limit_does_not_toggle(limit_kmh):
    phone = {"distracted": ON_THE_PHONE}
    around = [phone | {"kmh": limit_kmh + 1}, phone | {"kmh": limit_kmh - 1}]
    played = play((1, phone | {"kmh": 0}), *[(1, around[index % 2]) for index in range(120)])
    assert changes(played) <= 5
    assert sum(a.paused is not b.paused for (_, a), (_, b) in itertools.pairwise(played)) == 1
    assert played[-1][1].level is Level.CRITICAL


def test_a_vehicle_that_slows_down_below_the_limit_pauses_three_below_it():
    phone = {"distracted": ON_THE_PHONE}
    assert not play((5, phone | {"kmh": 30}), (1, phone | {"kmh": 17.1}))[-1][1].paused
    assert play((5, phone | {"kmh": 30}), (1, phone | {"kmh": 16.9}))[-1][1].paused
    assert play((5, phone | {"kmh": 19.9}))[-1][1].paused


@pytest.mark.parametrize("kmh", [math.nan, math.inf, -math.inf])
def test_a_speed_that_is_no_number_is_unknown(kmh):
    assert first(play((20, {"distracted": ON_THE_PHONE, "kmh": kmh}))) == pytest.approx(3.5, abs=0.051)


# Side by side


def test_another_driver_takes_nothing_from_a_critical_alert():
    played = play((8, ON_THE_PHONE), (10, {"distracted": ON_THE_PHONE, "elsewhere": True}))
    status = played[-1][1]
    assert status.alerts[Reason.LONG] is Level.CRITICAL
    assert status.alerts[Reason.ELSEWHERE] is Level.NOTICE
    assert (status.level, status.reason) == (Level.CRITICAL, Reason.LONG)


def test_a_blind_camera_is_told_of_beside_the_alert_that_it_holds():
    status = play((8, ON_THE_PHONE), (20, HIDDEN_ARMS))[-1][1]
    assert list(status.alerts.items())[:2] == [
        (Reason.UNRESPONSIVE, Level.CRITICAL),
        (Reason.LONG, Level.CRITICAL),
    ]
    assert status.alerts[Reason.CANNOT_SEE] is Level.NOTICE


# Properties

moments = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.02, 0.3, 0.5, 0.7, 0.98, 1.0]),
        st.sampled_from([0.05, 0.25, 0.25, 0.25, 1.0, 4.0]),
        st.sampled_from(["seen", "seen", "hidden", "nobody", "starting"]),
        st.booleans(),
    ),
    max_size=80,
)


def observe(policy, now, moment, kmh=100.0):
    p, _, view, elsewhere = moment
    return policy.update(
        Observation(
            now,
            2.0 if view == "nobody" else 0.0,
            0.1 if view == "starting" else 1.0,
            view in ("seen", "starting"),
            {"phoning": p, "attentive": 1 - p},
            kmh,
            elsewhere=elsewhere,
        )
    )


@settings(max_examples=300)
@given(moments)
def test_a_critical_alert_never_goes_without_attention_or_a_pause(observations):
    policy, now, attentive_s, before = Policy(["phoning"]), 0.0, 0.0, {}
    alert_on_the_phone = [(1.0, 0.25, "seen", False)] * 40
    state = None
    for moment in (*alert_on_the_phone, *observations):
        step_s = min(moment[1], 1.0) if now else 0.0
        now += moment[1]
        attentive_s = attentive_s + step_s if state is State.ATTENTIVE else attentive_s
        status = observe(policy, now, moment)
        lost = {reason for reason in OF_DISTRACTION if status.alerts.get(reason, 0) < before.get(reason, 0)}
        if lost:
            assert state is State.ATTENTIVE
            assert attentive_s > 0
        if status.state is State.DISTRACTED:
            attentive_s = 0.0
        state, before = status.state, status.alerts


@settings(max_examples=60)
@given(st.lists(st.sampled_from([LOOKS_AHEAD, ON_THE_PHONE, 0.5, None]), min_size=480, max_size=480))
def test_whatever_the_windows_say_two_minutes_give_a_bounded_number_of_events(windows):
    played = play(*[(0.25, HIDDEN_ARMS if what is None else what) for what in windows], rate_hz=HOP_HZ)
    # An alert of distraction takes a second of attention to end, and the state a filter's time to turn twice.
    assert changes(played) <= 5 * 120 / 2


@settings(max_examples=200)
@given(moments, st.integers(0, 80))
def test_where_nothing_could_be_judged_for_the_whole_time_it_is_told(observations, at):
    policy, now = Policy(["phoning"]), 0.0
    for moment in observations[:at]:
        now += moment[1]
        observe(policy, now, moment)
    blind_since_s = now
    while now < blind_since_s + 11:
        now += 0.25
        status = observe(policy, now, (0.0, 0.25, "hidden", False))
    assert Reason.CANNOT_SEE in status.alerts


@settings(max_examples=100)
@given(moments)
def test_while_paused_no_alert_stands(observations):
    policy, now = Policy(["phoning"]), 0.0
    for moment in observations:
        now += moment[1]
        assert observe(policy, now, moment, kmh=0.0).alerts == {}
