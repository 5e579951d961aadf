"""Time that nobody watched, hops, slow cameras, runs without alerts: the policy's rules through the whole pipeline."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.monitoring.policy import State
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.standing import Level, Reason
from edge_c2vl.runtime.run import watch
from edge_c2vl.runtime.settings import RunSettings
from edge_c2vl.runtime.throttle import Throttle, ThrottleSettings
from tests.support.pipeline import Camera, Encoder, Kept, Pose, build
from tests.support.tiny_bundle import make_bundle


class Gap(Camera):
    """A recording whose time jumps by `gap_s` after 5 s."""

    def __init__(self, count, gap_s):
        super().__init__(count)
        self._gap_s = gap_s

    def read(self):
        frame = super().read()
        if frame is not None and self._next > 150:
            frame.timestamp_s += self._gap_s
        return frame


@pytest.mark.parametrize("gap_s", [2.0, 6.0, 40.0])
def test_nobody_is_called_distracted_while_nothing_was_recorded(gap_s):
    kept = Kept()
    summary = build(Gap(300, gap_s), sinks=[kept]).run()
    distracted = [(change.start_s, change.end_s) for change in kept.states if change.state is State.DISTRACTED]
    assert not [span for span in distracted if span[0] < 5.0 and span[1] > 5.0]
    assert distracted[0] == (pytest.approx(1.0, abs=0.1), pytest.approx(4.75, abs=0.1))
    assert sum(summary.states_s.values()) == pytest.approx(9.5, abs=0.6)
    assert summary.unwatched_s == pytest.approx(gap_s, abs=0.6)
    assert f"unwatched  {summary.unwatched_s:.1f} s" in summary.to_text()


def test_a_recording_without_a_gap_has_a_log_without_one():
    kept = Kept()
    summary = build(Camera(300), Pose(hidden=range(150, 200)), sinks=[kept]).run()
    assert summary.unwatched_s == 0
    assert all(before.end_s == after.start_s for before, after in itertools.pairwise(kept.states))


@pytest.mark.parametrize("fps", [2.5, 5, 8, 30])
def test_a_hot_machine_with_a_slow_camera_still_sees_the_driver(fps):
    kept = Kept()
    throttle = Throttle(ThrottleSettings(steps=((4, 5.0),)))
    build(Camera(int(20 * fps), fps=fps), sinks=[kept], throttle=throttle).run()
    assert State.CANNOT_SEE not in {decision.state for decision in kept.decisions}
    assert {decision.state for decision in kept.decisions[2:]} == {State.DISTRACTED}


def test_decisions_of_a_hot_machine_are_never_more_than_a_second_apart():
    throttle = Throttle(ThrottleSettings(steps=((4, math.inf),)))
    assert throttle.hop_s(0.25, 1.0) == 1.0
    assert throttle.hop_s(0.5, 1.0) == 1.0
    assert throttle.hop_s(1.0, 1.0) == 1.0
    assert throttle.hop_s(0.1, 1.0) == pytest.approx(0.4)


@pytest.mark.parametrize("hop_s", [float("nan"), float("inf"), 0.0, 1.01, 4.0])
def test_a_hop_that_would_stretch_the_limits_is_refused(hop_s):
    with pytest.raises(UsageError, match="every 1 s at least"):
        build(Camera(10), hop_s=hop_s)


def test_settings_that_do_not_suit_the_hop_are_refused_at_the_start_and_on_reload():
    short = PolicySettings(max_step_s=0.2)
    with pytest.raises(UsageError, match="max_step_s"):
        build(Camera(10), policy=short)
    pipeline = build(Camera(10))
    with pytest.raises(UsageError, match="max_step_s"):
        pipeline.set_policy(short)
    assert pipeline._monitor.policy.settings == PolicySettings()


def test_at_the_longest_hop_the_limits_are_what_they_say():
    kept = Kept()
    build(Camera(600), sinks=[kept], hop_s=1.0).run()
    warning = next(alert for alert in kept.alerts if alert.level is Level.WARNING)
    assert warning.timestamp_s == pytest.approx(1 + 3.5, abs=1.0)


class Flickering(Pose):
    """Arms are seen every other half second; windows with and without enough of them take turns."""

    def estimate(self, image_bgr, timestamp_s):
        body = super().estimate(image_bgr, timestamp_s)
        return body if timestamp_s < 8 else None


def test_a_driver_who_drops_out_of_view_while_distracted_is_alerted_of_to_the_end():
    kept = Kept()
    build(Camera(900), Flickering(), sinks=[kept]).run()
    after = [decision for decision in kept.decisions if decision.timestamp_s > 8.5]
    assert {decision.level for decision in after} == {Level.CRITICAL}
    assert Reason.UNRESPONSIVE in after[-1].alerts
    # Every alert ends with the run, and says which it was.
    ended = [alert.reason for alert in kept.alerts if alert.level is Level.NONE]
    assert set(ended) == set(after[-1].alerts)
    assert kept.alerts[-1].alerts == {}
    assert [alert.number for alert in kept.alerts] == list(range(1, len(kept.alerts) + 1))


def test_each_alert_record_tells_all_that_stand():
    kept = Kept()
    build(Camera(900), Flickering(), sinks=[kept]).run()
    standing = {}
    for alert in kept.alerts:
        standing[alert.reason] = alert.level
        assert dict(alert.alerts) == {reason: level for reason, level in standing.items() if level > Level.NONE}
        assert list(alert.alerts.values()) == sorted(alert.alerts.values(), reverse=True)


def test_without_alerts_none_is_raised():
    kept = Kept()
    summary = build(Camera(600), sinks=[kept], alerts=False).run()
    assert kept.alerts == []
    assert summary.alerts == 0
    assert {decision.level for decision in kept.decisions} == {Level.NONE}


def test_a_bundle_that_could_never_alert_is_refused_unless_no_alerts_are_wanted(tmp_path):
    bundle = str(make_bundle(tmp_path / "bundle", distraction=[]).path)
    with pytest.raises(UsageError, match="counts none of its labels as distraction.*--no-alerts"):
        watch(RunSettings.of(camera="simulated:attentive?live=no&seconds=1&size=160x120", bundle=bundle, quiet=True))
    asked = RunSettings.of(
        camera="simulated:attentive?live=no&seconds=1&size=160x120", bundle=bundle, quiet=True, no_alerts=True
    )
    assert watch(asked).alerts == 0


def test_a_recording_too_short_to_learn_from_is_an_error_that_says_why(tmp_path):
    path = tmp_path / "driver.npz"
    asked = RunSettings.of(
        camera="simulated:attentive?live=no&seconds=2&fps=10&size=160x120",
        normal=str(path),
        learn_normal=0.5,
        quiet=True,
    )
    with pytest.raises(EdgeC2VLError, match="normal driving was not learnt.*30 s are needed"):
        watch(asked)
    assert not path.exists()


class Broken(Encoder):
    def _infer(self, clip):
        logits, embedding = super()._infer(clip)
        return np.full_like(logits, np.nan), embedding


def test_an_encoder_without_an_answer_is_told_as_blind():
    kept = Kept()
    build(Camera(600), encoder=Broken(), sinks=[kept]).run()
    assert [(alert.level, alert.reason) for alert in kept.alerts] == [
        (Level.NOTICE, Reason.CANNOT_SEE),
        (Level.NONE, Reason.CANNOT_SEE),
    ]
