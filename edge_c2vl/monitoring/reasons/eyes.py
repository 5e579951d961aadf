"""Closed eyes: for how long."""

from __future__ import annotations

from edge_c2vl.monitoring.face_look import FaceLook
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.reasons.ladder import Ladder, Rungs, Unbroken
from edge_c2vl.monitoring.standing import Condition, Level


class Eyes:
    """A closure that has come to an alert goes on counting while the eyes cannot be seen: a head that sinks hides
    them."""

    def __init__(self) -> None:
        self.ladder = Ladder()
        self.state = Condition.CANNOT_SEE
        self._closed_s = 0.0
        self._open, self._unseen = Unbroken(), Unbroken()

    @property
    def level(self) -> Level:
        return self.ladder.level

    @property
    def share(self) -> float:
        return self.ladder.share

    def update(self, look: FaceLook, step_s: float, limit_s: float | None, settings: PolicySettings) -> None:
        """step_s: since the look before. limit_s: None while alerts pause."""
        factor = 1.0 if look.opening_known >= 1 else settings.learning_factor
        rungs = Rungs(settings.eyes_notice_s, settings.eyes_warning_s, settings.eyes_critical_s).widened(factor)
        seen = look.openness is not None
        closed = look.closed_s > 0
        self._open.add(step_s, not closed if seen else None, settings.dropout_s)
        self._unseen.add(step_s, not seen, 0.0)
        if closed or (not seen and self.level > Level.NONE):
            self._closed_s = self._closed_s + step_s if self._closed_s > 0 else look.closed_s
        elif seen or self._unseen.seconds > settings.dropout_s:
            self._closed_s = 0.0
        if limit_s is None:
            self.ladder.end()
            self._closed_s = 0.0
        if self._closed_s > 0:
            self.ladder.stand_at(self._closed_s, rungs)
        elif seen or limit_s is None:
            self.ladder.recover(step_s, rungs.critical_s, settings.recovery)
        if self._open.seconds >= settings.attention_s - 1e-9:
            self.ladder.end()
        if seen:
            self.state = Condition.CLOSED if closed else Condition.OPEN
        elif self._unseen.seconds > settings.dropout_s:
            self.state = Condition.CANNOT_SEE
