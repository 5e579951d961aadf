"""How well the face path reads the simulated driver, whose truth is known: head, closed eyes, gaze.

    python benchmarks/face.py head --camera inner_mirror --look ir
    python benchmarks/face.py closures --camera a_column_driver --look rgb

Everything as in a run: the pose finds the driver, the face's region comes from it, infrared goes through the camera's
brightener. One row a call, as text and, with --json, for collecting.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.face.episodes import Episode, Episodes
from edge_c2vl.face.gaze import ZONES, straight_ahead, zone_of
from edge_c2vl.face.head_pose import angles_of
from edge_c2vl.face.tracker import Face, FaceTracker
from edge_c2vl.face.watch import CLOSED, OPEN, FaceWatch, Rate
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.simulated.activities import Habits, Key
from edge_c2vl.simulated.activities.key import Keys, Random, between
from edge_c2vl.simulated.cameras import VIEWS
from edge_c2vl.simulated.driver import make_driver
from edge_c2vl.simulated.film import Film, Truth
from edge_c2vl.simulated.motion import Script

WIDTH, DETAIL = 640, 640 * 512
# A face counts where the angle between where it points and the way to the camera is at most this.
WITHIN_DEG = 60.0
# A closure was found where one that was told overlaps it.
MIN_CLOSURE_S, MAX_CLOSURE_S = 0.3, 3.0
