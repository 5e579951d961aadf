"""A drive that follows a script: camera, pose and encoder stand in, the pipeline and everything behind it are real."""

from __future__ import annotations

import math
import threading
import time

import numpy as np

from edge_c2vl.inference.base import Backend
from edge_c2vl.inference.model import ClipModel
from edge_c2vl.runtime.pipeline import Pipeline
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33
from tests.support.pipeline import Frame

SPEC = ClipSpec(frames=32, seconds=2.0)
LABELS = ("attentive", "phone", "drinking")
WIDTH, HEIGHT = 640, 480


class Camera:
    """Gray pictures, 30 a second, for ever."""

    live = True
    dropped = 0

    def __init__(self):
        self._started, self._count = time.monotonic(), 0
        self._image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)

    def interrupt(self):
        pass

    def read(self):
        time.sleep(max(0.0, self._started + self._count / 30 - time.monotonic()))
        self._count += 1
        now = time.monotonic()
        self._image[0, 0] = self._count % 256
        return Frame(self._image.copy(), now, now)


def driver(reach, sway):
    """Landmarks (33, 4) of a seated driver. reach: 0, both hands on the wheel, to 1, the right hand at the ear. sway: a
    shift in pixels."""
    points = dict.fromkeys(MEDIAPIPE33.joints, (0.0, 0.0, 0.0))

    def put(name, x, y):
        points[name] = (x + sway, y, 1.0)

    for side, sign in (("left", 1), ("right", -1)):
        put(f"{side}_eye_inner", 320 + 8 * sign, 126)
        put(f"{side}_eye", 320 + 15 * sign, 125)
        put(f"{side}_eye_outer", 320 + 22 * sign, 127)
        put(f"{side}_ear", 320 + 36 * sign, 136)
        put(f"{side}_mouth", 320 + 12 * sign, 162)
        put(f"{side}_shoulder", 320 + 86 * sign, 232)
        put(f"{side}_hip", 320 + 62 * sign, 430)
    put("nose", 320, 143)
    wheel = {"left": (402.0, 352.0), "right": (238.0, 352.0)}
    ear = (276.0, 148.0)
    for side, sign in (("left", 1), ("right", -1)):
        share = reach if side == "right" else 0.0
        wrist = [(1 - share) * wheel[side][axis] + share * ear[axis] for axis in (0, 1)]
        shoulder = (320 + 86 * sign, 232)
        elbow = bend(shoulder, wrist, 112, 104, sign)
        put(f"{side}_elbow", *elbow)
        put(f"{side}_wrist", *wrist)
        lift = -1 if share > 0.5 else 1
        put(f"{side}_index", wrist[0] - 6 * sign, wrist[1] - 20 * lift * (1 if share < 0.5 else -1))
        put(f"{side}_pinky", wrist[0] + 6 * sign, wrist[1] - 18)
        put(f"{side}_thumb", wrist[0] - 14 * sign, wrist[1] - 8)
    return np.array([[x, -y, 0.0, seen] for x, y, seen in points.values()], np.float32)


def bend(shoulder, wrist, upper, lower, side):
    """Where the elbow is, of an arm of these lengths that bends outwards (side: 1 right in the picture, -1 left)."""
    dx, dy = wrist[0] - shoulder[0], wrist[1] - shoulder[1]
    distance = min(math.hypot(dx, dy), upper + lower - 1)
    along = (upper**2 - lower**2 + distance**2) / (2 * distance)
    out = math.sqrt(max(0.0, upper**2 - along**2))
    ux, uy = dx / math.hypot(dx, dy), dy / math.hypot(dx, dy)
    # Of the two elbows that fit, the one farther out (and, straight above, lower).
    a = (shoulder[0] + along * ux - out * uy, shoulder[1] + along * uy + out * ux)
    b = (shoulder[0] + along * ux + out * uy, shoulder[1] + along * uy - out * ux)
    return max(a, b, key=lambda point: side * point[0] + 0.2 * point[1])


class Script:
    """Pose and encoder of one drive. At `distracted_s` (from, to) after the start the driver takes the phone; at
    `hidden_s` nobody is in view."""

    def __init__(self, distracted_s=(2.0, 1e9), hidden_s=(1e9, 1e9)):
        self._started = time.monotonic()
        self._distracted_s, self._hidden_s = distracted_s, hidden_s
        self.pose, self.encoder = ScriptedPose(self), ScriptedEncoder(self)

    @property
    def now_s(self):
        return time.monotonic() - self._started

    @property
    def reach(self):
        """0 to 1, within half a second."""
        begin, end = self._distracted_s
        return min(max(0.0, (self.now_s - begin) / 0.5), 1.0) if self.now_s < end else 0.0

    @property
    def hidden(self):
        return self._hidden_s[0] <= self.now_s < self._hidden_s[1]


class ScriptedPose:
    def __init__(self, script):
        self._script = script

    def estimate(self, image_bgr, timestamp_s):
        now_s = self._script.now_s
        return None if self._script.hidden else driver(self._script.reach, 6 * math.sin(2 * now_s))


class ScriptedEncoder(Backend):
    def __init__(self, script):
        super().__init__("scripted", "fp32", (3, SPEC.frames, 25))
        self._script = script

    def _infer(self, clip):
        now_s, reach = self._script.now_s, self._script.reach
        logits = [2.2 - 4 * reach, -0.5 + 4 * reach + 0.3 * math.sin(3 * now_s), -0.8 + 0.5 * math.sin(now_s)]
        return np.array([logits], np.float32), np.ones((1, 4), np.float32) / 2

    def _close(self):
        pass


class Drive:
    """A pipeline that runs in a thread of its own; a context manager."""

    def __init__(self, script, sinks, **more):
        self.pipeline = Pipeline(
            Camera(),
            script.pose,
            ClipModel(script.encoder, LABELS, LABELS[1:], SPEC),
            sinks=sinks,
            **more,
        )
        self._thread = threading.Thread(target=self.pipeline.run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.pipeline.stop()
        self._thread.join()
