"""What a face does over time: blinks, closed eyes, PERCLOS, yawns; and how often it has to be looked at.

Everything is a function of what was seen and when; there is no clock here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from edge_c2vl.face.bouts import Bout, Bouts, TimeShare
from edge_c2vl.face.tracker import Face

# Eyes are closed below the first share of the driver's own opening, and open again above the second.
CLOSED, OPEN = 0.40, 0.55
# Between two closures the eyes are open for longer than this.
MIN_OPEN_S = 0.15
# PERCLOS' own limit: closed by 80 % (Wierwille et al., 1994).
PERCLOS_CLOSED = 0.20
# A closure that is no blink any more lasts so long (Caffier et al., 2003, find blinks of up to .4 s).
BLINK_MAX_S = 0.5
# A yawn: lips so far apart for so long. Speech opens them by less, or for less.
YAWN_MM, YAWN_ENDS_MM, YAWN_MIN_S = 22.0, 15.0, 0.5
# The opening of a driver's eyes until it is known, millimetres, and the limits of what is taken for one. Rather too
# small: narrow eyes must not be called closed, or they would never be learnt.
USUAL_GAP_MM, GAP_RANGE_MM = 6.0, (3.5, 14.0)
# What is learnt from, and how much of it has to be there.
LEARN_S, LEARNT_S = 300.0, 20.0
# While the eyes are open by less than this, every picture counts.
CLOSING = 0.7


class OwnOpening:
    """How far this driver's eyes are open when they are: the upper quartile of the last minutes' openings, so that
    blinks, looks down and half an hour of sleepiness do not make it small."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()
        self._told_s = 0.0
        self._next_s = 0.0
        self._upper_mm = USUAL_GAP_MM

    @property
    def learnt(self) -> float:
        """Share of what has to be seen before it can be relied on, 0 to 1."""
        return min(self._told_s / LEARNT_S, 1.0)

    @property
    def gap_mm(self) -> float:
        return USUAL_GAP_MM + self.learnt * (self._upper_mm - USUAL_GAP_MM)

    def hold(self, gap_mm: float) -> None:
        """It is known."""
        self._upper_mm, self._told_s = gap_mm, LEARNT_S

    def update(self, time_s: float, gap_mm: float) -> None:
        step_s = time_s - self._seen[-1][0] if self._seen else 0.0
        if self._seen and step_s < 0.1:
            return
        self._told_s += min(step_s, 0.3)
        self._seen.append((time_s, gap_mm))
        while self._seen[0][0] < time_s - LEARN_S:
            self._seen.popleft()
        if time_s >= self._next_s:
            self._next_s = time_s + 1.0
            upper = float(np.percentile([gap for _, gap in self._seen], 75))
            self._upper_mm = min(max(upper, GAP_RANGE_MM[0]), GAP_RANGE_MM[1])


@dataclass(frozen=True)
class FaceState:
    """openness: of the eyes, 0 closed to 1 the driver's own open eye; None where they cannot be seen. closed_s: for how
    long they have been closed. closure: one that ended now, a blink too. perclos: share of the last minute; None
    where most of it could not be seen. blinks_a_minute: closures up to BLINK_MAX_S, of the last minute. yawn: one
    that ended now."""

    openness: float | None
    closed_s: float
    closure: Bout | None
    perclos: float | None
    blinks_a_minute: int
    yawn: Bout | None


class FaceWatch:
    """own: of this driver's open eye, learnt by somebody else; None: it is learnt here, from every face."""

    def __init__(self, own: OwnOpening | None = None) -> None:
        self._own, self._learns = own or OwnOpening(), own is None
        self.reset()

    def reset(self) -> None:
        """For another driver."""
        if self._learns:
            self._own.reset()
        self._closures = Bouts(CLOSED, OPEN, hold_s=MIN_OPEN_S)
        self._yawns = Bouts(-YAWN_MM, -YAWN_ENDS_MM)
        self._closed_share = TimeShare()
        self._blinks: deque[float] = deque()

    def update(self, time_s: float, face: Face | None, lowered: bool = False) -> FaceState:
        """face: of the picture taken at that time; None: there was none. lowered: the head looks down, and
        lids that are lowered with it cannot be told from closed ones; a closure that began before goes on. Times
        rise."""
        openness = None
        told = not lowered or self._closures.length_s(time_s) > 0
        if face is not None and told and (gap_mm := face.gap_mm) is not None:
            if self._learns:
                self._own.update(time_s, gap_mm)
            openness = gap_mm / self._own.gap_mm
        closure = self._closures.update(time_s, openness)
        if closure is not None and closure.length_s <= BLINK_MAX_S:
            self._blinks.append(closure.end_s)
        while self._blinks and self._blinks[0] <= time_s - 60:
            self._blinks.popleft()
        perclos = self._closed_share.update(time_s, None if openness is None else openness < PERCLOS_CLOSED)
        yawn = self._yawns.update(time_s, None if face is None else -face.mouth_mm)
        if yawn is not None and yawn.length_s < YAWN_MIN_S:
            yawn = None
        closed_s = self._closures.length_s(time_s)
        return FaceState(openness, closed_s, closure, perclos, len(self._blinks), yawn)


class Rate:
    """When the next picture's face has to be looked at: so many times a second, and in every picture while an eye
    closes or is closed."""

    def __init__(self, hz: float = 10.0) -> None:
        self._period_s = 1 / hz
        self.reset()

    def reset(self) -> None:
        self._next_s = float("-inf")
        self.closing = False
        """Whether every picture counts."""

    def due(self, time_s: float) -> bool:
        """Pictures come a little early or late: half a frame at 60 a second does not count."""
        return self.closing or time_s >= self._next_s - 0.008

    def looked(self, time_s: float, state: FaceState) -> None:
        late = time_s - self._next_s
        start_s = self._next_s if 0 <= late < self._period_s else time_s
        self._next_s = start_s + self._period_s
        self.closing = state.openness is not None and state.openness < CLOSING
