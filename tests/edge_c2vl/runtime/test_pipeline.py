"""The threads: order, dropping, ending, failing. Camera, pose and encoder are scripted; test_run has the real ones."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from edge_c2vl.monitoring.events import Missing
from edge_c2vl.monitoring.policy import State
from edge_c2vl.outputs.base import Sink
from edge_c2vl.runtime.queues import Mailbox
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33
from tests.support.pipeline import Camera, Encoder, Kept, Pose, build


def test_a_file_is_judged_frame_by_frame_and_the_same_every_time():
    runs = []
    for _ in range(2):
        kept = Kept()
        summary = build(Camera(301), sinks=[kept]).run()
        assert (summary.frames, summary.poses, summary.dropped_frames) == (301, 301, 0)
        assert len(kept.frames) == 301
        runs.append([(d.timestamp_s, d.state, d.label, d.distraction) for d in kept.decisions])
    assert runs[0] == runs[1]
    # 10 s at a decision every 0.25 s, the first after 0.25 s.
    assert len(runs[0]) == 40
    assert np.allclose(np.diff([when for when, *_ in runs[0]]), 0.25, atol=1 / 29)


@pytest.mark.parametrize("frames_a_hop", [1, 2, 3, 6, 7])
def test_a_hop_that_is_a_whole_number_of_frames_stays_one(frames_a_hop):
    kept = Kept()
    build(Camera(301), sinks=[kept], hop_s=frames_a_hop / 30).run()
    assert [round(30 * d.timestamp_s) for d in kept.decisions] == list(range(frames_a_hop, 301, frames_a_hop))


def test_states_and_their_changes():
    kept = Kept()
    summary = build(Camera(300), Pose(hidden=range(150, 300)), sinks=[kept]).run()
    assert [(s.state, s.next_state) for s in kept.states] == [
        (State.STARTING, State.DISTRACTED),
        (State.DISTRACTED, State.NOBODY),
        (State.NOBODY, None),
    ]
    distracted = kept.states[1]
    assert distracted.start_s == pytest.approx(1.0, abs=0.05)
    assert distracted.label == "distracted"
    assert distracted.probability == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-6)
    assert distracted.pose_confidence == pytest.approx(1.0)
    assert kept.states[0].end_s == kept.states[1].start_s
    assert sum(summary.decided.values()) == summary.decisions == len(kept.decisions)
    assert kept.closed == 1


class Headrest(Pose):
    """Finds a body that lies on its side, and the network is sure of it."""

    def estimate(self, image_bgr, timestamp_s):
        body = super().estimate(image_bgr, timestamp_s).copy()
        body[:, :2] = body[:, 1::-1] * np.array([-1, -1], np.float32)
        return body


def test_a_phantom_is_nobody_and_alerts_of_nothing_but_that():
    kept, encoder = Kept(), Encoder()
    summary = build(Camera(450), Headrest(), encoder, [kept]).run()
    assert encoder.clips == []
    assert {decision.state for decision in kept.decisions} == {State.STARTING, State.NOBODY}
    assert {decision.missing for decision in kept.decisions if decision.state is State.NOBODY} == {Missing.DRIVER}
    assert [alert.reason.value for alert in kept.alerts] == ["cannot see"] * 2
    assert kept.alerts[0].missing is Missing.DRIVER
    assert kept.states[-1].missing is Missing.DRIVER
    assert (summary.poses, summary.rejected) == (0, {"lying": 450})
    assert "no driver  lying 450" in summary.to_text()


class Late(Pose):
    """Half a second of a phantom, then the driver."""

    def estimate(self, image_bgr, timestamp_s):
        body = super().estimate(image_bgr, timestamp_s).copy()
        if timestamp_s < 0.5:
            body[:, :2] = body[:, :2] * 0.5 + np.array([30, 0], np.float32)
        return body


def test_the_young_window_remembers_no_phantom():
    encoder, alone = Encoder(), Encoder()
    build(Camera(120), Late(), encoder, [Kept()]).run()
    build(Camera(120), Pose(), alone, [Kept()]).run()
    assert encoder.clips
    for clip in encoder.clips:
        # A body that holds still looks the same at every time.
        np.testing.assert_allclose(clip, alone.clips[0], atol=1e-5)


@pytest.mark.parametrize(
    ("parts", "missing"), [(("elbow", "wrist"), Missing.ARMS), (("nose", "eye", "ear"), Missing.FACE)]
)
def test_what_is_not_seen_is_told(parts, missing):
    pose, kept = Pose(), Kept()
    for index, name in enumerate(MEDIAPIPE33.joints):
        if any(part in name for part in parts):
            pose._body[index, 3] = 0.1
    build(Camera(150), pose, sinks=[kept]).run()
    assert kept.decisions[-1].state is State.CANNOT_SEE
    assert kept.decisions[-1].to_json()["missing"] == missing.value


@pytest.mark.parametrize(("fps", "missing"), [(1, Missing.PICTURE), (1.6, Missing.PICTURE), (2, None), (30, None)])
def test_pictures_too_far_apart_are_told_as_that_and_not_as_hidden_arms(fps, missing, caplog):
    kept = Kept()
    build(Camera(int(10 * fps), fps=fps), sinks=[kept]).run()
    assert kept.decisions[-1].missing is missing
    assert kept.decisions[-1].state is (State.CANNOT_SEE if missing else State.DISTRACTED)
    assert caplog.text.count("pictures come more than 0.5 s apart") == (missing is not None)


def test_alerts_are_numbered_and_told_when_they_change():
    kept = Kept()
    summary = build(Camera(450), Pose(hidden=range(300, 450)), sinks=[kept]).run()
    assert [(a.number, a.level.name, a.reason and a.reason.value) for a in kept.alerts] == [
        (1, "NOTICE", "long distraction"),
        (2, "WARNING", "long distraction"),
        (3, "CRITICAL", "long distraction"),
        (4, "NONE", "long distraction"),
    ]
    # The driver is seen as distracted from 1 s on, and no speed is known.
    assert kept.alerts[1].timestamp_s == pytest.approx(1 + 3.5, abs=0.3)
    assert summary.alerts == 3
    assert {a.run for a in kept.alerts} == {kept.alerts[0].run}
    assert kept.alerts[0].to_json()["level"] == "notice"


def test_an_alert_that_stands_at_the_end_of_a_run_ends_with_it():
    kept = Kept()
    summary = build(Camera(300), sinks=[kept]).run()
    assert [a.level.name for a in kept.alerts] == ["NOTICE", "WARNING", "CRITICAL", "NONE"]
    assert summary.alerts == 3


def test_hidden_arms_are_never_shown_to_the_encoder():
    kept, encoder = Kept(), Encoder()
    build(Camera(200), Pose(arms=False), encoder, [kept]).run()
    assert encoder.clips == []
    assert {d.state for d in kept.decisions} == {State.STARTING, State.CANNOT_SEE}
    assert {d.label for d in kept.decisions} == {None}


def test_a_live_source_is_followed_not_queued():
    kept = Kept()
    summary = build(Camera(120, live=True, interval_s=1 / 60), Pose(delay_s=0.025), sinks=[kept]).run()
    # 2 s at 60 a second, of which a pose of 25 ms can look at 80 at most.
    assert summary.frames < 85
    assert summary.frames + summary.skipped_frames + summary.dropped_frames == 120
    assert [d.timestamp_s for d in kept.decisions] == sorted({d.timestamp_s for d in kept.decisions})


def test_stop_ends_a_run_and_closes_the_sinks():
    kept = Kept()
    pipeline = build(Camera(10**9), sinks=[kept])
    threading.Timer(0.3, pipeline.stop).start()
    summary = pipeline.run()
    assert summary.frames > 0
    assert kept.closed == 1
    assert len(kept.decisions) == summary.decisions
    assert kept.states[-1].next_state is None


def test_duration_ends_a_run():
    assert build(Camera(10**9)).run(duration_s=0.3).frames > 0


@pytest.mark.parametrize(
    ("camera", "encoder", "error"),
    [(Camera(100, fails_at=80), None, "unplugged"), (Camera(10**6), Encoder(fails=True), "the encoder broke")],
    ids=["camera", "encoder"],
)
def test_a_stage_that_fails_ends_the_run_with_its_error(camera, encoder, error):
    kept = Kept()
    with pytest.raises((OSError, RuntimeError), match=error):
        build(camera, encoder=encoder, sinks=[kept]).run()
    assert kept.closed == 1
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("_")]


def test_a_sink_that_fails_ends_the_run_with_its_error():
    class Full(Sink):
        def decision(self, decision):
            raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        build(Camera(10**6), sinks=[Full()]).run()


def test_a_clock_that_was_set_back_starts_a_new_window():
    class SetBack(Camera):
        def read(self):
            frame = super().read()
            if frame is not None and self._next > 150:
                frame.timestamp_s -= 3600
            return frame

    kept = Kept()
    build(SetBack(300), sinks=[kept]).run()
    assert [s.state for s in kept.states] == [State.STARTING, State.DISTRACTED, State.STARTING, State.DISTRACTED]


def test_a_live_slot_keeps_the_newest_and_counts_the_rest():
    slot = Mailbox(lossless=False)
    for item in range(5):
        assert slot.put(item)
    slot.close()
    assert not slot.put(9)
    assert (slot.take(), slot.take(), slot.dropped) == (4, None, 4)


def test_a_lossless_slot_hands_over_every_item():
    slot = Mailbox(lossless=True)
    giver = threading.Thread(target=lambda: [slot.put(item) for item in range(200)] and slot.close())
    giver.start()
    assert list(iter(slot.take, None)) == list(range(200))
    giver.join()
    assert slot.dropped == 0
