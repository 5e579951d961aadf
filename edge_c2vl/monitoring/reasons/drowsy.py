"""Drowsiness: a level with a hysteresis, of signs over a minute and more. No alarm, and no validated scale."""

from __future__ import annotations

from collections import deque

from edge_c2vl.monitoring.face_look import FaceLook
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.standing import Condition, Level

# Long blinks are counted over so long, as PERCLOS is.
WINDOW_S = 60.0
# The longest time that a sign is counted over, yawns'. While nothing can be told of the eyes for as long, no sign that
# is left says that the driver is drowsy.
FORGOTTEN_S = 300.0


class Drowsy:
    """Three signs: PERCLOS, long blinks, yawns. One of them: tired; two, or twice the PERCLOS: drowsy."""

    def __init__(self) -> None:
        self.state = Condition.CANNOT_SEE
        self.share = 0.0
        self.level = Level.NONE
        self._long_blinks: deque[float] = deque()
        self._held = Condition.AWAKE
        self._calmer_s = self._untold_s = 0.0

    def update(self, look: FaceLook, step_s: float, limit_s: float | None, settings: PolicySettings) -> None:
        """step_s: since the look before. limit_s: None while alerts pause; what was found stays."""
        if look.closure is not None and look.closure.length_s >= settings.long_blink_s:
            self._long_blinks.append(look.time_s)
        while self._long_blinks and not look.time_s - WINDOW_S < self._long_blinks[0] <= look.time_s:
            self._long_blinks.popleft()
        found = self._find(look, settings)
        self._untold_s = self._untold_s + step_s if found is None else 0.0
        other = look.seen and look.opening_known < 1  # nothing is known of that driver yet
        if other or self._untold_s >= FORGOTTEN_S - 1e-9:
            self._held, self.share, self._calmer_s = Condition.AWAKE, 0.0, 0.0
        if found is None:
            self.state = Condition.LEARNING if other else Condition.CANNOT_SEE
        else:
            self._hold(found, step_s, settings)
            self.state = self._held
        self.level = Level.NOTICE if self._held is Condition.DROWSY and limit_s is not None else Level.NONE

    def _find(self, look: FaceLook, settings: PolicySettings) -> Condition | None:
        if look.perclos is None or look.opening_known < 1:
            return None
        shares = (
            look.perclos / settings.perclos_tired,
            len(self._long_blinks) / settings.long_blinks,
            look.yawns / settings.yawns,
        )
        signs = sum(share >= 1 for share in shares)
        drowsy = look.perclos >= settings.perclos_drowsy
        first, second, _ = sorted((min(share, 1.0) for share in shares), reverse=True)
        self.share = min(1.0, max((first + second) / 2, look.perclos / settings.perclos_drowsy))
        if drowsy or signs >= 2:
            return Condition.DROWSY
        return Condition.TIRED if signs else Condition.AWAKE

    def _hold(self, found: Condition, step_s: float, settings: PolicySettings) -> None:
        """It rises at once, and falls once it has been less for drowsy_clear_s."""
        order = [Condition.AWAKE, Condition.TIRED, Condition.DROWSY]
        if order.index(found) >= order.index(self._held):
            self._held, self._calmer_s = found, 0.0
            return
        self._calmer_s += step_s
        if self._calmer_s >= settings.drowsy_clear_s - 1e-9:
            self._held, self._calmer_s = found, 0.0
