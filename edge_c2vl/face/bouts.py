"""From values over time to bouts with a length: eyes closed, a yawn."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

# Two looks a second at least, and a little late: what lies between them is then known by both.
LOOKS_APART_S = 0.6


@dataclass(frozen=True)
class Bout:
    """From start_s to end_s; peak: the value that lay farthest beyond the threshold."""

    start_s: float
    end_s: float
    peak: float

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s

    def overlap_s(self, other: Bout) -> float:
        """Negative where they lie apart."""
        return min(self.end_s, other.end_s) - max(self.start_s, other.start_s)


class Bouts:
    """While a value is low. It begins where the value falls below `enter` and ends where it rises above `leave`;
    the times are interpolated between values, so that a low rate costs little. A value that cannot be told (None)
    ends a bout after `patience_s`, at the last value that was told; values that did not come do after LOOKS_APART_S.
    It is over only once the value has been above `leave` for `hold_s`, so that one picture that was misread does not
    break it in two; it ended when that began."""

    def __init__(self, enter: float, leave: float, patience_s: float = 0.3, hold_s: float = 0.0) -> None:
        self._enter, self._leave, self._patience_s, self._hold_s = enter, leave, patience_s, hold_s
        self.reset()

    def reset(self) -> None:
        self._last: tuple[float, float] | None = None
        self._start_s: float | None = None
        self._left_s: float | None = None  # since when the value has been above `leave`
        self._peak = 0.0
        self._untold = False  # whether there was a value since the last that was told, which could not be

    def length_s(self, now_s: float) -> float:
        """Of the bout that goes on; 0 where none does."""
        end_s = now_s if self._left_s is None else self._left_s
        return 0.0 if self._start_s is None else max(end_s - self._start_s, 0.0)

    def update(self, time_s: float, value: float | None) -> Bout | None:
        """The bout that is over now."""
        ended = None
        self._untold = self._untold or value is None
        patience_s = self._patience_s if self._untold else LOOKS_APART_S
        if self._last is not None and time_s - self._last[0] > patience_s:
            ended = self._end(self._last[0] if self._left_s is None else self._left_s, forget=True)
        if value is None:
            return ended
        if self._start_s is None:
            if value < self._enter:
                self._start_s, self._peak = self._crossing(time_s, value, self._enter), value
        elif value > self._leave:
            if self._left_s is None:
                self._left_s = self._crossing(time_s, value, self._leave)
            if time_s - self._left_s >= self._hold_s:
                ended = self._end(self._left_s, forget=False)
        else:
            self._left_s, self._peak = None, min(self._peak, value)
        self._last, self._untold = (time_s, value), False
        return ended

    def _crossing(self, time_s: float, value: float, threshold: float) -> float:
        if self._last is None or value == self._last[1]:
            return time_s
        share = (threshold - self._last[1]) / (value - self._last[1])
        return self._last[0] + min(max(share, 0.0), 1.0) * (time_s - self._last[0])

    def _end(self, end_s: float, forget: bool) -> Bout | None:
        ended = None if self._start_s is None else Bout(self._start_s, max(end_s, self._start_s), self._peak)
        self._start_s = self._left_s = None
        if forget:
            self._last = None
        return ended


class TimeShare:
    """The share of the last `window_s` seconds in which something was so; PERCLOS, where that is "the eyes are closed"
    (Wierwille et al., 1994). Time that could not be told does not count; None where more than half could not."""

    def __init__(self, window_s: float = 60.0, longest_step_s: float = 0.3) -> None:
        self._window_s, self._longest_step_s = window_s, longest_step_s
        self.reset()

    def reset(self) -> None:
        self._steps: deque[tuple[float, float, float]] = deque()  # end, seconds told, seconds so
        self._last_s: float | None = None
        self._first_s: float | None = None
        self._told = self._so = 0.0

    def update(self, time_s: float, so: bool | None) -> float | None:
        first_s = time_s if self._first_s is None else self._first_s
        step_s = 0.0 if self._last_s is None else min(max(time_s - self._last_s, 0.0), self._longest_step_s)
        self._first_s, self._last_s = first_s, time_s
        if so is not None:
            self._steps.append((time_s, step_s, step_s * so))
            self._told, self._so = self._told + step_s, self._so + step_s * so
        while self._steps and self._steps[0][0] <= time_s - self._window_s:
            _, told, was_so = self._steps.popleft()
            self._told, self._so = self._told - told, self._so - was_so
        past_s = min(time_s - first_s, self._window_s)
        return self._so / self._told if self._told > 0 and self._told >= past_s / 2 else None
