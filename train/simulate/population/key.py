"""The key postures that activities consist of, for many drivers at once, each with its own times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.simulate.population.gestures import Gesture, Hand, PlacedPeople
from train.simulate.population.people import Floats, People, Random, normal, uniform

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class KeyPostures:
    """A posture to move to within move_s (N,) seconds and to hold for hold_s (N,). lean, head, root (N, 3): beside the
    driver's usual ones, degrees and metres."""

    left: Gesture
    right: Gesture
    move_s: Floats
    hold_s: Floats
    lean: Floats
    head: Floats
    root: Floats


@dataclass(frozen=True)
class Actors:
    """The drivers of one activity, and their random numbers."""

    people: People
    random: Random

    def __len__(self) -> int:
        return len(self.people)

    def between(self, low: float, high: float) -> Floats:
        return uniform(self.random, low, high, len(self))

    def around(self, mean: float, deviation: float) -> Floats:
        return normal(self.random, mean, deviation, len(self))

    def chance(self, share: float) -> Bools:
        return self.random.random(len(self)) < share

    def spot(self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]) -> Floats:
        """(N, 3), each within the box."""
        return np.stack([self.between(*x), self.between(*y), self.between(*z)], axis=1)

    def elbow_lift(self) -> Floats:
        """(N,) degrees: mostly the elbow hangs down, now and then it is raised to the side."""
        return np.where(self.chance(0.75), self.between(-15, 25), self.between(25, 60)).astype(np.float32)

    def pointing(self) -> Floats:
        """(N, 3) which way a hand at the head points: inwards, up and to the back."""
        return self.spot((-0.6, 0.0), (0.1, 0.9), (0.2, 0.9))

    def jitter(self, metres: float) -> Floats:
        return normal(self.random, 0, metres, len(self), 3)

    def key(
        self,
        left: Gesture,
        right: Gesture,
        move_s: tuple[float, float] = (0.6, 1.1),
        hold_s: tuple[float, float] = (0.3, 1.0),
        lean: Floats | tuple[float, float, float] = (0, 0, 0),
        head: Floats | tuple[float, float, float] = (0, 0, 0),
        root: Floats | tuple[float, float, float] = (0, 0, 0),
    ) -> KeyPostures:
        """A key with times drawn from these ranges, and angles that differ a little from driver to driver."""

        def angles(values: Floats | tuple[float, float, float], deviation: float) -> Floats:
            return np.asarray(values, np.float32) + normal(self.random, 0, deviation, len(self), 3)

        return KeyPostures(
            left,
            right,
            self.between(*move_s) / self.people.tempo,
            self.between(*hold_s),
            angles(lean, 1.5),
            angles(head, 2.5),
            np.broadcast_to(np.asarray(root, np.float32), (len(self), 3)),
        )


Keys = Iterator[KeyPostures]
Activity = Callable[[Actors], Keys]
"""Key postures without end; how far they are played, motion.py says."""


def choose(chosen: Bools, first: Gesture, second: Gesture) -> Gesture:
    """The first gesture for the chosen drivers (N,), the second for the others."""

    def gesture(place: PlacedPeople, side: str) -> Hand:
        one, other = first(place, side), second(place, side)
        return np.where(chosen[:, None], one[0], other[0]), np.where(chosen, one[1], other[1])

    return gesture


def shaken(gesture: Gesture, by: Floats) -> Gesture:
    """The gesture with the wrists moved by (N, 3) metres."""

    def moved(place: PlacedPeople, side: str) -> Hand:
        wrist, lift = gesture(place, side)
        return wrist + by, lift

    return moved
