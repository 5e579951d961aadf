"""A driver who does not answer: the head sunk, slumped, or out of view after an alert."""

from __future__ import annotations

import math

from edge_c2vl.monitoring.face_look import FaceLook
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.reasons.ladder import Ladder, Rungs, Unbroken
from edge_c2vl.monitoring.standing import Condition, Level


class Unresponsive:
    """slumps: whether head down and slumped count; without, only an alert of gaze or eyes that the driver leaves
    unanswered while the face cannot be seen."""

    def __init__(self, slumps: bool) -> None:
        self.ladder = Ladder()
        self.state = Condition.CANNOT_SEE
        self._slumps = slumps
        self._upright, self._unseen = Unbroken(), Unbroken()
        self._out_of_view_s = 0.0
        self._escalated = False

    @property
    def level(self) -> Level:
        return Level.CRITICAL if self._escalated else self.ladder.level

    @property
    def share(self) -> float:
        return 1.0 if self._escalated else self.ladder.share

    def update(
        self,
        look: FaceLook,
        slumped: bool | None,
        nobody: bool,
        alerted: bool,
        step_s: float,
        limit_s: float | None,
        settings: PolicySettings,
    ) -> None:
        """slumped: None where the body cannot be seen. nobody: no driver is in view. alerted: an alert of gaze or eyes
        stands. step_s: since the look before. limit_s: None while alerts pause."""
        head_down = None if look.head is None else look.head[1] < -settings.head_down_deg
        found = self._find(head_down, slumped, nobody)
        sunk = found in (Condition.HEAD_DOWN, Condition.SLUMPED)
        upright = None if found in (Condition.CANNOT_SEE, Condition.OUT_OF_VIEW) else not sunk
        self._upright.add(step_s, upright, settings.dropout_s)
        self._unseen.add(step_s, upright is None, 0.0)
        rungs = Rungs(math.inf, settings.sunk_warning_s, settings.sunk_critical_s)
        if sunk and self._slumps and limit_s is not None:
            self.ladder.fall(step_s, rungs)
        elif upright or limit_s is None:
            self.ladder.recover(step_s, rungs.critical_s, settings.recovery)
        self._escalate(look.seen, alerted, step_s, settings)
        if limit_s is None or self._upright.seconds >= settings.attention_s - 1e-9:
            self.ladder.end()
            if look.seen or limit_s is None:
                self._escalated, self._out_of_view_s = False, 0.0
        if upright is not None or self._unseen.seconds > settings.dropout_s:
            self.state = found

    def _find(self, head_down: bool | None, slumped: bool | None, nobody: bool) -> Condition:
        if slumped:
            return Condition.SLUMPED
        if head_down:
            return Condition.HEAD_DOWN
        if head_down is None and slumped is None:
            return Condition.OUT_OF_VIEW if nobody else Condition.CANNOT_SEE
        return Condition.UPRIGHT

    def _escalate(self, face_seen: bool, alerted: bool, step_s: float, settings: PolicySettings) -> None:
        if not alerted:
            self._escalated, self._out_of_view_s = False, 0.0
        elif not face_seen:
            self._out_of_view_s += step_s
            self._escalated = self._escalated or self._out_of_view_s >= settings.unresponsive_s - 1e-9
