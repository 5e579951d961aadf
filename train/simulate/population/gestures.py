"""Where hands go, for many drivers at once: to the wheel, the ear, the mouth, the lap, the seat beside, ...

A gesture takes the place (people, and trunk and head already placed) and a side, and gives the wrists (N, 3) and the
elbows' lift (N,). Vectors are written for the left hand, x outwards, and turned over for the right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from edge_c2vl.simulated.body import EAR, MOUTH
from train.simulate.population.kinematics import OUT, Trunk, times, turned, unit, vector
from train.simulate.population.people import Floats, People


@dataclass(frozen=True)
class PlacedPeople:
    """People (N), and their trunks and heads (N, 1, ...) at the moment of one key."""

    people: People
    trunk: Trunk

    def head_point(self, local: ArrayLike) -> Floats:
        """(N, 3) or (3,) in the head's axes, for a head of mean size -> (N, 3)."""
        return self.trunk.skull[:, 0] + times(self.trunk.head[:, 0], local)


Hand = tuple[Floats, Floats]
Gesture = Callable[[PlacedPeople, str], Hand]


def _outwards(side: str, local: ArrayLike) -> Floats:
    return np.asarray(local, np.float32) * vector(OUT[side], 1, 1)


def _grip(place: PlacedPeople, side: str, what: Floats, direction: ArrayLike, palm: ArrayLike) -> Floats:
    """The wrist of a hand whose grip (8.5 cm from the wrist, 3 cm off the palm) lies at `what`."""
    along, facing = unit(_outwards(side, direction)), unit(_outwards(side, palm))
    offset = np.float32(0.085) * along + np.float32(0.03) * facing
    return what - place.people.size[:, None] * offset


def _lift(place: PlacedPeople, lift: ArrayLike) -> Floats:
    return np.broadcast_to(np.asarray(lift, np.float32), (len(place.people),)).copy()


def wheel(degrees: Floats, lift: ArrayLike = 12.0) -> Gesture:
    """Gripping the rim `degrees` (N,) from the top, the left hand on the left; the wheel's own turn added."""

    def gesture(place: PlacedPeople, side: str) -> Hand:
        people, out = place.people, OUT[side]
        angle = np.radians(-degrees * out + people.steering)
        local = np.stack([-np.sin(angle), np.zeros_like(angle), -np.cos(angle)], axis=1) * people.radius[:, None]
        level = np.zeros(1, np.float32)
        rim = people.wheel + times(turned(-people.tilt, level, level), local)
        high = 1 - np.abs(degrees)[:, None] / 180  # the higher the grip, the more the fingers point ahead
        direction = np.concatenate([np.full_like(high, -0.45), 0.25 + 0.4 * high, np.full_like(high, -0.8)], axis=1)
        palm = np.concatenate([np.full_like(high, -0.7), -0.25 * high, np.full_like(high, -0.55)], axis=1)
        return _grip(place, side, rim, direction, palm).astype(np.float32), _lift(place, lift)

    return gesture


def lap(forward: Floats, inwards: Floats) -> Gesture:
    """On the own thigh: forward and inwards, metres, (N,)."""

    def gesture(place: PlacedPeople, side: str) -> Hand:
        hip = place.trunk.hips[:, 0] + OUT[side] * 0.05 * place.people.stature[:, None] * vector(1, 0, 0)
        thigh = unit(_outwards(side, (0.16, 0.22, -1.0))) * 0.245 * place.people.stature[:, None]
        above = np.stack([OUT[side] * (0.03 - inwards), np.full_like(inwards, 0.115), np.zeros_like(inwards)], axis=1)
        return (hip + (0.42 + forward)[:, None] * thigh + above).astype(np.float32), _lift(place, 8)

    return gesture


def car(
    where: Floats, direction: ArrayLike = (0, -0.2, -1), palm: ArrayLike = (-0.3, -1, 0), lift: ArrayLike = 10
) -> Gesture:
    """The grip at a place of the car (N, 3), x as it is, not turned over."""
    return lambda place, side: (_grip(place, side, where, direction, palm), _lift(place, lift))


def front(
    where: Floats, direction: ArrayLike = (-0.2, 0.5, -0.8), palm: ArrayLike = (-0.9, 0.2, 0.4), lift: ArrayLike = 10
) -> Gesture:
    """The grip before the chest (N, 3): outwards, up and away from the chest, metres from between the shoulders."""

    def gesture(place: PlacedPeople, side: str) -> Hand:
        what = place.trunk.top[:, 0] + _outwards(side, where * vector(1, 1, -1))
        return _grip(place, side, what, direction, palm), _lift(place, lift)

    return gesture


def at_head(local: Floats, direction: ArrayLike, palm: ArrayLike, lift: ArrayLike = 25) -> Gesture:
    """The grip at a place of the head (N, 3): outwards, up, to the back of the head's middle, metres."""

    def gesture(place: PlacedPeople, side: str) -> Hand:
        return _grip(place, side, place.head_point(_outwards(side, local)), direction, palm), _lift(place, lift)

    return gesture


def ear(jitter: Floats, lift: ArrayLike = 25) -> Gesture:
    """Holding something to the own ear; jitter (N, 3) metres."""
    local = np.asarray(EAR["left"], np.float32) + vector(0.012, -0.02, -0.02) + jitter
    return at_head(local, (-0.12, 0.9, 0.38), (-1.0, 0.05, -0.25), lift)


def mouth(jitter: Floats, lift: ArrayLike = 24) -> Gesture:
    """Holding a cup, a bottle or food before the mouth; jitter (N, 3) metres."""
    local = np.asarray(MOUTH, np.float32) + vector(0.01, -0.06, -0.02) + jitter
    return at_head(local, (-0.7, 0.6, 0.0), (-0.3, -0.2, 0.9), lift)


def fingers_at_head(local: Floats, pointing: Floats, lift: ArrayLike = 30) -> Gesture:
    """The fingers at a place of the head (N, 3), as when combing or putting on make-up. pointing (N, 3): inwards, up
    and to the back, the direction of the hand."""

    def gesture(place: PlacedPeople, side: str) -> Hand:
        what = place.head_point(_outwards(side, local))
        fingers = unit(_outwards(side, pointing))
        return (what - place.people.size[:, None] * np.float32(0.16) * fingers).astype(np.float32), _lift(place, lift)

    return gesture
