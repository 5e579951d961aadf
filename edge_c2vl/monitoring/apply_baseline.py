"""Normality in a run: learning it, applying it, noticing that it no longer fits."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path

from edge_c2vl.errors import EdgeC2VLError, OutputError, UsageError
from edge_c2vl.monitoring.driver_baseline import DriverBaseline, DriverWatch, Learner
from edge_c2vl.monitoring.self_calibration import SelfCalibration
from edge_c2vl.pose.base import Floats
from edge_c2vl.skeletons.clip import Clip
from edge_c2vl.utils.files import Lock

log = logging.getLogger("edge_c2vl")


class Attention(IntEnum):
    """How sure a window is one of attentive driving, without an alert and at speed. PROBABLE: the state says so; PLAIN:
    the probability of distraction is low, too."""

    NONE = 0
    PROBABLE = 1
    PLAIN = 2


@dataclass(frozen=True)
class Personal:
    """What normality makes of a window. unusual: share of normal windows nearer to normal; None while nothing is
    learnt. elsewhere: another driver, or the camera was moved."""

    probabilities: dict[str, float]
    unusual: float | None = None
    elsewhere: bool = False


class Personaliser:
    """Applies what `file` holds; with learn_minutes learns it first and keeps it there. While the driver sits elsewhere
    than where it was learnt, it is not applied.

    One run at a time learns into a file, or removes it. later: the file is left alone until `open` is called.
    calibration: learns without being asked where no file is named; None: nothing does.
    """

    def __init__(
        self,
        file: str | None = None,
        learn_minutes: float | None = None,
        forget: bool = False,
        later: bool = False,
        calibration: SelfCalibration | None = None,
    ) -> None:
        if file is None and (learn_minutes is not None or forget):
            raise ValueError("normality is learnt into a file, or removed from one")
        self._file = None if file is None else Path(file)
        self._forget = forget
        self._calibration = None if file is not None else calibration
        self._learner = None if learn_minutes is None else Learner(learn_minutes)
        self._lock: Lock | None = None
        self._keeps_face = False
        self._normal: DriverBaseline | None = None
        self._face: Floats | None = None
        if not later:
            self.open()

    def open(self) -> None:
        """Reads what the file holds, or removes it; where it is to be learnt, sees that it can be kept. Raises
        EdgeC2VLError where that cannot be, UsageError where another run learns into the file."""
        if self._file is None:
            return
        if not self._file.parent.is_dir():
            raise OutputError(f"--normal {self._file}: there is no folder {self._file.parent}")
        if self._file.is_dir():
            # Found out only after minutes of learning, it would all be lost.
            raise UsageError(f"--normal {self._file}: that is a folder; name a file in it")
        if not self._forget and self._learner is None:
            # Without a lock: it is replaced as a whole.
            normal = DriverBaseline.load(self._file)
            self._take(normal)
            self._face = normal.face
            return
        try:
            self._lock = self._lock or Lock(self._file)
            if self._forget:
                self._file.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"--normal {self._file}: cannot be written: {error.strerror}") from None

    def close(self) -> None:
        """Lets another run learn into the file."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def learning(self) -> bool:
        return self._learner is not None

    @property
    def learnt(self) -> float | None:
        """The share of self-calibration that is done; None where there is none."""
        return None if self._calibration is None else self._calibration.learnt

    @property
    def begun(self) -> int:
        """How often self-calibration has begun, which it does anew for another driver."""
        return 0 if self._calibration is None else self._calibration.begun

    @property
    def offset(self) -> float | None:
        """The log-odds of distraction that self-calibration takes off."""
        return None if self._calibration is None else self._calibration.offset

    def look(
        self, clip: Clip, time_s: float, probabilities: Mapping[str, float], distraction: frozenset[str]
    ) -> Personal:
        """A window in which arms were seen, and the classifier's probabilities of it."""
        if self._calibration is not None:
            return Personal(self._calibration.look(clip, time_s, probabilities, distraction))
        if self._normal is None:
            return Personal(dict(probabilities))
        attentive = sum(p for label, p in probabilities.items() if label in distraction) < 0.5
        if self._watch.moved(clip, time_s, attentive):
            return Personal(dict(probabilities), elsewhere=True)
        adjusted = self._normal.adjust(probabilities, distraction, clip.data)
        return Personal(adjusted, self._normal.unusual(clip.data))

    def begin_anew(self) -> None:
        """What self-calibration has learnt is forgotten. What --normal holds stays."""
        if self._calibration is not None:
            self._calibration.forget()

    def unseen(self, unseen_s: float) -> None:
        """The driver has not been in view for so long."""
        if self._calibration is not None:
            self._calibration.unseen(unseen_s)

    def learn(self, clip: Clip, time_s: float, attention: Attention, odds: float) -> None:
        """The same window once it was judged. odds: the classifier's own log-odds of distraction."""
        if self._calibration is not None:
            self._calibration.learn(clip, time_s, odds, attention > Attention.NONE)
        learner = self._learner
        if learner is None or self._file is None:
            return
        learner.add(clip, time_s, attention is Attention.PLAIN)
        if not learner.done:
            return
        self._learner, self._keeps_face = None, True
        self._take(learner.finish())
        if self._save(self._file):
            log.warning("normal driving was learnt from %s, and is kept in %s", learner.told(), self._file)

    def kept_face(self) -> Floats | None:
        """What the file holds of the driver's face (FaceCalibration.numbers), once: at the first call after it was
        read."""
        face, self._face = self._face, None
        return face

    def keep_face(self, numbers: Floats) -> None:
        """Adds it to the normal driving that this run has learnt, once both are known."""
        if self._keeps_face and self._normal is not None and self._file is not None:
            self._keeps_face = False
            self._normal = replace(self._normal, face=numbers)
            self._save(self._file)

    def _save(self, file: Path) -> bool:
        assert self._normal is not None
        try:
            self._normal.save(file)
        except EdgeC2VLError as error:
            # A full disk must not end the run: it goes on with what it has learnt.
            log.warning("normal driving was learnt, but is not kept: %s", error)
            return False
        return True

    def unfinished(self) -> str | None:
        """At the end of a run: what there was to learn from, where that was too little and nothing is kept."""
        if self._learner is None or self._file is None:
            return None
        return f"normal driving was not learnt, and {self._file} was not written: {self._learner.shortage()}"

    def _take(self, normal: DriverBaseline) -> None:
        self._watch = DriverWatch(normal)
        # Last: it may be opened while the run judges.
        self._normal = normal
