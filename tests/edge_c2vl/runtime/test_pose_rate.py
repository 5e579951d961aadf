"""Which frames the pose looks at, by itself and through the pipeline."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge_c2vl.monitoring.policy import State
from edge_c2vl.runtime.pose_rate import PoseRate
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33
from tests.support.pipeline import Camera, Encoder, Kept, Pose, build

WRIST = MEDIAPIPE33.index("right_wrist")


def looked(times_s, pose_fps, max_gap_s=0.5, **more):
    rate = PoseRate(pose_fps, "mediapipe33", max_gap_s)
    return [time_s for time_s in times_s if rate.looks(time_s, **more)]


def times(fps, seconds=10.0, start_s=0.0):
    return [start_s + index / fps for index in range(round(fps * seconds))]


@pytest.mark.parametrize(("fps", "pose_fps", "expected"), [
    (30, 15, 150), (30, 10, 100), (25, 10, 100), (25, 15, 150), (60, 15, 150), (30, None, 300), (30, 30, 300),
    (10, 15, 100), (8, 15, 80), (30, 20, 200),
])  # fmt: skip
def test_so_many_poses_a_second(fps, pose_fps, expected):
    chosen = looked(times(fps), pose_fps)
    assert len(chosen) == pytest.approx(expected, abs=1)
    # Evenly: no two are farther apart than the rate and a frame of the camera.
    longest = max(b - a for a, b in itertools.pairwise(chosen))
    assert longest <= max(1 / (pose_fps or fps), 1 / fps) + 1 / fps


def test_a_clock_that_jitters_changes_little():
    jitter = np.random.default_rng(0).normal(0, 0.004, 300)
    assert len(looked(np.array(times(30)) + jitter, 15)) == pytest.approx(150, abs=8)


@pytest.mark.parametrize("offset_s", [-100.0, 100.0])
def test_a_clock_that_was_set_goes_on_at_once(offset_s):
    chosen = looked(times(30) + times(30, start_s=10 + offset_s), 15)
    assert len([t for t in chosen if t >= 10 or t < 0]) >= 150


def test_what_is_left_out_depends_on_what_the_camera_has_to_spare():
    assert len(looked(times(30, 2), None, most_fps=10)) == pytest.approx(20, abs=1)
    assert len(looked(times(5, 12), None, most_fps=2.5)) == pytest.approx(30, abs=1)
    assert len(looked(times(3, 20), None, most_fps=1)) == 60
    assert len(looked(times(30, 2), 15, most_fps=5)) == pytest.approx(10, abs=1)


def test_every_frame_when_an_alert_is_near_unless_the_machine_is_busy():
    assert len(looked(times(30), 15, alert_near=True)) == 300
    assert len(looked(times(30), 15, alert_near=True, most_fps=10)) == pytest.approx(100, abs=1)


def reaching(speed):
    """A driver whose wrist goes `speed` pixels a second between 3 and 4 s."""
    body = Pose().estimate(None, 0.0)
    rate, chosen = PoseRate(15, "mediapipe33", 0.5), []
    for time_s in times(30):
        if rate.looks(time_s):
            chosen.append(time_s)
            moved = body.copy()
            moved[WRIST, 0] += speed * min(max(time_s - 3, 0), 1)
            rate.saw(moved, time_s)
    return np.array(chosen)


def test_every_frame_while_a_hand_is_fast_and_a_second_longer():
    calm, fast = reaching(1), reaching(500)
    assert len(calm) == 150
    assert ((fast > 3.2) & (fast < 4.8)).sum() == pytest.approx(48, abs=2)
    assert (fast < 3).sum() == pytest.approx(45, abs=1)
    assert (fast > 5.2).sum() == pytest.approx(72, abs=2)


def test_the_time_that_nobody_looked_is_known():
    rate, unlooked_s = PoseRate(10, "mediapipe33", 0.5), []
    for time_s in times(30, 2):
        if rate.looks(time_s):
            unlooked_s.append(rate.unlooked_s)
    assert unlooked_s[0] == 0
    assert unlooked_s[1:] == pytest.approx([2 / 30] * (len(unlooked_s) - 1))
    rate = PoseRate(None, "mediapipe33", 0.5)
    assert not any(rate.unlooked_s for time_s in times(30, 2) if rate.looks(time_s))


def test_a_recording_is_looked_at_whole_unless_asked_otherwise():
    summary = build(Camera(300)).run()
    assert (summary.frames, summary.skipped_frames) == (300, 0)
    kept, again = Kept(), Kept()
    summary = build(Camera(300), sinks=[kept], pose_fps=15).run()
    assert (summary.frames, summary.skipped_frames, summary.dropped_frames) == (150, 150, 0)
    assert "150 left out" in summary.to_text()
    build(Camera(300), sinks=[again], pose_fps=15).run()
    assert [(d.timestamp_s, d.state, d.distraction) for d in kept.decisions] == [
        (d.timestamp_s, d.state, d.distraction) for d in again.decisions
    ]
    # As many decisions as at every frame, a hop apart.
    assert len(kept.decisions) == 39
    assert State.CANNOT_SEE not in {decision.state for decision in kept.decisions}


def test_a_live_camera_is_looked_at_fifteen_times_a_second_until_an_alert_is_near():
    quiet, distracted = Kept(), Kept()
    calm = build(Camera(90, live=True), encoder=Encoder(score=-3.0), sinks=[quiet]).run()
    busy = build(Camera(90, live=True), sinks=[distracted]).run()
    assert calm.skipped_frames > 30
    assert busy.skipped_frames < calm.skipped_frames
