"""Which of the bodies that the pose network finds is the driver: over time.

A body counts once it was plausible (body.py) for a second, without a jump that no body makes and with bones of one
person's lengths. What was not the driver is taken out of the window again, so that nothing is judged by it.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from edge_c2vl.monitoring.body import BodyLimits, SeatedBody, as_points, evident, implausible, measure
from edge_c2vl.skeletons.evidence import Evidence
from edge_c2vl.skeletons.skeleton import Array

# A body is the driver's after so long, if so much of it was plausible.
CONFIRMED_S, CONFIRMED_SHARE = 1.0, 0.8
# After so long without the driver whoever comes has to be confirmed anew.
REMEMBERED_S = 2.0
# How fast the shoulders move, in shoulder breadths a second: a driver who reaches for something does 4. And by how much
# the estimate jumps by itself.
FASTEST, SLACK = 5.0, 0.5
# How far a body's size may be from the driver's over the last minutes, as a factor: leaning forward is within it.
SIZE_FACTOR = 1.8
SIZE_MEMORY_S = 120.0


@dataclass(frozen=True)
class Look:
    """What a picture came to.

    skeleton: (33, 4) as it was found, so that archives made of the same recording hold the same; None where there is no
    body that may be the driver's. driver: whether the driver is known. forget_from_s, forget_before_s: what the window
    holds from or before that time was of something else. why: what speaks against a body that was found.
    """

    skeleton: Array | None
    driver: bool
    forget_from_s: float | None = None
    forget_before_s: float | None = None
    why: str | None = None


class BodyWatch:
    """Looks at each picture's skeleton in turn; `reset` where what follows lies at another time."""

    def __init__(self, limits: BodyLimits | None = None) -> None:
        self.limits = limits or BodyLimits()
        self.reset()

    def reset(self) -> None:
        self._driver: _Seen | None = None
        self._candidate: _Candidate | None = None
        self._sizes: deque[tuple[float, float]] = deque()

    def look(self, skeleton: Array | None, evidence: Evidence | None, size: tuple[int, int], time_s: float) -> Look:
        """size: the picture's (width, height). Times rise."""
        if self._driver is not None and time_s - self._driver.time_s > REMEMBERED_S:
            self._driver = None
            self._sizes.clear()
        if skeleton is None:
            return self._nobody(time_s, None)
        points = as_points(skeleton) if evidence is None else evidence.points
        visibility = skeleton[:, 3] if evidence is None else evidence.visibility
        sure = evident(points, visibility, size, self.limits)
        body = measure(points, sure)
        why = implausible(body, 1.0 if evidence is None else evidence.presence, size, self.limits)
        if why is None and body is not None:
            why = self._unlike(body)
        if why is not None or body is None:
            return self._nobody(time_s, why)
        return self._somebody(skeleton, body, time_s)

    def _somebody(self, skeleton: Array, body: SeatedBody, time_s: float) -> Look:
        seen = _Seen(time_s, body)
        elsewhere = self._candidate is not None and self._candidate.newest.leads_to(seen)
        # Who has been seen elsewhere since is not the driver who went there.
        if self._driver is not None and self._driver.leads_to(seen, at_once=elsewhere):
            # What a candidate elsewhere has left in the window was a phantom.
            gone, self._candidate = self._candidate, None
            self._take(seen)
            return Look(skeleton, True, forget_from_s=None if gone is None else gone.since_s)
        if self._candidate is None or not self._candidate.newest.leads_to(seen):
            since_s = None if self._candidate is None else self._candidate.since_s
            self._candidate = _Candidate(time_s, seen)
            return Look(skeleton, False, forget_from_s=since_s)
        self._candidate.add(seen)
        if not self._candidate.confirmed(time_s):
            return Look(skeleton, False)
        since_s, self._candidate = self._candidate.since_s, None
        self._take(seen)
        return Look(skeleton, True, forget_before_s=since_s)

    def _nobody(self, time_s: float, why: str | None) -> Look:
        gone = None
        if self._candidate is not None:
            self._candidate.looks += 1
            if self._candidate.hopeless(time_s):
                gone, self._candidate = self._candidate.since_s, None
        known = self._driver is not None
        return Look(None, known, forget_from_s=gone, why=why)

    def _take(self, seen: _Seen) -> None:
        self._driver = seen
        self._sizes.append((seen.time_s, seen.body.unit))
        while self._sizes[0][0] < seen.time_s - SIZE_MEMORY_S:
            self._sizes.popleft()

    def _unlike(self, body: SeatedBody) -> str | None:
        """Whether the bones are of another length than the driver's over the last minutes."""
        if self._driver is None or len(self._sizes) < 10:
            return None
        usual = float(np.median([unit for _, unit in self._sizes]))
        return None if 1 / SIZE_FACTOR <= body.unit / usual <= SIZE_FACTOR else "other size"


@dataclass(frozen=True)
class _Seen:
    time_s: float
    body: SeatedBody

    def leads_to(self, later: _Seen, at_once: bool = False) -> bool:
        """Whether the same body can be there by then; at_once: without moving."""
        unit = max(self.body.unit, later.body.unit)
        way = math.dist(self.body.place, later.body.place) / unit
        ratio = later.body.unit / self.body.unit
        reach = SLACK + (0.0 if at_once else FASTEST * (later.time_s - self.time_s))
        return way <= reach and 1 / SIZE_FACTOR <= ratio <= SIZE_FACTOR


@dataclass
class _Candidate:
    """A body that has to be plausible for CONFIRMED_S. looks: pictures since it came, `found` of them with it."""

    since_s: float
    newest: _Seen
    looks: int = 1
    found: int = 1

    def add(self, seen: _Seen) -> None:
        self.newest, self.looks, self.found = seen, self.looks + 1, self.found + 1

    def confirmed(self, time_s: float) -> bool:
        return time_s - self.since_s >= CONFIRMED_S - 1e-6 and self.found >= CONFIRMED_SHARE * self.looks

    def hopeless(self, time_s: float) -> bool:
        """Lost for so long that it is not the same any more."""
        return time_s - self.newest.time_s > CONFIRMED_S / 2
