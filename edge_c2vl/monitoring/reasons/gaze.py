"""Looking away from the road: by the eyes, or by the head where the eyes cannot be seen."""

from __future__ import annotations

from collections import deque

import numpy as np

from edge_c2vl.monitoring.face_look import Angles, FaceLook
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.reasons.ladder import Ladder, Rungs, Spans, Unbroken
from edge_c2vl.monitoring.standing import Condition, Level

# A direction is the median over so long: single looks are wrong by tens of degrees.
MEDIAN_S = 0.35


class Gaze:
    """Three regions around the driver's own straight ahead: the road; mirrors and dashboard, where a look counts once
    it is longer than a glance, and then in full; and all beyond, which counts at once.

    A face that is lost while a look away counts goes on counting: without an alert for `lost_s`, with one until the
    driver is seen to look ahead.
    """

    def __init__(self) -> None:
        self.ladder = Ladder()
        self.state = Condition.CANNOT_SEE
        self.ahead = Unbroken()
        self._now_s = 0.0
        self._away = Spans()
        self._cumulative = False
        # Of the look away that goes on: its length, whether it counts, and for how long nothing has been seen of it.
        self._off_s = self._lost_s = 0.0
        self._counts = False
        self._directions: deque[tuple[float, Angles, bool]] = deque()

    @property
    def level(self) -> Level:
        return max(self.ladder.level, Level.WARNING if self._cumulative else Level.NONE)

    @property
    def share(self) -> float:
        return self.ladder.share

    def update(self, look: FaceLook, step_s: float, limit_s: float | None, settings: PolicySettings) -> None:
        """step_s: since the look before. limit_s: of looking away until the warning; None while alerts pause."""
        self._now_s += step_s
        if look.seen and look.head is None:
            self._begin_anew()
            return
        factor = 1.0 if look.ahead_known >= 1 else settings.learning_factor
        rungs = _rungs((limit_s or settings.warning_slow_s) * factor, settings)
        direction = self._direction(look)
        where = None if direction is None else _region(direction, factor, settings)
        if where is Condition.AHEAD and self._looks_down:
            where = Condition.GLANCE
        self.ahead.add(step_s, None if where is None else where is Condition.AHEAD, settings.dropout_s)
        self._lost_s = 0.0 if where is not None else self._lost_s + step_s
        patience_s = settings.lost_s if self._counts else settings.dropout_s
        lost = self._lost_s > patience_s and self.level is Level.NONE
        if where is Condition.AHEAD or lost or limit_s is None:
            self._off_s, self._counts = 0.0, False
            if where is Condition.AHEAD or limit_s is None:
                self.ladder.recover(step_s, rungs.critical_s, settings.recovery)
        elif where is not None or self._off_s > 0:
            self._look_away(step_s, where is Condition.AWAY, rungs, settings)
        self._end(limit_s, settings)
        if self._off_s > 0:
            self.state = Condition.AWAY if self._counts else Condition.GLANCE
        elif where is not None:
            self.state = where
        elif self._lost_s > settings.dropout_s:
            self.state = Condition.CANNOT_SEE

    def _begin_anew(self) -> None:
        """Straight ahead is not known: not yet, or not any more. What stood was of one that no longer counts."""
        self.ladder, self.ahead, self._cumulative = Ladder(), Unbroken(), False
        self._away.clear()
        self._directions.clear()
        self._off_s, self._counts = 0.0, False
        self.state = Condition.LEARNING

    def _look_away(self, step_s: float, far: bool, rungs: Rungs, settings: PolicySettings) -> None:
        self._off_s += step_s
        counted_s = step_s if self._counts else self._off_s
        self._counts = self._counts or far or self._off_s > settings.glance_s + 1e-9
        if self._counts:
            self.ladder.fall(counted_s, rungs)
            self._away.add(self._now_s - counted_s, self._now_s)

    def _end(self, limit_s: float | None, settings: PolicySettings) -> None:
        if limit_s is None or self.ahead.seconds >= settings.attention_s - 1e-9:
            self.ladder.end()
        if limit_s is None or self.ahead.seconds >= settings.cumulative_clear_s - 1e-9:
            self._cumulative = False
            self._away.clear()
        elif self._away.since(self._now_s - settings.cumulative_window_s) >= settings.cumulative_s - 1e-9:
            self._cumulative = True

    def _direction(self, look: FaceLook) -> Angles | None:
        newest = look.head if look.gaze is None else look.gaze
        if newest is not None:
            self._directions.append((look.time_s, newest, look.looks_down))
        while self._directions and not look.time_s - MEDIAN_S < self._directions[0][0] <= look.time_s:
            self._directions.popleft()
        if newest is None:
            return None
        yaw, pitch = np.median([angles for _, angles, _ in self._directions], axis=0)
        return float(yaw), float(pitch)

    @property
    def _looks_down(self) -> bool:
        """In most of the looks that the direction is of."""
        return sum(down for _, _, down in self._directions) > len(self._directions) / 2


def _rungs(limit_s: float, settings: PolicySettings) -> Rungs:
    return Rungs(settings.notice_share * limit_s, limit_s, settings.critical_share * limit_s)


def _region(direction: Angles, factor: float, settings: PolicySettings) -> Condition:
    yaw, pitch = abs(direction[0]) / factor, direction[1] / factor
    if yaw <= settings.road_yaw_deg and -settings.road_down_deg <= pitch <= settings.road_up_deg:
        return Condition.AHEAD
    near = yaw <= settings.mirror_yaw_deg and -settings.dashboard_down_deg <= pitch <= settings.mirror_up_deg
    return Condition.GLANCE if near else Condition.AWAY
