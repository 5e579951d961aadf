"""Scripted timelines: what happens to a driver, and what the policy makes of it."""

from __future__ import annotations

import itertools
import math

import pytest

from edge_c2vl.monitoring.policy import Observation, Policy, State
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.standing import Level, Reason
from tests.support.policy import EMPTY_SEAT, HIDDEN_ARMS, LOOKS_AHEAD, ON_THE_PHONE, first, play


def in_order(values):
    return [value for value, _ in itertools.groupby(values)]


def states(*spans, **how):
    return in_order(status.state for _, status in play(*spans, **how))


def alerts(*spans, **how):
    return in_order((status.level, status.reason) for _, status in play(*spans, **how))


def levels(*spans, **how):
    return [level for level, _ in alerts(*spans, **how)]


NONE = (Level.NONE, None)
NOTICE, WARNING, CRITICAL = ((level, Reason.LONG) for level in (Level.NOTICE, Level.WARNING, Level.CRITICAL))
CUMULATIVE = (Level.WARNING, Reason.CUMULATIVE)
CANNOT_SEE = (Level.NOTICE, Reason.CANNOT_SEE)
ELSEWHERE = (Level.NOTICE, Reason.ELSEWHERE)


# States


def test_an_attentive_driver_stays_attentive():
    assert states((20, 0.1)) == [State.ATTENTIVE]


def test_a_driver_takes_a_call_and_hangs_up():
    assert states((5, 0.05), (5, 0.95), (5, 0.05)) == [State.ATTENTIVE, State.DISTRACTED, State.ATTENTIVE]


def test_one_odd_decision_changes_nothing():
    assert states((5, 0.05), (0.25, 0.99), (5, 0.05), rate_hz=4) == [State.ATTENTIVE]


def test_a_score_that_wavers_between_the_thresholds_does_not_flicker():
    assert states((5, 0.9), *[(0.5, 0.45), (0.5, 0.6)] * 10) == [State.DISTRACTED]
    assert states((5, 0.1), *[(0.5, 0.45), (0.5, 0.6)] * 10) == [State.ATTENTIVE]


def test_a_driver_who_gets_in_is_waited_for():
    spans = ((1, {"fill": 0.2, "unseen_s": math.inf}), (1, {"fill": 0.4}), (2, 0.1))
    assert states(*spans) == [State.STARTING, State.ATTENTIVE]


def test_a_driver_who_gets_out_and_in_again():
    assert states((2, 0.1), (3, EMPTY_SEAT), (2, 0.1)) == [State.ATTENTIVE, State.NOBODY, State.ATTENTIVE]


def test_a_camera_on_an_empty_seat_from_the_start():
    assert states((5, {"unseen_s": math.inf})) == [State.NOBODY]


def test_losing_the_driver_for_a_moment_is_no_empty_seat():
    assert states((2, 0.9), (0.5, {"unseen_s": 0.3, "distracted": 0.9}), (2, 0.9)) == [State.DISTRACTED]


def test_hidden_arms_give_no_class():
    _, status = play((2, 0.9), (5, HIDDEN_ARMS))[-1]
    assert status.state is State.CANNOT_SEE
    assert (status.label, status.probability, status.distraction) == (None, None, None)


def test_after_hidden_arms_the_driver_is_judged_anew():
    assert states((4, 0.95), (4, HIDDEN_ARMS), (4, 0.05)) == [State.DISTRACTED, State.CANNOT_SEE, State.ATTENTIVE]


def test_the_label_is_the_most_probable_class_and_distraction_their_sum():
    status = play((5, 0.9))[-1][1]
    assert status.label == "phoning"
    assert status.probability == pytest.approx(0.675)
    assert status.distraction == pytest.approx(0.9)


def test_a_distracted_driver_is_named_by_what_distracts_though_attentive_is_the_single_most_probable_class():
    policy = Policy(["phoning", "texting"])
    probabilities = {"attentive": 0.35, "phoning": 0.33, "texting": 0.32}
    calm = dict(probabilities, attentive=0.7, phoning=0.2, texting=0.1)
    seen = [policy.update(Observation(step / 4, 0.0, 1.0, True, calm)) for step in range(20)]
    seen += [policy.update(Observation(step / 4, 0.0, 1.0, True, probabilities)) for step in range(20, 60)]
    assert (seen[19].state, seen[19].label) == (State.ATTENTIVE, "attentive")
    assert (seen[-1].state, seen[-1].label, seen[-1].probability) == (State.DISTRACTED, "phoning", 0.33)


def test_the_state_says_since_when():
    played = play((5, 0.05), (5, 0.95))
    change = next(now for now, status in played if status.state is State.DISTRACTED)
    assert 5 < change < 6.5
    assert {status.since_s for now, status in played if now >= change} == {change}


# Long distraction


