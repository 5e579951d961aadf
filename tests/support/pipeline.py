"""A camera, a pose network and an encoder that follow a script, for the real pipeline."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from edge_c2vl.inference.base import Backend
from edge_c2vl.inference.model import ClipModel
from edge_c2vl.outputs.base import Sink
from edge_c2vl.runtime.pipeline import Pipeline
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33
from tests.support.seated import seated

SPEC = ClipSpec(frames=32, seconds=2.0)


@dataclass
class Frame:
    image: np.ndarray
    timestamp_s: float
    captured_s: float


class Camera:
    """Counts frames up to `count`, stamped `fps` a second. live: one comes every `interval_s`, and the reader gets the
    newest."""

    def __init__(self, count, live=False, fails_at=None, interval_s=1 / 30, fps=30):
        self.live, self._count, self._next, self._fails_at = live, count, 0, fails_at
        self._interval_s, self._fps = interval_s, fps
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
            due = self._started + self._next * self._interval_s
            time.sleep(max(0.0, due - time.monotonic()))
        index, self._next = self._next, self._next + 1
        return Frame(np.full((48, 64, 3), index % 256, np.uint8), index / self._fps, time.monotonic())


class Pose:
    """A still driver; `hidden` gives the frames in which nobody is in view, `arms` whether arms are."""

    def __init__(self, hidden=range(0), arms=True, delay_s=0.0):
        self._body = seated(64, 48)
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


def model(encoder=None, words=None, by_words=False):
    return ClipModel(encoder or Encoder(), ["attentive", "distracted"], ["distracted"], SPEC, words, by_words)


def build(camera, pose=None, encoder=None, sinks=(), **more):
    return Pipeline(camera, pose or Pose(), model(encoder), sinks=sinks, **more)


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
