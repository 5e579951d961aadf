"""From activities to motion: a driver's posture at any time, a pure function of seed and time."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from edge_c2vl.simulated.activities import Activity, Key, Prop
from edge_c2vl.simulated.body import Build, Floats, Hand, Posture, solve
from edge_c2vl.simulated.driver import Driver
from edge_c2vl.simulated.eyes import SACCADE_S, Blinks, in_head, openness
from edge_c2vl.simulated.gestures import Place


@dataclass(frozen=True)
class Segment:
    """`activity` (a Drive&Act name, or attentive) from start_s to end_s."""

    activity: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Moment:
    """The state at one time."""

    posture: Posture
    props: tuple[Prop, ...]
    worn: frozenset[str]
    activity: str
    action: tuple[str, str, str]


_KEPT = 20_000  # postures, some hours: a camera that plays for days must not fill the memory

Script = Iterator[tuple[str, Activity, float]]
"""An activity's name, what is done, and for how many seconds."""


def resolve(key: Key, build: Build) -> Posture:
    """The posture of a key for a driver of that build: trunk and head first, then the hands, which go by them."""
    nowhere = Hand(np.zeros(3, np.float32), np.array([0, 0, -1], np.float32), np.array([0, -1, 0], np.float32))
    root, lean, head = (np.array(part, np.float32) for part in (key.root, key.lean, key.head))
    posture = Posture(nowhere, nowhere, root, lean, head, key.stand, key.mouth)
    skeleton = solve(build, posture)
    return replace(
        posture, left=key.left(Place(build, skeleton, "left")), right=key.right(Place(build, skeleton, "right"))
    )


@dataclass(frozen=True)
class _Knot:
    start_s: float  # the movement to this key begins
    reached_s: float  # the key is reached
    posture: Floats
    key: Key
    segment: int