def test_a_driver_who_never_puts_the_phone_down_hears_all_three_levels():
    played = play((20, ON_THE_PHONE))
    assert in_order((s.level, s.reason) for _, s in played) == [NONE, NOTICE, WARNING, CRITICAL]
    assert first(played, Level.NOTICE) == pytest.approx(0.6 * 3.5, abs=0.051)
    assert first(played, Level.WARNING) == pytest.approx(3.5, abs=0.051)
    assert first(played, Level.CRITICAL) == pytest.approx(7.0, abs=0.051)


def test_at_town_speed_the_warning_comes_after_six_seconds():
    assert first(play((20, {"distracted": ON_THE_PHONE, "kmh": 35}))) == pytest.approx(6.0, abs=0.051)


def test_fifty_is_fast_and_just_below_is_not():
    assert first(play((20, {"distracted": ON_THE_PHONE, "kmh": 50}))) == pytest.approx(3.5, abs=0.051)
    assert first(play((20, {"distracted": ON_THE_PHONE, "kmh": 49.9}))) == pytest.approx(6.0, abs=0.051)


def test_a_driver_on_the_phone_at_the_lights_is_left_alone():
    played = play((60, {"distracted": ON_THE_PHONE, "kmh": 0}))
    assert {status.level for _, status in played} == {Level.NONE}
    assert played[-1][1].paused
    assert played[-1][1].state is State.DISTRACTED


def test_driving_off_with_the_phone_starts_the_count_then():
    played = play((30, {"distracted": ON_THE_PHONE, "kmh": 0}), (10, {"distracted": ON_THE_PHONE, "kmh": 60}))
    assert first(played) == pytest.approx(33.5, abs=0.11)


def test_stopping_ends_an_alert():
    phone = {"distracted": ON_THE_PHONE}
    assert levels((5, phone), (5, phone | {"kmh": 0})) == [Level.NONE, Level.NOTICE, Level.WARNING, Level.NONE]


def test_speeding_up_brings_the_warning_nearer():
    phone = {"distracted": ON_THE_PHONE}
    # 3 s of 6 are used up at town speed, half; the other half is used up at 1 / 3.5 a second.
    assert first(play((3, phone | {"kmh": 40}), (9, phone | {"kmh": 90}))) == pytest.approx(3 + 1.75, abs=0.11)


def test_without_a_speed_the_strict_limit_holds():
    assert first(play((20, {"distracted": ON_THE_PHONE, "kmh": None}))) == pytest.approx(3.5, abs=0.051)


def test_a_stale_speed_counts_as_unknown():
    parked = {"distracted": ON_THE_PHONE, "kmh": 0}
    assert first(play((20, parked | {"speed_age_s": 4.9}))) is None
    assert first(play((20, parked | {"speed_age_s": 5.1}))) == pytest.approx(3.5, abs=0.051)
    assert first(play((20, parked | {"speed_age_s": math.nan}))) == pytest.approx(3.5, abs=0.051)


def test_looking_up_for_a_second_ends_the_alert_and_awareness_recovers_faster_than_it_fell():
    played = play((5, ON_THE_PHONE), (10, LOOKS_AHEAD))
    lowest = min(status.awareness for _, status in played)
    recovered = next(now for now, s in played if now > 5 and s.awareness == 1.0)
    ended = next(now for now, s in played if now > 5 and s.level is Level.NONE)
    assert ended == pytest.approx(5 + 1.0, abs=0.11)
    assert lowest == pytest.approx(1 - 5 / 7, abs=0.01)
    assert (1 - lowest) * 7 / 2 == pytest.approx(recovered - 5, abs=0.11)


def test_looking_down_again_too_soon_alerts_sooner():
    once = first(play((20, ON_THE_PHONE)))
    spans = play((4, ON_THE_PHONE), (2, LOOKS_AHEAD), (20, ON_THE_PHONE))
    looked_down = next(now for now, s in spans if now > 5 and s.state is State.DISTRACTED)
    again = next(now for now, s in spans if now > looked_down and s.level >= Level.WARNING)
    assert again - looked_down < once - 0.5


def test_a_short_glance_at_the_radio_is_no_alert():
    assert alerts((10, LOOKS_AHEAD), (2, ON_THE_PHONE), (10, LOOKS_AHEAD)) == [NONE]


# Cumulative distraction


def test_many_short_glances_add_up():
    glances = [(2.0, ON_THE_PHONE), (2.5, LOOKS_AHEAD)] * 8
    played = play(*glances)
    assert Reason.CUMULATIVE in {status.reason for _, status in played}
    assert first(play(*[(0.8, ON_THE_PHONE), (4, LOOKS_AHEAD)] * 12)) is None


