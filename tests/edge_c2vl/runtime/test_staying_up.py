"""Reconnecting, frozen pictures, heat and load, systemd, stuck stages."""

from __future__ import annotations

import errno
import itertools
import socket
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_c2vl.cameras.camera import NoPicture
from edge_c2vl.cameras.freeze_detector import FreezeDetector
from edge_c2vl.cameras.reconnect import Reconnecting
from edge_c2vl.device.systemd import Notifier
from edge_c2vl.errors import CameraError
from edge_c2vl.monitoring.policy import State
from edge_c2vl.runtime import pipeline as pipeline_module
from edge_c2vl.runtime.pipeline import Stuck
from edge_c2vl.runtime.throttle import Throttle, ThrottleSettings
from tests.support.pipeline import Camera, Encoder, Kept, Pose, build
from tests.support.waiting import wait_for

# Reconnecting


class Unplugged:
    """Gives `frames` frames, fails, and opens again at the third attempt."""

    live, dropped, misfit = True, 0, ""

    def __init__(self, frames=3):
        self._left, self.attempts, self.interrupted = frames, 0, False

    def read(self):
        if self._left == 0:
            raise CameraError("unplugged")
        self._left -= 1
        return SimpleNamespace(image=np.zeros((8, 8, 3), np.uint8), timestamp_s=time.monotonic(), captured_s=0.0)

    def reopen(self):
        self.attempts += 1
        if self.attempts < 3:
            raise CameraError("still unplugged")
        self._left = 2

    def describe(self):
        return "a camera"

    def interrupt(self):
        self.interrupted = True


QUICK_S = (0.01, 0.04)


def test_a_camera_that_fails_is_opened_again_and_the_run_knows_it_is_blind():
    camera = Reconnecting(Unplugged(), 0.01, QUICK_S)
    seen = [camera.read() for _ in range(3)]
    assert not any(isinstance(frame, NoPicture) for frame in seen)
    meanwhile = list(itertools.takewhile(lambda frame: isinstance(frame, NoPicture), iter(camera.read, None)))
    assert len(meanwhile) >= 2
    assert [frame.timestamp_s for frame in meanwhile] == sorted(frame.timestamp_s for frame in meanwhile)
    assert camera.reconnects == 1
    camera.interrupt()


def test_waiting_for_a_camera_can_be_ended():
    camera = Reconnecting(Unplugged(frames=0), 0.01, QUICK_S)
    assert isinstance(camera.read(), NoPicture)
    camera.interrupt()
    assert camera.read() is None


class Misfit(Unplugged):
    """Its pictures have another shape until it has been opened anew for the second time."""

    misfit = "another shape"

    def __init__(self):
        super().__init__(10**6)

    def read(self):
        now_s = time.monotonic()
        return NoPicture(now_s, now_s) if self.misfit else super().read()

    def reopen(self):
        self.attempts += 1
        self.misfit = "another shape" if self.attempts < 2 else ""


def test_a_camera_of_another_shape_is_opened_again_for_its_old_size():
    camera = Reconnecting(Misfit(), 0.01, QUICK_S, misfit_backoff_s=(0.02, 0.05))
    meanwhile = list(itertools.takewhile(lambda frame: isinstance(frame, NoPicture), iter(camera.read, None)))
    assert len(meanwhile) >= 4
    assert (camera.reconnects, camera.misfit) == (2, "")
    camera.interrupt()


# Blindness, in the pipeline


class Blinking(Camera):
    """Live frames of which those in `blind` have no picture."""

    def __init__(self, count, blind):
        super().__init__(count, live=True, interval_s=0.005)
        self._blind = blind

    def read(self):
        frame = super().read()
        if frame is not None:
            frame.image = np.random.default_rng(self._next).integers(0, 255, frame.image.shape, np.uint8)
            if self._next in self._blind:
                frame.image = None
        return frame


def test_a_run_without_pictures_cannot_see_and_says_so():
    kept = Kept()
    build(Blinking(240, range(120, 200)), Pose(), sinks=[kept]).run()
    states = [change.state for change in kept.states]
    assert states[:3] == [State.STARTING, State.DISTRACTED, State.CANNOT_SEE]


class Frozen(Camera):
    def __init__(self, count):
        super().__init__(count, live=True, interval_s=0.005)

    def read(self):
        frame = super().read()
        if frame is not None and self._next > 60:
            frame.image = np.zeros_like(frame.image)
        return frame


def test_a_frozen_camera_cannot_see():
    kept = Kept()
    build(Frozen(240), sinks=[kept]).run()
    assert kept.states[-1].state is State.CANNOT_SEE


def test_frozen_means_equal_for_long_enough():
    detector = FreezeDetector(limit_s=1.0)
    noise = np.random.default_rng(0)
    for index in range(50):
        assert not detector.frozen(noise.integers(0, 255, (80, 80, 3), np.uint8), index / 10)
    still = np.zeros((80, 80, 3), np.uint8)
    verdicts = [detector.frozen(still, 5 + index / 10) for index in range(20)]
    assert verdicts == [False] * 11 + [True] * 9
    assert not detector.frozen(noise.integers(0, 255, (80, 80, 3), np.uint8), 7.1)
    assert not detector.frozen(np.zeros((40, 40, 3), np.uint8), 7.2)


