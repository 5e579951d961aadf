"""What activities are made of: key postures, things, and a driver's habits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from edge_c2vl.simulated.gestures import Gesture, lap, wheel

Random = np.random.Generator


@dataclass(frozen=True)
class Prop:
    """A thing, and where it is: in the left or right hand, between both, or a place of the car."""

    kind: str
    at: str


NOTHING = ("no_interaction", "no_object", "no_location")


@dataclass(frozen=True)
class Key:
    """A posture to move to within `move_s` seconds, and to hold for `hold_s`. Angles as in body.Posture. action:
    Drive&Act's object level for this stretch: (action, object, location). gaze: where the eyes look from the start
    of the movement on, degrees to the left and down in the car; None: where the head points. closed: the eyes are
    closed from the start of the movement to the end of the hold."""

    left: Gesture
    right: Gesture
    move_s: float = 0.8
    hold_s: float = 0.6
    lean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    head: tuple[float, float, float] = (0.0, 5.0, 0.0)
    root: tuple[float, float, float] = (0.0, 0.0, 0.0)
    stand: float = 0.0
    mouth: float = 0.0
    gaze: tuple[float, float] | None = None
    closed: bool = False
    props: tuple[Prop, ...] = ()
    worn: frozenset[str] = field(default_factory=lambda: frozenset({"belt"}))
    action: tuple[str, str, str] = NOTHING


@dataclass(frozen=True)
class Habits:
    """How one driver does things. grip: degrees from the wheel's top of the (left, right) hand, None: in the lap."""

    grip: tuple[float | None, float | None] = (75.0, 75.0)
    phone_hand: str = "right"
    tempo: float = 1.0
    gaze: float = 0.0  # degrees by which the head is held to the left

    def left(self) -> Gesture:
        return lap() if self.grip[0] is None else wheel(self.grip[0])

    def right(self) -> Gesture:
        return lap() if self.grip[1] is None else wheel(self.grip[1])


Keys = Iterator[Key]
Activity = Callable[[Random, Habits], Keys]
"""Key postures without end; how far they are played, the script says."""

BARE: frozenset[str] = frozenset()


def between(random: Random, low: float, high: float) -> float:
    return float(random.uniform(low, high))
