"""Driving as such: where the hands are at the wheel or at rest, and attentive driving. Places are those of a mid-size
car with the wheel on the left (see edge_c2vl.simulated.cabin); a lorry's are farther away."""

from __future__ import annotations

import numpy as np

from train.simulate.population.gestures import Gesture, at_head, car, fingers_at_head, lap, wheel
from train.simulate.population.key import Actors, Keys, choose, shaken


def grips(actors: Actors) -> tuple[Gesture, Gesture]:
    """Where each driver's hands are while driving: mostly both at the wheel, often one of them at rest."""
    grip = actors.people.grip
    left, right = wheel(grip[:, 0], actors.between(0, 30)), wheel(grip[:, 1], actors.between(0, 30))
    return choose(actors.chance(0.12), resting(actors, "left"), left), choose(
        actors.chance(0.15), resting(actors, "right"), right
    )


def one_hand(actors: Actors, side: str) -> Gesture:
    """One hand that steers alone: anywhere on the rim, in the lap of some."""
    column = 0 if side == "left" else 1
    alone = np.where(actors.chance(0.3), actors.between(0, 60), actors.people.grip[:, column])
    return choose(actors.chance(0.08), resting(actors, side), wheel(alone, actors.between(0, 30)))


def resting(actors: Actors, side: str) -> Gesture:
    """In the lap; the left arm on the door's sill, the right hand on the gear lever or the arm rest."""
    on_lap = lap(actors.between(-0.2, 0.25), actors.between(-0.03, 0.12))
    if side == "left":
        on_side = car(actors.spot((0.28, 0.44), (0.22, 0.42), (-0.40, -0.05)), lift=actors.between(15, 50))
        at_face = at_head(
            actors.spot((0.06, 0.11), (-0.10, 0.04), (-0.08, 0.0)), (-0.3, 0.85, 0.2), (-0.9, 0, -0.2), 35
        )
        return choose(actors.chance(0.45), on_lap, choose(actors.chance(0.25), at_face, on_side))
    on_side = car(actors.spot((-0.44, -0.26), (-0.04, 0.20), (-0.46, -0.05)), lift=actors.between(0, 20))
    return choose(actors.chance(0.45), on_lap, on_side)


def attentive(actors: Actors) -> Keys:
    """Eyes on the road, hands where they are while driving, a look into a mirror or at the dashboard, now and then
    a hand to the face or the lever for less than a second."""
    left, right = grips(actors)
    while True:
        sway = actors.jitter(0.008)
        ahead = np.stack([actors.around(0, 4), actors.around(0, 3), actors.around(0, 2)], axis=1)
        yield actors.key(shaken(left, sway), shaken(right, sway), (0.5, 1.2), (1.5, 5.0), head=ahead)
        yaw = actors.random.choice(
            [38.0, -34.0, -18.0, 4.0, 60.0, 0.0], len(actors), p=[0.15, 0.15, 0.2, 0.2, 0.04, 0.26]
        )
        nod = np.where(yaw == 4, 16.0, 2.0)
        glance = np.stack([yaw, nod, np.zeros(len(actors))], axis=1)
        scratch = fingers_at_head(actors.spot((-0.05, 0.09), (-0.08, 0.12), (-0.11, 0.0)), actors.pointing())
        touches = actors.chance(0.05)
        yield actors.key(left, choose(touches, scratch, right), (0.3, 0.6), (0.2, 0.6), head=glance, lean=(0, 0, 0))