class Motion:
    """A script played by a driver. Times may be asked for in any order; of an endless one the last hours are kept."""

    def __init__(self, driver: Driver, script: Script) -> None:
        self.driver = driver
        self.segments: list[Segment] = []
        self._script = script
        self._knots: list[_Knot] = []
        self._starts: list[float] = []
        self._end_s = 0.0
        self._keys: Iterator[Key] | None = None
        random = np.random.default_rng([driver.seed, 7])
        self._sway = _Sway(random)
        self._blinks = Blinks(driver.seed)

    @property
    def end_s(self) -> float:
        """How far the script has been played; an endless one is played as far as it was asked for."""
        return self._end_s

    def at(self, time_s: float) -> Moment:
        """The moment at a time of 0 or more. After the end of a script its last moment stays."""
        while time_s >= self._end_s and self._extend():
            pass
        index = self._find(time_s)
        knot = self._knots[index]
        if index == 0:
            values = knot.posture
        else:
            before = self._knots[index - 1].posture
            share = (time_s - knot.start_s) / max(knot.reached_s - knot.start_s, 1e-3)
            values = before + _minimum_jerk(share) * (knot.posture - before)
        posture = self._sway.apply(Posture.from_array(values), time_s)
        # What is held changes hands in the middle of the movement.
        key = knot.key if index == 0 or time_s >= 0.5 * (knot.start_s + knot.reached_s) else self._knots[index - 1].key
        posture = self._with_eyes(posture, time_s, index)
        segment = self.segments[knot.segment]
        return Moment(posture, key.props, key.worn, segment.activity, knot.key.action)

    def _with_eyes(self, posture: Posture, time_s: float, index: int) -> Posture:
        knot, before = self._knots[index], self._knots[max(index - 1, 0)]
        lids = self._blinks.openness(time_s)
        # Of two keys with closed eyes one after the other the second's begin before it.
        for one, end_s in (
            (before, knot.start_s),
            (knot, self._end_s if index + 1 == len(self._knots) else self._starts[index + 1]),
        ):
            if one.key.closed:
                lids = min(lids, openness(time_s, one.start_s, end_s))
        towards = [
            (0.0, 0.0) if one.key.gaze is None else in_head(one.key.gaze, posture.head) for one in (before, knot)
        ]
        share = min((time_s - knot.start_s) / SACCADE_S, 1.0)
        left, down = (a + share * (b - a) for a, b in zip(*towards, strict=True))
        return replace(posture, eyes=(left, down), lids=lids)

    def actions(self, until_s: float) -> list[tuple[float, float, tuple[str, str, str]]]:
        """Object-level stretches (start, end, (action, object, location)) up to a time; equal neighbours are one."""
        self.at(until_s)
        result: list[tuple[float, float, tuple[str, str, str]]] = []
        for index, knot in enumerate(self._knots):
            end = self._knots[index + 1].start_s if index + 1 < len(self._knots) else self._end_s
            if result and result[-1][2] == knot.key.action and knot.start_s == self.segments[knot.segment].start_s:
                result.append((knot.start_s, end, knot.key.action))
            elif result and result[-1][2] == knot.key.action:
                result[-1] = (result[-1][0], end, knot.key.action)
            else:
                result.append((knot.start_s, end, knot.key.action))
        return [(start, min(end, until_s), action) for start, end, action in result if start < until_s]

    def _find(self, time_s: float) -> int:
        return max(bisect.bisect_right(self._starts, time_s) - 1, 0)

    def _extend(self) -> bool:
        """Adds the next key, of the next activity where one is over. False at the end of the script."""
        if self._keys is None:
            entry = next(self._script, None)
            if entry is None:
                return False
            name, activity, duration_s = entry
            self._random = np.random.default_rng([self.driver.seed, 11, len(self.segments)])
            self.segments.append(Segment(name, self._end_s, self._end_s + duration_s))
            self._keys = activity(self._random, self.driver.habits)
        end_s = self.segments[-1].end_s
        key = next(self._keys)
        posture = resolve(key, self.driver.build)
        left, right = (
            replace(hand, wrist=hand.wrist + self._random.normal(0, 0.012, 3).astype(np.float32))
            for hand in (posture.left, posture.right)
        )
        values = replace(posture, left=left, right=right).to_array()
        move_s = key.move_s / self.driver.habits.tempo * self._random.uniform(0.85, 1.2)
        start_s, reached_s = self._end_s, self._end_s + move_s
        if reached_s > end_s and self._knots:
            # The next activity begins from where this movement is broken off.
            before = self._knots[-1].posture
            values, reached_s = before + _minimum_jerk((end_s - start_s) / move_s) * (values - before), end_s
        self._knots.append(_Knot(start_s, reached_s, values, key, len(self.segments) - 1))
        self._starts.append(start_s)
        self._end_s = min(reached_s + key.hold_s, end_s)
        if self._end_s >= end_s:
            self._keys = None
        if len(self._knots) > 2 * _KEPT:
            del self._knots[:_KEPT], self._starts[:_KEPT]
        return True


def _minimum_jerk(share: float) -> float:
    """Flash and Hogan, J. Neuroscience 1985: from 0 to 1 at rest at both ends."""
    share = min(max(share, 0.0), 1.0)
    return share**3 * (10 - 15 * share + 6 * share**2)


class _Sway:
    """What never rests: breathing, the road, small movements of head and hands. Sums of slow sines."""

    def __init__(self, random: np.random.Generator) -> None:
        self._rates = random.uniform(0.08, 0.55, (3, 12)) * 2 * np.pi
        self._phases = random.uniform(0, 2 * np.pi, (3, 12))
        self._size = np.array([0.003] * 6 + [0.5, 0.4, 0.5] + [1.6, 1.0, 0.8]) * random.uniform(0.6, 1.4, 12)

    def apply(self, posture: Posture, time_s: float) -> Posture:
        value = (np.sin(self._rates * time_s + self._phases).sum(axis=0) * 0.6 * self._size).astype(np.float32)
        breath = 0.6 * np.sin(2 * np.pi * 0.25 * time_s + self._phases[0, 0])
        return replace(
            posture,
            left=replace(posture.left, wrist=posture.left.wrist + value[:3]),
            right=replace(posture.right, wrist=posture.right.wrist + value[3:6]),
            lean=posture.lean + value[6:9] + np.array([breath, 0, 0], np.float32),
            head=posture.head + value[9:],
        )