def test_glancing_back_does_not_clear_a_cumulative_alert():
    glances = [(2.0, ON_THE_PHONE), (2.5, LOOKS_AHEAD)] * 8
    assert alerts(*glances, (2.0, LOOKS_AHEAD))[-1] == CUMULATIVE
    assert alerts(*glances, (10.0, LOOKS_AHEAD))[-1] == NONE


def test_what_was_forgiven_is_not_counted_again():
    glances = [(2.0, ON_THE_PHONE), (2.5, LOOKS_AHEAD)] * 8
    played = play(*glances, (12, LOOKS_AHEAD), (1.5, ON_THE_PHONE), (3, LOOKS_AHEAD))
    assert played[-1][1].level is Level.NONE


def test_a_long_distraction_outranks_the_cumulative_one():
    assert alerts((20, ON_THE_PHONE))[-1] == CRITICAL


def test_glances_spread_over_minutes_do_not_add_up():
    assert alerts((5, LOOKS_AHEAD), *[(1.5, ON_THE_PHONE), (13, LOOKS_AHEAD)] * 8) == [NONE]


# Cannot see


def test_hidden_arms_are_told_after_ten_seconds():
    played = play((30, HIDDEN_ARMS))
    assert in_order((s.level, s.reason) for _, s in played) == [NONE, CANNOT_SEE]
    assert first(played, Level.NOTICE) == pytest.approx(10, abs=0.051)


def test_an_empty_seat_at_speed_is_told_too_but_not_while_parked():
    assert alerts((30, EMPTY_SEAT))[-1] == CANNOT_SEE
    assert alerts((30, EMPTY_SEAT | {"kmh": 0})) == [NONE]


def test_a_hand_before_the_camera_for_a_moment_is_nothing():
    assert alerts((10, LOOKS_AHEAD), (8, HIDDEN_ARMS), (10, LOOKS_AHEAD)) == [NONE]


def test_hiding_a_phone_that_was_not_alerted_of_adds_nothing_and_wins_back_nothing():
    played = play((2, ON_THE_PHONE), (5, HIDDEN_ARMS), (5, ON_THE_PHONE))
    assert first(played) == pytest.approx(2 + 5 + 1.5, abs=0.11)


def test_hiding_breaks_off_the_attention_that_clears():
    glances = [(2.0, ON_THE_PHONE), (2.5, LOOKS_AHEAD)] * 8
    broken = [(3, LOOKS_AHEAD), (0.5, HIDDEN_ARMS), (3, LOOKS_AHEAD)]
    assert alerts(*glances, *broken)[-1] == CUMULATIVE


# Another driver


def test_another_driver_on_the_phone_is_asked_to_learn_anew_and_alerted_all_the_same():
    phone = {"distracted": ON_THE_PHONE, "elsewhere": True}
    played = play((20, phone))
    assert levels((20, phone))[-1] is Level.CRITICAL
    assert all(status.alerts[Reason.ELSEWHERE] is Level.NOTICE for _, status in played)
    assert first(played, Level.CRITICAL) == first(play((20, ON_THE_PHONE)), Level.CRITICAL)
    assert alerts((20, phone | {"kmh": 0})) == [NONE]


def test_the_driver_who_was_learnt_comes_back_on_the_phone():
    played = alerts((5, {"elsewhere": True}), (5, ON_THE_PHONE))
    assert played == [ELSEWHERE, NONE, NOTICE, WARNING]


# Time


def test_a_frozen_stretch_counts_as_one_second():
    policy = Policy(["phoning"])
    for now in (0.0, 0.5, 60.0):
        status = policy.update(Observation(now, 0.0, 1.0, True, {"attentive": 0.0, "phoning": 1.0}))
    assert status.awareness == pytest.approx(1 - 1.5 / 7)


def test_a_clock_set_back_lets_no_time_pass():
    policy = Policy(["phoning"])
    for now in (100.0, 101.0, 50.0, 50.5):
        status = policy.update(Observation(now, 0.0, 1.0, True, {"attentive": 0.0, "phoning": 1.0}))
    assert status.awareness == pytest.approx(1 - 1.5 / 7)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"warning_fast_s": 0}, "warning_fast_s is a number above 0"),
        ({"recovery": "fast"}, "recovery is a number above 0"),
        ({"attentive_below": 0.7}, "attentive_below is not above"),
        ({"notice_share": 1.5}, "notice_share"),
        ({"slow_kmh": 60}, "slow_kmh"),
        # Milliseconds, and a percentage.
        ({"warning_fast_s": 3500}, "warning_fast_s is a number above 0 and of at most 420"),
        ({"smoothing_s": 100}, "smoothing_s is a number above 0 and of at most 90"),
        ({"nobody_after_s": 500}, "nobody_after_s is a number above 0 and of at most 60"),
        ({"perclos_drowsy": 15}, "perclos_drowsy is a number above 0 and of at most 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        PolicySettings(**changed)
