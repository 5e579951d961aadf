"""What is learnt of this driver's face in the first minutes: straight ahead, and how far the open eye is open.

Learnt from looks while driving without an alert; what lies within LEFT_OUT_BEFORE_S before an alert is left out as
well. Straight ahead is known once most of a minute's looks lie near their median: a driver who looks about teaches
nothing. Then both are held, until they are learnt anew.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from edge_c2vl.face.gaze import StraightAhead, straight_ahead
from edge_c2vl.face.tracker import Face
from edge_c2vl.face.watch import OwnOpening
from edge_c2vl.monitoring.driver_baseline import FACE_NUMBERS, LEFT_OUT_BEFORE_S
from edge_c2vl.monitoring.held_back import HeldBack
from edge_c2vl.pose.base import Floats

# Straight ahead: two looks a second, so many of them; some after the first few already tell roughly where it is.
STEP_S, LOOKS, FIRST_LOOKS = 0.5, 120, 10
# So large a share of them has to lie so near to the median, in degrees of the head. Looks at mirrors and instruments
# take a fifth of attentive driving.
NEAR_DEG, NEAR_SHARE = 12.0, 0.6
# How often the median is found anew while it is being learnt.
RENEW_S = 1.0


@dataclass(frozen=True)
class _Kept:
    time_s: float
    rotation: Floats
    gaze: Floats | None
    gap_mm: float | None


class FaceCalibration:
    """own: the driver's open eye, for FaceWatch. ahead: None until it is roughly known."""

    def __init__(self) -> None:
        self.own = OwnOpening()
        self.forget()

    def forget(self) -> None:
        """Begins anew."""
        self.own.reset()
        self.ahead: StraightAhead | None = None
        self.ahead_known = 0.0
        self._looks: deque[_Kept] = deque(maxlen=LOOKS)
        self._held_back: HeldBack[_Kept] = HeldBack(LEFT_OUT_BEFORE_S)
        self._renew_s = 0.0

    @property
    def opening_known(self) -> float:
        return self.own.learnt

    @property
    def done(self) -> bool:
        return self.ahead_known >= 1 and self.opening_known >= 1

    def learn(self, time_s: float, face: Face) -> None:
        """A face that may be learnt from, at rising times."""
        if self.done:
            return
        for look in self._held_back.add(time_s, _Kept(time_s, face.head.rotation, face.gaze, face.gap_mm)):
            self._take(look)

    def leave_out(self) -> None:
        """The driver may not be learnt from now, and what was seen just before is left out too."""
        self._held_back.clear()

    def _take(self, look: _Kept) -> None:
        if self.opening_known < 1 and look.gap_mm is not None:
            self.own.update(look.time_s, look.gap_mm)
        if self.ahead_known >= 1 or (self._looks and look.time_s - self._looks[-1].time_s < STEP_S - 0.05):
            return
        self._looks.append(look)
        if len(self._looks) < FIRST_LOOKS or look.time_s < self._renew_s:
            return
        self._renew_s = look.time_s + RENEW_S
        gazes = [one.gaze for one in self._looks if one.gaze is not None]
        self.ahead = straight_ahead([one.rotation for one in self._looks], gazes)
        angles = [self.ahead.of_head(one.rotation) for one in self._looks]
        near = float(np.mean([np.hypot(*one) <= NEAR_DEG for one in angles]))
        share = len(self._looks) / LOOKS
        # Short of done while the driver looks about, and a full minute of looks slides on.
        self.ahead_known = share if near >= NEAR_SHARE else min(share, 0.95 * near / NEAR_SHARE)

    def numbers(self) -> Floats:
        """(12,): what --normal keeps: rotation, gaze, open eye in millimetres; NaN where it is not known."""
        if not self.done or self.ahead is None:
            return np.full(FACE_NUMBERS, np.nan)
        return np.array([*self.ahead.rotation.ravel(), *self.ahead.gaze, self.own.gap_mm])

    def take(self, numbers: Floats) -> None:
        """What `numbers` gave."""
        if not np.isfinite(numbers).all():
            return
        self.forget()
        self.ahead = StraightAhead(numbers[:9].reshape(3, 3), (float(numbers[9]), float(numbers[10])))
        self.ahead_known = 1.0
        self.own.hold(float(numbers[11]))
