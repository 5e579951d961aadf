"""Getting in and out: doors from inside and outside, and the way through them."""

from __future__ import annotations

from edge_c2vl.simulated.activities.key import BARE, Habits, Key, Keys, Random, between
from edge_c2vl.simulated.gestures import car, lap, wheel

_DOOR, _OUTSIDE = (0.40, 0.16, -0.30), (0.95, 0.45, -0.12)


def from_inside(random: Random, habits: Habits, opening: bool) -> Keys:
    """From inside: the left hand pushes the door out, or pulls it to."""
    near = car(*_DOOR, (0.3, 0, -0.9), (0.9, -0.2, 0), 0.7, 25)
    out = car(0.62, 0.18, -0.36, (0.6, 0.1, -0.8), (0.6, -0.2, 0), 0.7, 25)
    action = ("opening" if opening else "closing", "door", "driver_door")
    while True:
        for gesture in (near, out) if opening else (out, near):
            far = gesture is out
            yield Key(
                gesture,
                habits.right() if not far else lap(),
                0.7,
                between(random, 0.1, 0.4),
                (4, 12 if far else 3, 12 if far else 5),
                (42, 14, 0),
                worn=BARE,
                action=action,
            )


def from_outside(random: Random, _habits: Habits, action: str) -> Keys:
    """Standing on the street, a hand at the door."""
    while True:
        for x in (0.62, 0.72):
            yield Key(
                car(1.15, 0.55, -0.2, (0, -1, -0.2), (-1, 0, 0), 0.3),
                car(x, 0.62, -0.42, (0.2, -0.2, -0.9)),
                0.6,
                between(random, 0.1, 0.4),
                (10, -4, -20),
                (-25, 22, 0),
                _OUTSIDE,
                1.0,
                worn=BARE,
                action=(action, "door", "driver_door"),
            )


def through(_random: Random, habits: Habits, entering: bool) -> Keys:
    steps = [
        ((0.80, 0.36, -0.12), 0.9, (18.0, -6.0, -25.0), (-25.0, 26.0, 0.0)),
        ((0.42, 0.20, -0.06), 0.5, (34.0, -16.0, -18.0), (-15.0, 24.0, 0.0)),
        ((0.10, 0.04, 0.0), 0.1, (14.0, 6.0, -6.0), (0.0, 14.0, 0.0)),
        ((0.0, 0.0, 0.0), 0.0, (4.0, 0.0, 0.0), (0.0, 8.0, 0.0)),
    ]
    action = ("interacting", "door", "driver_door")
    while True:
        for root, stand, lean, head in steps if entering else steps[::-1]:
            yield Key(
                car(0.34 + 0.5 * root[0], 0.40, -0.20, (0.2, 0.2, -0.9)),
                wheel(20) if root[0] < 0.5 else car(0.25, 0.42, -0.34),
                0.7,
                0.15,
                lean,
                head,
                root,
                stand,
                worn=BARE,
                action=action,
            )
        yield Key(habits.left(), habits.right(), 0.7, 0.3, worn=BARE, action=action)
