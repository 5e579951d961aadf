"""What is known of the driver who sits there now, beside the activity: face and posture. It is learnt in the first
minutes, used for each decision, and begun anew for another driver."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

from edge_c2vl.face.watch import BLINK_MAX_S
from edge_c2vl.monitoring.face_look import FaceLook
from edge_c2vl.monitoring.face_reader import LOWERED_DEG, FaceReader, SeenFace
from edge_c2vl.monitoring.policy import State, Status
from edge_c2vl.monitoring.posture import PostureBaseline, SeatedPosture, posture_of
from edge_c2vl.monitoring.self_calibration import GONE_S
from edge_c2vl.monitoring.standing import OF_THE_FACE, Aspect, Condition, Reason
from edge_c2vl.pose.base import Floats
from edge_c2vl.skeletons.clip import Clip

log = logging.getLogger("edge_c2vl")

# Nobody looks away for so long and still drives: straight ahead is not where it was learnt.
MISTAKEN_S = 60.0
# With one of these the driver may have fallen asleep: where the head has sunk to is not the road.
_OF_A_SLEEPER = {Reason.UNRESPONSIVE, Reason.EYES_CLOSED}
# A head that is lowered for a shorter time than this is a nod, or one look that was read wrongly.
NOD_S = 1.0
# Alerts that say nothing of what the driver does.
_OF_WATCHING = {Reason.CANNOT_SEE, Reason.ELSEWHERE}


class OwnDriver:
    """aspects: those that are watched; nothing is done for those that are not. For one thread at a time."""

    def __init__(self, aspects: frozenset[Aspect]) -> None:
        self.reader = FaceReader() if aspects & OF_THE_FACE else None
        self._baseline = PostureBaseline() if aspects - {Aspect.ACTIVITY} else None
        self._aspects = aspects
        self._posture: SeatedPosture | None = None
        # Since when the driver has looked away while driving.
        self._away_s: float | None = None
        # Since when the head has been lowered.
        self._lowered_s: float | None = None
        # Whether the newest look may be a sleeper's, whatever is watched: a head that is lowered for longer than a nod,
        # or eyes that are closed for longer than a blink.
        self._sunk = False

    def read(self, faces: Sequence[SeenFace], clip: Clip) -> tuple[FaceLook, ...]:
        """What the faces that are new tell; the clip is what `slumped` and `hands_on_wheel` are of."""
        if self._baseline is not None:
            self._posture = posture_of(clip)
        looks = () if self.reader is None else self.reader.read(faces)
        for look in looks:
            # Where no head was seen, the last one counts on.
            if look.head is not None and look.head[1] >= LOWERED_DEG:
                self._lowered_s = None
            elif look.head is not None and (self._lowered_s is None or look.time_s < self._lowered_s):
                self._lowered_s = look.time_s  # it begins, or the clock was set back
            stays = self._lowered_s is not None and look.time_s - self._lowered_s >= NOD_S
            self._sunk = stays or look.closed_s > BLINK_MAX_S
        return looks

    def slumped(self, limit: float) -> bool | None:
        """limit: shoulder breadths. None where it cannot be told."""
        sunk = None if self._baseline is None else self._baseline.sunk(self._posture)
        return None if sunk is None else sunk > limit

    @property
    def hands_on_wheel(self) -> bool:
        return self._baseline is not None and self._baseline.hands_on_wheel(self._posture)

    @property
    def learnt(self) -> dict[Aspect, float]:
        """Of each aspect the share of what it learns."""
        told: dict[Aspect, float] = {}
        if self.reader is not None:
            opening = self.reader.calibration.opening_known
            told = {Aspect.GAZE: self.reader.calibration.ahead_known, Aspect.EYES: opening, Aspect.DROWSY: opening}
        if self._baseline is not None:
            told[Aspect.UNRESPONSIVE] = self._baseline.learnt
        return told

    @property
    def face(self) -> Floats | None:
        """What --normal keeps of the face; None until all of it is known."""
        if self.reader is None or not self.reader.calibration.done:
            return None
        return self.reader.calibration.numbers()

    def take_face(self, numbers: Floats | None) -> None:
        """What an earlier run kept."""
        if self.reader is not None and numbers is not None:
            self.reader.calibration.take(numbers)

    def learn(self, time_s: float, status: Status, moving: bool) -> None:
        """After a decision. moving: the vehicle drives, or nothing tells its speed."""
        loud = set(status.alerts) - _OF_WATCHING
        attentive = moving and not loud and status.state in (State.ATTENTIVE, State.CANNOT_SEE)
        if self.reader is not None:
            self.reader.learn(attentive)
        if self._baseline is not None and not attentive:
            self._baseline.leave_out()
        elif self._baseline is not None and self._posture is not None and status.state is State.ATTENTIVE:
            self._baseline.learn(time_s, self._posture)
        if self._is_mistaken(time_s, status):
            log.warning("the driver seems to have looked away for %.0f s: straight ahead is learnt anew", MISTAKEN_S)
            self.begin_anew()

    def _is_mistaken(self, time_s: float, status: Status) -> bool:
        """Whether the driver has looked away for longer than anybody does who drives. Time at which alerts pause does
        not count: a driver may look down for minutes where the vehicle stands. Nor does time in which the driver may be
        asleep."""
        gaze = status.reasons.get(Aspect.GAZE)
        away = gaze is not None and gaze.state is Condition.AWAY
        if not away or status.paused or self._sunk or not _OF_A_SLEEPER.isdisjoint(status.alerts):
            self._away_s = None
            return False
        # A clock that was set back begins it anew as well.
        self._away_s = time_s if self._away_s is None else min(self._away_s, time_s)
        return time_s - self._away_s > MISTAKEN_S

    def unseen(self, unseen_s: float) -> None:
        """Nobody has been in view for so long."""
        if GONE_S < unseen_s < math.inf:
            self.begin_anew()

    def begin_anew(self) -> None:
        self._away_s, self._lowered_s, self._sunk = None, None, False
        if self.reader is not None:
            self.reader.begin_anew()
        if self._baseline is not None:
            self._baseline.forget()
