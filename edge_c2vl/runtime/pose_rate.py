"""At which frames the pose network looks: so many a second, and every one while something happens."""

from __future__ import annotations

import math

import numpy as np

from edge_c2vl.monitoring.events import Decision
from edge_c2vl.monitoring.policy import State
from edge_c2vl.monitoring.standing import Level
from edge_c2vl.skeletons.skeleton import NTU25, Array, body_unit, to_ntu25

# Poses a second of a live camera: half as many again as the frames of a default clip, which are 32 in 3 s.
DEFAULT_FPS = 15.0
# A wrist faster than this, in shoulder breadths a second, does something; every frame is then looked at for so long.
FAST_HAND, WATCHED_S = 2.0, 1.0
# Confidence from which a joint counts as seen.
SEEN = 0.5
WRISTS = [NTU25.index("left_wrist"), NTU25.index("right_wrist")]


class PoseRate:
    """Chooses by the frames' timestamps and what was seen, without a clock: the same recording gives the same choice.

    pose_fps: poses a second; None: every frame. layout: of the landmarks. max_gap_s: frames looked at are never farther
    apart than this where the camera has others in between, because that would tear holes into the window.
    """

    def __init__(self, pose_fps: float | None, layout: str, max_gap_s: float) -> None:
        self._period_s = 1 / pose_fps if pose_fps else 0.0
        self._layout, self._max_gap_s = layout, max_gap_s
        self._before_s = self._looked_s = self._due_s = self._fast_until_s = -math.inf
        self._newest: tuple[float, Array] | None = None
        self.unlooked_s = 0.0
        """Of the time between the last two frames looked at: how much more than one frame of the camera it is."""

    def looks(self, time_s: float, most_fps: float = math.inf, alert_near: bool = False) -> bool:
        """Whether to look at the frame of this time. most_fps: what the machine has time for; where that is limited it
        counts whatever happens. alert_near: see `is_near`."""
        interval_s, self._before_s = time_s - self._before_s, time_s
        happens = alert_near or time_s < self._fast_until_s
        period_s = max(0.0 if happens else self._period_s, 1 / most_fps)
        if interval_s <= 0:
            self._due_s = -math.inf
        # The frame nearest to the time that is due. The next one comes as long after this one as this after the last.
        due = period_s == 0 or time_s + interval_s / 2 >= self._due_s
        fits = time_s + interval_s - self._looked_s <= self._max_gap_s + 1e-6
        if not due and fits:
            return False
        self._due_s = (self._due_s if time_s - self._due_s < period_s else time_s) + period_s
        gap_s, self._looked_s = time_s - self._looked_s, time_s
        self.unlooked_s = gap_s - interval_s if 0 < interval_s <= gap_s < math.inf else 0.0
        return True

    def saw(self, landmarks: Array | None, time_s: float) -> None:
        """What the pose of a frame looked at came to, None where nobody was found."""
        before, self._newest = self._newest, None
        if landmarks is None:
            return
        body = to_ntu25(landmarks[None], self._layout)[0]
        self._newest = time_s, body
        since_s = time_s - before[0] if before is not None else 0.0
        if before is not None and 0 < since_s <= self._max_gap_s and hand_way(before[1], body) > FAST_HAND * since_s:
            self._fast_until_s = time_s + WATCHED_S


def hand_way(before: Array, after: Array) -> float:
    """How far the faster wrist has gone from one ntu25 skeleton (25, 4) to the next, in shoulder breadths; 0 where none
    was seen in both."""
    both = np.stack([before, after])
    seen = (both[:, WRISTS, 3] >= SEEN).all(axis=0)
    unit = body_unit(both)
    if not seen.any() or unit < 1e-6:
        return 0.0
    way = np.linalg.norm(after[WRISTS, :2] - before[WRISTS, :2], axis=1)
    return float(way[seen].max()) / unit


def is_near(decision: Decision | None) -> bool:
    """Whether an alert of distraction, or a louder one, may come of the next decisions."""
    return decision is not None and decision.state is State.DISTRACTED and decision.level < Level.CRITICAL
