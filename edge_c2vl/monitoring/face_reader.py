"""From a face in a picture to what it tells of this driver."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from edge_c2vl.face.tracker import Face
from edge_c2vl.face.watch import OPEN, FaceWatch
from edge_c2vl.monitoring.face_calibration import FaceCalibration
from edge_c2vl.monitoring.face_look import FaceLook

# Yawns are counted over so long.
YAWNS_S = 300.0
# A head that is lower than this from straight ahead lowers the lids with it.
LOWERED_DEG = -15.0
# To look at the road from under a lowered head the lids are raised: below this share of the driver's own opening they
# are not.
RAISED = 0.9


@dataclass(frozen=True)
class SeenFace:
    """The face of the picture of that time; None: there was none."""

    time_s: float
    face: Face | None


class FaceReader:
    """For one thread at a time. Faces come at rising times; those that were read before are passed over."""

    def __init__(self) -> None:
        self.calibration = FaceCalibration()
        self._watch = FaceWatch(self.calibration.own)
        self._yawns: deque[float] = deque()
        self._read_s = float("-inf")
        self._newest: tuple[SeenFace, ...] = ()

    def begin_anew(self) -> None:
        """Another driver: nothing is known."""
        self.calibration.forget()
        self._watch.reset()
        self._yawns.clear()

    def read(self, faces: Sequence[SeenFace]) -> tuple[FaceLook, ...]:
        """Those of the faces that are new."""
        if faces and faces[-1].time_s < self._read_s:
            # The clock was set back.
            self._read_s = float("-inf")
            self._watch.reset()
            self._yawns.clear()
        self._newest = tuple(one for one in faces if one.time_s > self._read_s)
        if self._newest:
            self._read_s = self._newest[-1].time_s
        return tuple(self._look(one.time_s, one.face) for one in self._newest)

    def learn(self, attentive: bool) -> None:
        """From the faces that were read last, once they were judged. attentive: they may be learnt from."""
        if not attentive:
            self.calibration.leave_out()
            return
        for one in self._newest:
            if one.face is not None:
                self.calibration.learn(one.time_s, one.face)

    def _look(self, time_s: float, face: Face | None) -> FaceLook:
        ahead = self.calibration.ahead
        head = None if face is None or ahead is None else ahead.of_head(face.head.rotation)
        lowered = head is not None and head[1] < LOWERED_DEG
        state = self._watch.update(time_s, face, lowered)
        if state.yawn is not None:
            self._yawns.append(time_s)
        while self._yawns and self._yawns[0] <= time_s - YAWNS_S:
            self._yawns.popleft()
        gap_mm = None if face is None else face.gap_mm
        gaze = None
        # Where an eye looks that is half closed means little.
        if face is not None and ahead is not None and (state.openness or 0.0) > OPEN and face.gaze is not None:
            gaze = ahead.of_gaze(face.gaze)
        return FaceLook(
            time_s=time_s,
            seen=face is not None,
            gaze=gaze,
            head=head,
            ahead_known=self.calibration.ahead_known,
            opening_known=self.calibration.opening_known,
            openness=state.openness,
            closed_s=state.closed_s,
            closure=state.closure,
            perclos=state.perclos,
            blinks_a_minute=state.blinks_a_minute,
            yawns=len(self._yawns),
            mouth_mm=None if face is None else face.mouth_mm,
            left_eye=0.0 if face is None else face.left.quality,
            right_eye=0.0 if face is None else face.right.quality,
            looks_down=lowered and gap_mm is not None and gap_mm < RAISED * self.calibration.own.gap_mm,
        )
