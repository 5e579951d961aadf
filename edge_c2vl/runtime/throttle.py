"""Doing less when the machine is hot or late: fewer poses, then fewer decisions too. Pure: no clock, no sensor."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ThrottleSettings:
    """hot_c, cool_c: above the one a step is taken down, below the other up again. late_ms: so old may the frame behind
    a decision be (95 of 100). settle_s: time that a step is given to take effect. steps: (how many times rarer
    decisions are, poses a second at most)."""

    hot_c: float = 85.0
    cool_c: float = 75.0
    late_ms: float = 400.0
    settle_s: float = 20.0
    steps: tuple[tuple[int, float], ...] = ((1, math.inf), (1, 10.0), (2, 10.0), (4, 5.0))


class Throttle:
    """Walks the steps up and down; 0 is full work."""

    def __init__(self, settings: ThrottleSettings | None = None) -> None:
        self.settings = settings or ThrottleSettings()
        self.step = 0
        self._changed_s = float("-inf")

    def update(self, time_s: float, temperature_c: float | None, age_p95_ms: float | None) -> int:
        """The step after what was read at `time_s`. None: not known, which neither slows down nor speeds up."""
        settings = self.settings
        if time_s < self._changed_s:
            self._changed_s = time_s
        if time_s - self._changed_s < settings.settle_s:
            return self.step
        hot = temperature_c is not None and temperature_c > settings.hot_c
        late = age_p95_ms is not None and age_p95_ms > settings.late_ms
        cool = temperature_c is None or temperature_c < settings.cool_c
        # Half of what is late: one step up may double the work.
        early = age_p95_ms is None or age_p95_ms < settings.late_ms / 2
        if (hot or late) and self.step < len(settings.steps) - 1:
            self.step, self._changed_s = self.step + 1, time_s
        elif cool and early and not (hot or late) and self.step > 0:
            self.step, self._changed_s = self.step - 1, time_s
        return self.step

    @property
    def hop_factor(self) -> int:
        return self.settings.steps[self.step][0]

    @property
    def most_fps(self) -> float:
        """Poses a second at most."""
        return self.settings.steps[self.step][1]

    def hop_s(self, hop_s: float, most_s: float) -> float:
        """Seconds between two decisions now. most_s: farther apart nobody looked in between, and limits would stretch;
        where the run's own hop is longer, it stays."""
        return max(hop_s, min(hop_s * self.hop_factor, most_s))
