"""What all reasons share: awareness that is used up and recovers, the levels it passes, and sums over the last time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from edge_c2vl.monitoring.standing import Level


@dataclass(frozen=True)
class Rungs:
    """After how many seconds each level is reached; infinite where it never is. Critical is finite, and the last."""

    notice_s: float
    warning_s: float
    critical_s: float

    def reached(self, seconds: float) -> Level:
        rungs = {Level.CRITICAL: self.critical_s, Level.WARNING: self.warning_s, Level.NOTICE: self.notice_s}
        return next((level for level, rung_s in rungs.items() if seconds + 1e-9 >= rung_s), Level.NONE)

    def widened(self, factor: float) -> Rungs:
        return Rungs(self.notice_s * factor, self.warning_s * factor, self.critical_s * factor)


class Ladder:
    """awareness: 1 to 0, which is where the critical level is reached. level: of the alert that stands; it only rises
    until `end`. While the rungs change with the vehicle's speed, the share that is used up stays."""

    def __init__(self) -> None:
        self.awareness = 1.0
        self.level = Level.NONE

    @property
    def share(self) -> float:
        """Of the time to the critical level, how much is used up."""
        return 1 - self.awareness

    def fall(self, seconds: float, rungs: Rungs) -> None:
        self.awareness = max(0.0, self.awareness - seconds / rungs.critical_s)
        self.level = max(self.level, rungs.reached(self.share * rungs.critical_s))

    def stand_at(self, seconds: float, rungs: Rungs) -> None:
        """So much is used up, whatever was before."""
        self.awareness = max(0.0, 1 - seconds / rungs.critical_s)
        self.level = max(self.level, rungs.reached(seconds))

    def recover(self, seconds: float, critical_s: float, recovery: float) -> None:
        """recovery: how many times faster than it falls."""
        self.awareness = min(1.0, self.awareness + recovery * seconds / critical_s)

    def end(self) -> None:
        """The alert ends; awareness recovers in its own time."""
        self.level = Level.NONE


class Spans:
    """How much of the last seconds belongs to something."""

    def __init__(self) -> None:
        self._spans: deque[tuple[float, float]] = deque()

    def add(self, begin_s: float, end_s: float) -> None:
        if self._spans and self._spans[-1][1] >= begin_s - 1e-9:
            begin_s = min(begin_s, self._spans.pop()[0])
        self._spans.append((begin_s, end_s))

    def since(self, start_s: float) -> float:
        """Seconds from start_s on; what lies before is forgotten."""
        while self._spans and self._spans[0][1] <= start_s:
            self._spans.popleft()
        return sum(end - max(begin, start_s) for begin, end in self._spans)

    def clear(self) -> None:
        self._spans.clear()


class Unbroken:
    """For how long something has been so, without a break longer than the drop-out that is allowed."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._untold_s = 0.0

    def add(self, step_s: float, so: bool | None, dropout_s: float) -> None:
        """so: None where it cannot be told."""
        self._untold_s = 0.0 if so else self._untold_s + step_s
        if so:
            self.seconds += step_s
        elif so is False or self._untold_s > dropout_s + 1e-9:
            self.seconds = 0.0
