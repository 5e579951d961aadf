"""How well the face path reads the simulated driver, whose truth is known: head, closed eyes, gaze.

    python benchmarks/face.py head --camera inner_mirror --look ir
    python benchmarks/face.py closures --camera a_column_driver --look rgb

Everything as in a run: the pose finds the driver, the face's region comes from it, infrared goes through the camera's
brightener. One row a call, as text and, with --json, for collecting.
"""

from __future__ import annotations

WIDTH, DETAIL = 640, 640 * 512
# A face counts where the angle between where it points and the way to the camera is at most this.
WITHIN_DEG = 60.0
# A closure was found where one that was told overlaps it.
MIN_CLOSURE_S, MAX_CLOSURE_S = 0.3, 3.0
