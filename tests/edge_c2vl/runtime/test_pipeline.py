"""The threads: order, dropping, ending, failing. Camera, pose and encoder are scripted; test_run has the real ones."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest

from edge_c2vl.inference.base import Backend
from edge_c2vl.monitoring.policy import State
from edge_c2vl.outputs.base import Sink
from edge_c2vl.runtime.pipeline import Pipeline
from edge_c2vl.runtime.queues import Slot
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33

SPEC = ClipSpec(frames=32, seconds=2.0)


@dataclass
class Frame:
    image: np.ndarray
    timestamp_s: float
    captured_s: float


class Camera:
    """Counts frames up to `count`. live: paced at 30 a second, and the reader gets the newest."""

    def __init__(self, count, live=False, fails_at=None):
        self.live, self._count, self._next, self._fails_at = live, count, 0, fails_at
        self._started = time.monotonic()

    dropped = 0

    def interrupt(self):
        pass

    def read(self):
        if self._next == self._fails_at:
            raise OSError("unplugged")
        if self._next >= self._count:
            return None
        if self.live:
            due = self._started + self._next / 30
            time.sleep(max(0.0, due - time.monotonic()))
        index, self._next = self._next, self._next + 1
        return Frame(np.full((48, 64, 3), index % 256, np.uint8), index / 30, time.monotonic())


class Pose:
    """A still driver; `hidden` gives the frames in which nobody is in view, `arms` whether arms are."""

    def __init__(self, hidden=range(0), arms=True, delay_s=0.0):
        generator = np.random.default_rng(0)
        self._body = np.concatenate([generator.uniform(0, 60, (33, 3)), np.ones((33, 1))], 1).astype(np.float32)
        if not arms:
            for index, name in enumerate(MEDIAPIPE33.joints):
                if "elbow" in name or "wrist" in name:
                    self._body[index, 3] = 0.1
        self._hidden, self._delay_s, self._index = hidden, delay_s, -1

    def estimate(self, image_bgr, timestamp_s):
        self._index += 1
        time.sleep(self._delay_s)
        return None if self._index in self._hidden else self._body


class Encoder(Backend):
    """Says distracted with logit `score`, and remembers the clips."""

    def __init__(self, score=3.0, delay_s=0.0, fails=False):
        super().__init__("scripted", "fp32", (3, SPEC.frames, 25))
        self.clips, self._score, self._delay_s, self._fails = [], score, delay_s, fails

    def _infer(self, clip):
        if self._fails:
            raise RuntimeError("the encoder broke")
        time.sleep(self._delay_s)
        self.clips.append(clip[0])
        return np.array([[0.0, self._score]], np.float32), np.ones((1, 4), np.float32) / 2

    def _close(self):
        pass


class Kept(Sink):
    wants_frames = True

    def __init__(self):
        self.decisions, self.states, self.alerts, self.frames, self.closed = [], [], [], [], 0

    def decision(self, decision):
        self.decisions.append(decision)

    def state(self, change):
        self.states.append(change)

    def alert(self, alert):
        self.alerts.append(alert)

    def frame(self, frame):
        self.frames.append(frame)

    def close(self):
        self.closed += 1


def build(camera, pose=None, encoder=None, sinks=(), **more):
    return Pipeline(
        camera,
        pose or Pose(),
        encoder or Encoder(),
        labels=["attentive", "distracted"],
        distraction=["distracted"],
        clip=SPEC,
        sinks=sinks,
        **more,
    )


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
    summary = build(Camera(120, live=True), Pose(delay_s=0.05), sinks=[kept]).run()
    # 4 s at 30 a second, of which a pose of 50 ms can look at 80 at most.
    assert summary.frames < 85
    assert summary.frames + summary.dropped_frames == 120
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
    slot = Slot(lossless=False)
    for item in range(5):
        assert slot.put(item)
    slot.close()
    assert not slot.put(9)
    assert (slot.take(), slot.take(), slot.dropped) == (4, None, 4)


def test_a_lossless_slot_hands_over_every_item():
    slot = Slot(lossless=True)
    giver = threading.Thread(target=lambda: [slot.put(item) for item in range(200)] and slot.close())
    giver.start()
    assert list(iter(slot.take, None)) == list(range(200))
    giver.join()
    assert slot.dropped == 0
