"""Where hands go: to the wheel, the lap, the ear, the mouth, the display; for a driver of any size and habit.

A gesture takes the driver's skeleton with trunk and head already placed, and gives one hand (body.Hand). Vectors are
written for the left hand, x outwards, and turned over for the right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from edge_c2vl.simulated.body import EAR, MOUTH, Build, Floats, Hand, Skeleton, unit
from edge_c2vl.simulated.cabin import wheel_point

_OUT = {"left": 1.0, "right": -1.0}


@dataclass(frozen=True)
class Place:
    """What a gesture may look at: the driver, and the skeleton with trunk and head where they will be."""

    build: Build
    skeleton: Skeleton
    side: str

    @property
    def out(self) -> float:
        return _OUT[self.side]

    def outwards(self, x: float, y: float, z: float) -> Floats:
        return np.array([x * self.out, y, z], np.float32)

    def hand(
        self,
        wrist: ArrayLike,
        direction: tuple[float, float, float],
        palm: tuple[float, float, float],
        curl: float = 0.5,
        lift: float = 0.0,
    ) -> Hand:
        return Hand(
            np.asarray(wrist, np.float32), unit(self.outwards(*direction)), unit(self.outwards(*palm)), curl, lift
        )

    def gripping(
        self,
        what: ArrayLike,
        direction: tuple[float, float, float],
        palm: tuple[float, float, float],
        curl: float = 0.6,
        lift: float = 0.0,
    ) -> Hand:
        """The hand whose grip (9 cm from the wrist, 3 cm off the palm) lies at `what`."""
        hand = self.hand([0, 0, 0], direction, palm, curl, lift)
        size = np.float32(self.build.hand)
        return Hand(
            np.asarray(what, np.float32) - size * (np.float32(0.085) * hand.direction + np.float32(0.03) * hand.palm),
            hand.direction,
            hand.palm,
            curl,
            lift,
        )


Gesture = Callable[[Place], Hand]


def wheel(degrees: float = 75.0) -> Gesture:
    """Gripping the rim `degrees` from the top, the left hand on the left."""

    def gesture(place: Place) -> Hand:
        side = 1 - abs(degrees) / 180  # the higher the grip, the more the fingers point ahead
        return place.gripping(
            wheel_point(-degrees * place.out), (-0.45, 0.25 + 0.4 * side, -0.8), (-0.7, -0.25 * side, -0.55), 0.85, 12
        )

    return gesture


def lap(forward: float = 0.0, inwards: float = 0.0) -> Gesture:
    def gesture(place: Place) -> Hand:
        knee = place.skeleton.joints[f"{place.side}_knee"]
        hip = place.skeleton.joints[f"{place.side}_hip"]
        wrist = hip + (0.42 + forward) * (knee - hip) + place.outwards(0.03 - inwards, 0.115, 0)
        return place.hand(wrist, (-0.35, -0.05, -1), (-0.1, -1, 0), 0.3, 8)

    return gesture


def car(
    x: float,
    y: float,
    z: float,
    direction: tuple[float, float, float] = (0, -0.2, -1),
    palm: tuple[float, float, float] = (-0.3, -1, 0),
    curl: float = 0.5,
    lift: float = 10.0,
) -> Gesture:
    """The grip at a place of the car (x as it is, not turned over)."""
    return lambda place: place.gripping([x, y, z], direction, palm, curl, lift)


def front(
    x: float,
    y: float,
    z: float,
    direction: tuple[float, float, float] = (-0.2, 0.5, -0.8),
    palm: tuple[float, float, float] = (-0.9, 0.2, 0.4),
    curl: float = 0.6,
    lift: float = 10.0,
) -> Gesture:
    """The grip before the chest: outwards, up and away from the chest, metres from between the shoulders."""
    return lambda place: place.gripping(
        place.skeleton.joints["spine_shoulder"] + place.outwards(x, y, -z), direction, palm, curl, lift
    )


def ear(lift: float = 25.0) -> Gesture:
    """Holding something to the ear."""
    return lambda place: place.gripping(
        place.skeleton.head_point(np.add(EAR[place.side], (0.012 * place.out, -0.02, -0.02))),
        (-0.12, 0.9, 0.38),
        (-1.0, 0.05, -0.25),
        0.55,
        lift,
    )


def mouth(below: float = 0.02, before: float = 0.05) -> Gesture:
    """Bringing something to the mouth between the fingers."""
    return lambda place: place.hand(
        place.skeleton.head_point(np.add(MOUTH, (0.055 * place.out, -below - 0.11, -before - 0.09))),
        (-0.38, 0.72, 0.55),
        (-0.8, -0.45, 0.3),
        0.45,
        22,
    )


def sip(tilt: float = 1.0) -> Gesture:
    """Holding a bottle before the mouth; tilt 0: upright, 1: drinking."""
    palm = (0.0, 0.3 - 1.15 * tilt, 0.95 - 0.45 * tilt)
    return lambda place: place.gripping(
        place.skeleton.head_point(np.add(MOUTH, (0.01 * place.out, -0.10 + 0.05 * tilt, -0.075 - 0.06 * tilt))),
        (-0.9, 0.1, 0.2),
        palm,
        0.8,
        28,
    )


def temple(open_: float = 0.0) -> Gesture:
    """At the temple, as when putting glasses on."""
    return lambda place: place.hand(
        place.skeleton.head_point([(0.10 + open_) * place.out, -0.07, -0.13 - open_]),
        (-0.15, 0.65, 0.45),
        (-1.0, 0.1, 0.2),
        0.4,
        30,
    )


def collar() -> Gesture:
    """At the own shoulder's front, as when pulling a jacket on."""
    return lambda place: place.hand(
        place.skeleton.joints[f"{place.side}_shoulder"] + place.outwards(0.03, -0.06, -0.13),
        (-0.35, 0.8, 0.35),
        (-0.3, -0.2, 1.0),
        0.8,
        40,
    )
