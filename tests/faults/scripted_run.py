"""`edge-c2vl run` of a driver by script: `python -m tests.faults.scripted_run run ...`.

Camera, pose network and encoder are replaced, so that it starts in a second or two and alerts all the time; everything
else is the command as it is.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import cli
from edge_c2vl import backends, camera, pose
from edge_c2vl.backends.base import Backend
from tests.edge_c2vl import scripted

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
    def __init__(self, clip):
        super().__init__("scripted", "fp32", (3, clip.frames, 25))

    def _infer(self, clip):
        away = time.monotonic() % PERIOD_S < PERIOD_S / 2
        return np.array([[-4.0, 4.0] if away else [4.0, -4.0]], np.float32), np.ones((1, 4), np.float32) / 2

    def _close(self):
        pass


if __name__ == "__main__":
    camera.open_camera = lambda *_: Camera()
    pose.PoseEstimator = lambda *_, **__: Pose()
    backends.open_backend = lambda bundle, *_: Encoder(bundle.manifest.clip)
    cli.main(sys.argv[1:])
