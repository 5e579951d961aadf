"""The driver's own level, by scripted drives."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge_c2vl.monitoring.driver_baseline import MAX_SHIFT
from edge_c2vl.monitoring.self_calibration import CALM, GONE_S, SelfCalibration
from edge_c2vl.utils.scores import log_odds
from tests.support.windows import DISTRACTION, window


def probabilities(odds):
    share = 1 / (1 + math.exp(-odds))
    return {"attentive": 1 - share, "distracted": share}


def drive(calibration, odds, seconds, start_s=0.0, attentive=True, **look):
    """One window a second. odds: a number, or one by the second."""
    for second in range(seconds):
        now = odds(second) if callable(odds) else odds
        clip = window(seed=second, **look)
        calibration.look(clip, start_s + second, probabilities(now), DISTRACTION)
        calibration.learn(clip, start_s + second, now, attentive)


def shown(calibration, odds):
    return log_odds(calibration.look(window(), 1e6, probabilities(odds), DISTRACTION), DISTRACTION)


def test_a_driver_whose_attention_looks_suspicious_is_understood():
    calibration = SelfCalibration()
    drive(calibration, 0.2, 150)
    assert calibration.learnt == 1.0
    assert not calibration.learning
    assert calibration.offset == pytest.approx(0.2 - CALM, abs=1e-6)
    assert shown(calibration, 0.5) == pytest.approx(0.5 - calibration.offset)


def test_a_driver_who_looks_calm_is_left_as_is_unless_the_usual_level_is_known():
    unknown, known = SelfCalibration(), SelfCalibration(usual=-2.0)
    for calibration in (unknown, known):
        drive(calibration, -3.0, 150)
    assert unknown.offset == 0
    assert known.offset == pytest.approx(-1.0, abs=1e-6)


def test_progress_rises_and_the_offset_with_it():
    calibration, seen = SelfCalibration(), []
    for minute in range(6):
        drive(calibration, -0.8, 20, 20.0 * minute)
        seen.append((calibration.learnt, calibration.offset))
    assert seen == sorted(seen)
    assert 0 < seen[0][0] < 0.3
    assert 0.95 < seen[-1][0] <= 1


@pytest.mark.parametrize("odds", [-0.01, -30.0])
def test_the_offset_has_bounds(odds):
    calibration = SelfCalibration(usual=-9.0)
    drive(calibration, odds, 150)
    assert calibration.offset == math.copysign(MAX_SHIFT, odds + 9.0)


def test_nothing_is_learnt_from_distraction():
    calibration = SelfCalibration()
    drive(calibration, 2.0, 300)  # the classifier says distracted
    drive(calibration, -1.0, 300, 300.0, attentive=False)  # an alert stands, or the vehicle stands still
    assert (calibration.learnt, calibration.offset) == (0.0, 0.0)


def test_a_call_in_the_first_minutes_does_not_count():
    calm, busy = SelfCalibration(usual=-2.0), SelfCalibration(usual=-2.0)
    drive(calm, -3.0, 200)
    # A call whose beginning and end are taken for attention.
    drive(busy, lambda second: -0.2 if 30 <= second < 60 else -3.0, 200)
    assert busy.offset == pytest.approx(calm.offset, abs=1e-6)


def test_somebody_else_begins_it_again():
    calibration = SelfCalibration()
    drive(calibration, -0.8, 150)
    drive(calibration, -3.0, 60, 150.0, place=(500.0, -200.0, 100.0))
    assert calibration.learning
    assert calibration.learnt < 1


def test_a_seat_left_empty_begins_it_again_and_a_glance_away_does_not():
    calibration = SelfCalibration()
    drive(calibration, -0.8, 150)
    calibration.unseen(GONE_S / 2)
    assert calibration.learnt == 1.0
    calibration.unseen(math.inf)  # nobody ever was
    assert calibration.learnt == 1.0
    calibration.unseen(GONE_S + 1)
    assert (calibration.learnt, calibration.offset) == (0.0, 0.0)


def test_what_is_learnt_is_the_lower_part():
    calibration = SelfCalibration()
    noise = np.random.default_rng(0).normal(0, 0.6, 300)
    drive(calibration, lambda second: -0.5 + noise[second], 200)
    assert 0 < calibration.offset < -0.5 - CALM
