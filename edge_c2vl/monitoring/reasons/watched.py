"""What is watched beside the activity: each aspect for itself, fed with every look at the face."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from edge_c2vl.face.bouts import LOOKS_APART_S
from edge_c2vl.monitoring.face_look import FaceLook
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.reasons.drowsy import Drowsy
from edge_c2vl.monitoring.reasons.eyes import Eyes
from edge_c2vl.monitoring.reasons.gaze import Gaze
from edge_c2vl.monitoring.reasons.unresponsive import Unresponsive
from edge_c2vl.monitoring.standing import OF_THE_FACE, Aspect, Condition, Level, Reason, ReasonState

# Looking at the road for so long is evidence against a distraction.
AHEAD_S = 1.0


class _Machine(Protocol):
    state: Condition

    @property
    def level(self) -> Level: ...

    @property
    def share(self) -> float: ...


class Watched:
    """aspects: those that are watched; the activity is not one of its."""

    def __init__(self, aspects: Iterable[Aspect]) -> None:
        self._aspects = frozenset(aspects) - {Aspect.ACTIVITY}
        self._looked_s = math.inf
        self._states: dict[Aspect, tuple[Condition, float]] = {}
        self._unresponsive = Unresponsive(Aspect.UNRESPONSIVE in self._aspects)
        self._begin_face()

    def _begin_face(self) -> None:
        self._gaze, self._eyes, self._drowsy = Gaze(), Eyes(), Drowsy()
        machines: dict[Aspect, _Machine] = {
            Aspect.GAZE: self._gaze,
            Aspect.EYES: self._eyes,
            Aspect.DROWSY: self._drowsy,
            Aspect.UNRESPONSIVE: self._unresponsive,
        }
        self._machines = {aspect: machine for aspect, machine in machines.items() if aspect in self._aspects}

    @property
    def any(self) -> bool:
        return bool(self._aspects)

    @property
    def looks_ahead(self) -> bool:
        """Whether the driver has looked at the road for a second, by what is known of straight ahead."""
        return self._gaze.ahead.seconds >= AHEAD_S

    @property
    def awareness(self) -> float:
        falls = [self._machines[aspect] for aspect in self._machines if aspect is not Aspect.DROWSY]
        return 1 - max((machine.share for machine in falls), default=0.0)

    def update(
        self,
        now_s: float,
        looks: Sequence[FaceLook],
        slumped: bool | None,
        nobody: bool,
        failed: bool,
        limit_s: float | None,
        settings: PolicySettings,
    ) -> None:
        """now_s: the observation's time. looks: the newest, at rising times; those that are known are passed over.
        slumped: None where the body cannot be seen. nobody: no driver is in view. failed: the face is not looked at,
        and what it had alerted of is not known any more. limit_s: of looking away until the warning; None while alerts
        pause."""
        if failed:
            self._begin_face()
        for look, step_s in self._steps(now_s, looks, settings):
            if Aspect.GAZE in self._aspects:
                self._gaze.update(look, step_s, limit_s, settings)
            if Aspect.EYES in self._aspects:
                self._eyes.update(look, step_s, limit_s, settings)
            if Aspect.DROWSY in self._aspects:
                self._drowsy.update(look, step_s, limit_s, settings)
            alerted = max(self._gaze.level, self._eyes.level) > Level.NONE
            self._unresponsive.update(look, slumped, nobody, alerted, step_s, limit_s, settings)
        for aspect, machine in self._machines.items():
            state = Condition.FAILED if failed and aspect in OF_THE_FACE else machine.state
            if aspect not in self._states or self._states[aspect][0] is not state:
                self._states[aspect] = state, now_s

    def alerts(self) -> dict[Reason, Level]:
        """What stands now, Level.NONE where nothing does."""
        return {
            Reason.UNRESPONSIVE: self._unresponsive.level,
            Reason.EYES_CLOSED: self._eyes.level,
            Reason.LOOKING_AWAY: self._gaze.level,
            Reason.DROWSY: self._drowsy.level,
        }

    def states(self, now_s: float) -> dict[Aspect, ReasonState]:
        told = {}
        for aspect, (state, since_s) in self._states.items():
            machine = self._machines[aspect]
            told[aspect] = ReasonState(state, machine.level, machine.share, max(0.0, now_s - since_s))
        return told

    def _steps(
        self, now_s: float, looks: Sequence[FaceLook], settings: PolicySettings
    ) -> Iterator[tuple[FaceLook, float]]:
        """The looks that are new, each with the time since the one before. Time without one is time in which nothing
        was seen, once it is longer than a drop-out and than looks are apart."""
        # At the first observation, and where the clock was set back.
        self._looked_s = min(self._looked_s, now_s)
        for look in looks:
            if self._looked_s < look.time_s <= now_s:
                yield from self._gap(look.time_s, settings)
                step_s, self._looked_s = look.time_s - self._looked_s, look.time_s
                yield look, step_s
        yield from self._gap(now_s, settings)

    def _gap(self, time_s: float, settings: PolicySettings) -> Iterator[tuple[FaceLook, float]]:
        gap_s = time_s - self._looked_s
        if gap_s > max(settings.dropout_s, LOOKS_APART_S):
            self._looked_s = time_s
            yield FaceLook(time_s), gap_s
