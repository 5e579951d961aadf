"""`edge-c2vl run` of a driver by script: `python -m tests.faults.scripted_run run ...`.

Camera, pose network and encoder are replaced, so that it starts in a second or two and alerts all the time; everything
else is the command as it is.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import cli
from edge_c2vl import pose
from edge_c2vl.cameras import camera
from edge_c2vl.inference import select
from edge_c2vl.inference.base import Backend
from tests.support import scripted

# The driver looks away and back once in so long.
PERIOD_S = 0.6


class Camera(scripted.Camera):
    fps = 30.0

    def describe(self):
        return "scripted"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Pose:
    name = "script"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def estimate(self, image_bgr, timestamp_s):
        return scripted.driver(0.0, 0.0)


class Encoder(Backend):
    def __init__(self, manifest):
        super().__init__("scripted", "fp32", (3, manifest.clip.frames, 25))
        self._away = np.array(
            [[4.0 if label in manifest.distraction else -4.0 for label in manifest.labels]], np.float32
        )

    def _infer(self, clip):
        away = time.monotonic() % PERIOD_S < PERIOD_S / 2
        return self._away if away else -self._away, np.ones((1, 4), np.float32) / 2

    def _close(self):
        pass


if __name__ == "__main__":
    camera.open_camera = lambda *_: Camera()
    pose.PoseEstimator = lambda *_, **__: Pose()
    select.open_backend = lambda bundle, *_: Encoder(bundle.manifest)
    cli.main(sys.argv[1:])
