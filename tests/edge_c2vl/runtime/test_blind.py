"""A camera that fails, shows nothing or freezes: it is opened again, and the run knows that it is blind."""

from __future__ import annotations

import itertools
import time
from types import SimpleNamespace

import numpy as np

from edge_c2vl.cameras.camera import NoPicture
from edge_c2vl.cameras.freeze_detector import FreezeDetector
from edge_c2vl.cameras.reconnect import Reconnecting
from edge_c2vl.errors import CameraError
from edge_c2vl.monitoring.policy import State
from tests.support.pipeline import Blinking, Camera, Kept, Pose, build


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