# Heat and load


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


# systemd and stuck stages


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    address = tmp_path / "notify"
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(address))
    monkeypatch.setenv("NOTIFY_SOCKET", str(address))
    monkeypatch.setattr(pipeline_module, "CHECK_INTERVAL_S", 0.05)
    told = []

    def listen():
        while (line := channel.recv(1000).decode()) != "the end":
            told.append(line)

    listener = threading.Thread(target=listen)
    listener.start()
    yield told
    channel.close()


def test_systemd_hears_of_start_progress_and_end(systemd):
    build(Blinking(300, ())).run()
    Notifier().send("the end")
    wait_for(lambda: systemd[-1:] == ["STOPPING=1"])
    assert systemd[0] == "READY=1"
    assert any(line.startswith("WATCHDOG=1\nSTATUS=") for line in systemd)


def test_systemd_is_told_also_when_no_file_can_be_opened(systemd, monkeypatch):
    notifier = Notifier()
    notifier.send("READY=1")

    def exhausted(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("edge_c2vl.device.systemd.socket.socket", exhausted)
    notifier.send("WATCHDOG=1")
    notifier.send("the end")
    notifier.close()
    wait_for(lambda: systemd == ["READY=1", "WATCHDOG=1"])


@pytest.mark.parametrize("what", ["pipeline.temperature_c", "pipeline.Throttle.update", "pipeline.psutil.Process"])
def test_what_fails_in_looking_after_a_run_is_told_once_and_ends_nothing(what, monkeypatch, caplog):
    def fails(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(pipeline_module, "CHECK_INTERVAL_S", 0.02)
    monkeypatch.setattr(f"edge_c2vl.runtime.{what}", fails)
    kept = Kept()
    summary = build(Blinking(300, ()), Pose(), sinks=[kept]).run()
    assert summary.frames > 0
    assert kept.decisions
    assert ["Too many open files" in record.getMessage() for record in caplog.records] == [True]


class Window(Kept):
    """A window whose display has gone."""

    on_main_thread = True

    def poll(self):
        raise RuntimeError("no display")


def test_a_window_that_fails_is_told_once_and_the_run_goes_on(caplog):
    window = Window()
    build(Blinking(200, ()), Pose(), sinks=[window]).run()
    assert window.decisions
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "Window failed, and the run goes on without it"
    ]


class Hanging(Pose):
    def __init__(self):
        super().__init__()
        self.release = threading.Event()

    def estimate(self, image_bgr, timestamp_s):
        if self._index == 30:
            self.release.wait(20)
        return super().estimate(image_bgr, timestamp_s)


def test_a_stage_that_hangs_ends_the_run_with_everything_flushed(monkeypatch):
    monkeypatch.setattr(pipeline_module, "CHECK_INTERVAL_S", 0.05)
    monkeypatch.setattr(pipeline_module, "STAGE_STOP_TIMEOUT_S", 0.2)
    kept, pose = Kept(), Hanging()
    with pytest.raises(Stuck, match="start the process again"):
        build(Blinking(10**6, ()), pose, Encoder(), [kept], watchdog_s=0.5).run()
    assert kept.closed == 1
    assert kept.decisions
    pose.release.set()


class HangingEncoder(Encoder):
    def __init__(self):
        super().__init__()
        self.release = threading.Event()

    def _infer(self, clip):
        if len(self.clips) == 5:
            self.release.wait(20)
        return super()._infer(clip)


def test_an_encoder_that_hangs_ends_the_run_too(monkeypatch):
    monkeypatch.setattr(pipeline_module, "CHECK_INTERVAL_S", 0.05)
    monkeypatch.setattr(pipeline_module, "STAGE_STOP_TIMEOUT_S", 0.2)
    kept, encoder = Kept(), HangingEncoder()
    with pytest.raises(Stuck, match="no progress of encoder"):
        build(Blinking(10**6, ()), Pose(), encoder, [kept], watchdog_s=0.5).run()
    assert kept.closed == 1
    encoder.release.set()


def test_a_stage_that_hangs_does_not_keep_a_run_from_being_ended(monkeypatch):
    monkeypatch.setattr(pipeline_module, "STAGE_STOP_TIMEOUT_S", 0.2)
    kept, pose = Kept(), Hanging()
    pipeline = build(Blinking(10**6, ()), pose, sinks=[kept])
    threading.Timer(1.0, pipeline.stop).start()
    pipeline.run()
    assert kept.closed == 1
    pose.release.set()


class Overflowing(Encoder):
    """Gives no number for the 20th to 40th clip, as a network that was quantised badly may."""

    def _infer(self, clip):
        logits, embedding = super()._infer(clip)
        return (logits * np.nan if 20 <= len(self.clips) < 40 else logits), embedding


def test_an_encoder_that_gives_no_number_cannot_see_and_recovers():
    kept = Kept()
    build(Camera(600), encoder=Overflowing(), sinks=[kept]).run()
    assert [change.state for change in kept.states] == [
        State.STARTING,
        State.DISTRACTED,
        State.CANNOT_SEE,
        State.DISTRACTED,
    ]
