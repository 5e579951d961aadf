"""What drivers do, and what each of it is called. Places are those of a mid-size car with the wheel on the left (see
edge_c2vl.simulated.cabin); a lorry's are farther away."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from train.data.targets import exchanged
from train.simulate.population.driving import attentive, grips, one_hand
from train.simulate.population.gestures import Gesture, at_head, car, ear, fingers_at_head, front, lap, mouth, wheel
from train.simulate.population.key import Activity, Actors, Keys, choose, shaken
from train.simulate.population.people import Floats


def _sided(side: str, doing: Gesture, resting: Gesture) -> tuple[Gesture, Gesture]:
    return (doing, resting) if side == "left" else (resting, doing)


def _turn(side: str, degrees: Floats | float) -> Floats | float:
    """Degrees towards that side as degrees to the left."""
    return degrees if side == "left" else -degrees


def interacting_with_phone(actors: Actors, side: str) -> Keys:
    """Reading and typing: before the chest, on the wheel, in the lap, at the console; the eyes go down and back."""
    other = "right" if side == "left" else "left"
    resting = one_hand(actors, other)
    chest = front(
        actors.spot((-0.08, 0.22), (-0.42, 0.02), (0.14, 0.40)),
        (-0.3, 0.45, -0.8),
        (-0.4, 0.6, 0.7),
        actors.between(-25, 20),
    )
    rim = shaken(wheel(actors.between(10, 120)), actors.spot((-0.03, 0.03), (0.0, 0.12), (0.0, 0.14)))
    low = shaken(
        lap(actors.between(-0.1, 0.2), actors.between(-0.05, 0.15)),
        actors.spot((-0.02, 0.02), (0, 0.12), (-0.03, 0.03)),
    )
    holding = choose(actors.chance(0.6), chest, choose(actors.chance(0.3), rim, low))
    both = actors.chance(0.12)
    helping = choose(both, front(actors.spot((-0.02, 0.10), (-0.32, -0.08), (0.22, 0.38))), resting)
    down = actors.chance(0.75)
    while True:
        typing = shaken(holding, actors.jitter(0.012))
        look = np.stack(
            [
                _turn(side, np.where(down, actors.between(-4, 26), 0)),
                np.where(down, actors.between(8, 36), 2),
                actors.around(0, 3),
            ],
            axis=1,
        )
        yield actors.key(*_sided(side, typing, helping), (0.4, 0.8), (0.4, 2.0), lean=(2, 0, 0), head=look)
        yield actors.key(*_sided(side, typing, helping), (0.3, 0.6), (0.2, 1.2), lean=(2, 0, 0), head=(0, 3, 0))


def talking_on_phone(actors: Actors, side: str) -> Keys:
    resting = one_hand(actors, "right" if side == "left" else "left")
    at_ear = ear(actors.spot((-0.01, 0.03), (-0.07, 0.01), (-0.07, 0.0)), actors.elbow_lift())
    loud = front(
        actors.spot((-0.10, 0.12), (0.0, 0.16), (0.12, 0.28)),
        (-0.4, 0.8, -0.2),
        (-0.3, 0.2, 0.9),
        actors.between(5, 40),
    )
    holding = choose(actors.chance(0.08), loud, at_ear)
    tilt = np.float32(1 if side == "left" else -1) * actors.between(-2, 14)
    while True:
        look = np.stack([actors.around(0, 8), actors.around(2, 4), tilt], axis=1)
        yield actors.key(
            *_sided(side, shaken(holding, actors.jitter(0.008)), resting), (0.7, 1.1), (0.5, 3.0), head=look
        )


def using_multimedia_display(actors: Actors) -> Keys:
    """Display, radio and air condition in the middle of the dashboard; now and then a display left of the wheel."""
    resting = one_hand(actors, "left")
    room = actors.people.side_room[:, None] * np.array([-0.4, 0, 0], np.float32)
    where = actors.spot((-0.52, -0.20), (0.00, 0.36), (-0.72, -0.46)) + room
    looks = actors.chance(0.7)
    while True:
        hand = car(where + actors.jitter(0.03), (-0.05, 0.15, -1), (0, -1, -0.1), actors.between(5, 30))
        look = np.stack(
            [
                np.where(looks, -actors.between(8, 40), 0),
                np.where(looks, actors.between(4, 24), 2),
                actors.around(0, 2),
            ],
            axis=1,
        )
        lean = np.stack([actors.between(0, 15), -actors.between(0, 8), -actors.between(0, 12)], axis=1)
        yield actors.key(resting, hand, (0.5, 0.9), (0.3, 1.5), lean=lean, head=look)


def eating_or_drinking(actors: Actors) -> Keys:
    """A bottle, a cup or food: held before the chest, brought to the mouth, tipped."""
    with_left = actors.chance(0.2)
    resting = {side: one_hand(actors, side) for side in ("left", "right")}
    low = front(actors.spot((-0.06, 0.18), (-0.36, -0.02), (0.20, 0.42)), (-0.8, 0.2, -0.4), (-0.2, 0.2, 0.95))
    drinks = actors.chance(0.75)
    lift = actors.elbow_lift()
    at_mouth = mouth(
        actors.spot((-0.02, 0.06), (-0.12, 0.02), (-0.10, 0.04))
        + np.where(drinks[:, None], 0, np.array([0, 0.02, 0.03], np.float32)),
        lift,
    )
    starts_up = actors.chance(0.9)
    while True:
        nod = np.where(drinks, -actors.between(0, 18), actors.between(0, 6))
        up = np.stack([actors.around(0, 5), nod, actors.around(0, 3)], axis=1)
        for raised in (starts_up, ~starts_up):
            hand = choose(raised, shaken(at_mouth, actors.jitter(0.008)), low)
            look = np.where(raised[:, None], up, np.array([0, 4, 0], np.float32))
            longer = np.where(raised, 2.5, 0.25).astype(np.float32)
            key = actors.key(
                choose(with_left, hand, resting["left"]),
                choose(with_left, resting["right"], hand),
                (0.6, 1.0),
                (0.5, 1.8),
                head=look,
            )
            yield replace(key, hold_s=key.hold_s * longer)


def smoking(actors: Actors) -> Keys:
    """A cigarette at the mouth for a moment, then the hand at the window, the wheel or before the face."""
    with_left = actors.chance(0.6)
    resting = {side: one_hand(actors, side) for side in ("left", "right")}
    at_lips = at_head(
        actors.spot((0.0, 0.05), (-0.09, -0.03), (-0.16, -0.11)),
        (-0.5, 0.7, 0.4),
        (-0.3, -0.2, 0.9),
        actors.elbow_lift(),
    )
    window = car(actors.spot((0.26, 0.46), (0.24, 0.48), (-0.42, -0.10)), lift=actors.between(10, 45))
    before = front(
        actors.spot((0.0, 0.18), (-0.20, 0.06), (0.16, 0.36)),
        (-0.3, 0.7, -0.5),
        (-0.6, 0.2, 0.6),
        actors.between(10, 40),
    )
    away = choose(
        actors.chance(0.4), before, choose(with_left & actors.chance(0.6), window, wheel(actors.between(0, 90)))
    )
    first = actors.chance(0.6)
    while True:
        for raised in (first, ~first):
            hand = choose(raised, shaken(at_lips, actors.jitter(0.008)), shaken(away, actors.jitter(0.01)))
            yield actors.key(
                choose(with_left, hand, resting["left"]),
                choose(with_left, resting["right"], hand),
                (0.6, 1.0),
                (0.8, 2.5),
                head=(0, 2, 0),
            )


def reaching_behind(actors: Actors) -> Keys:
    """To the rear bench, between the seats: the trunk turned far to the passenger's side, now and then to the left."""
    resting = one_hand(actors, "left")
    twist = -actors.between(18, 65)
    bent = actors.between(-8, 14)
    looks = actors.chance(0.6)
    where = actors.spot((-0.72, -0.22), (-0.05, 0.42), (0.25, 0.85))
    while True:
        hand = car(where + actors.jitter(0.05), (-0.4, -0.2, 1), (0, -1, 0), actors.between(5, 50))
        look = np.stack(
            [np.where(looks, -actors.between(20, 70), 0), actors.between(-4, 22), actors.around(0, 5)], axis=1
        )
        lean = np.stack([bent, -actors.between(2, 22), twist], axis=1)
        yield actors.key(resting, hand, (0.7, 1.2), (0.4, 2.0), lean=lean, head=look)


def fetching_an_object(actors: Actors) -> Keys:
    """From the seat beside, the glove box, the floor or the door's pocket."""
    left_side = actors.chance(0.15)
    beside = actors.spot((-0.95, -0.50), (-0.12, 0.15), (-0.45, 0.20))
    floor = actors.spot((-0.60, 0.0), (-0.45, -0.20), (-0.70, -0.30))
    glove = actors.spot((-0.90, -0.60), (0.0, 0.22), (-0.80, -0.62))
    kind = actors.random.random(len(actors))[:, None]
    where = np.where(kind < 0.5, beside, np.where(kind < 0.75, floor, glove))
    pocket = actors.spot((0.36, 0.46), (-0.25, 0.05), (-0.50, -0.15))
    resting = {side: one_hand(actors, side) for side in ("left", "right")}
    far = np.clip((0.35 - where[:, 1]) / 0.6, 0, 1)
    while True:
        right = car(where + actors.jitter(0.04), (-0.3, -0.6, -0.6), (0, -1, 0), 15)
        left = car(pocket + actors.jitter(0.04), (0.2, -0.7, -0.5), (-1, 0, 0), 15)
        side = np.where(left_side, -1.0, 1.0)
        lean = np.stack(
            [actors.between(8, 30) * far + 6, -side * actors.between(6, 24), -side * actors.between(2, 20)], axis=1
        )
        look = np.stack([-side * actors.between(10, 55), actors.between(8, 34), actors.around(0, 4)], axis=1)
        yield actors.key(
            choose(left_side, left, resting["left"]),
            choose(left_side, resting["right"], right),
            (0.6, 1.1),
            (0.4, 1.8),
            lean=lean,
            head=look,
        )


def grooming(actors: Actors) -> Keys:
    """Hair and make-up: one hand or both at the head, the face towards the mirror."""
    both, with_left = actors.chance(0.15), actors.chance(0.2)
    resting = {side: one_hand(actors, side) for side in ("left", "right")}
    hair = actors.chance(0.6)[:, None]
    yaw = -actors.between(-8, 28)
    nod = actors.between(-8, 10)
    base = np.where(
        hair,
        actors.spot((0.02, 0.12), (-0.08, 0.16), (-0.13, 0.03)),
        actors.spot((-0.03, 0.07), (-0.07, 0.07), (-0.13, -0.08)),
    )
    lift, pointing = actors.elbow_lift(), actors.spot((-0.6, 0.1), (0.4, 1.0), (0.0, 0.9))
    while True:
        left, right = (fingers_at_head(base + actors.jitter(0.03), pointing, lift) for _ in range(2))
        look = np.stack([yaw + actors.around(0, 3), nod + actors.around(0, 3), actors.around(0, 5)], axis=1)
        yield actors.key(
            choose(both | with_left, left, resting["left"]),
            choose(both | ~with_left, right, resting["right"]),
            (0.4, 0.8),
            (0.2, 1.2),
            head=look,
        )


def talking_to_passenger(actors: Actors) -> Keys:
    """Turned to the seat beside, hands at the wheel or speaking along."""
    left, right = grips(actors)
    gestures = actors.chance(0.15)
    yaw = -actors.between(32, 85)
    while True:
        speaking = front(
            actors.spot((-0.05, 0.30), (-0.35, 0.05), (0.20, 0.45)),
            (-0.2, 0.4, -0.8),
            (-0.2, 0.6, 0.5),
            actors.between(5, 40),
        )
        back = actors.chance(0.2)
        look = np.stack(
            [np.where(back, -4, yaw + actors.around(0, 6)), actors.around(3, 5), actors.around(0, 5)], axis=1
        )
        lean = np.stack([actors.around(0, 2), -actors.between(0, 7), -actors.between(0, 20)], axis=1)
        yield actors.key(left, choose(gestures, speaking, right), (0.4, 0.9), (0.6, 3.0), lean=lean, head=look)


def reading_or_writing(actors: Actors) -> Keys:
    """Papers, a laptop, a tablet, a map: both hands before the body, the eyes on it."""
    apart, up, away = actors.between(0.05, 0.26), actors.between(-0.40, -0.08), actors.between(0.20, 0.42)
    moves = actors.chance(0.5)
    while True:
        base = np.stack([apart, up, away], axis=1)
        left = front(base + actors.jitter(0.012), (-0.2, 0.4, -0.8), (-0.6, 0.5, 0.5), actors.between(0, 15))
        right = front(
            base + actors.jitter(0.05) * moves[:, None], (-0.2, 0.4, -0.8), (-0.6, 0.5, 0.5), actors.between(0, 15)
        )
        look = np.stack([actors.around(0, 10), actors.between(14, 38), actors.around(0, 3)], axis=1)
        yield actors.key(
            left,
            right,
            (0.3, 0.8),
            (0.3, 1.6),
            lean=np.stack([actors.between(0, 12), actors.around(0, 2), actors.around(0, 3)], axis=1),
            head=look,
        )


def adjusting(actors: Actors) -> Keys:
    """Belt, sun visor, mirror, sunglasses, jacket, wiping the screen."""
    resting = {side: one_hand(actors, side) for side in ("left", "right")}
    kind = actors.random.integers(0, 5, len(actors))
    visor = actors.spot((-0.15, 0.20), (0.66, 0.82), (-0.42, -0.22))
    mirror = actors.spot((-0.45, -0.28), (0.60, 0.74), (-0.62, -0.48))
    belt = actors.spot((0.18, 0.40), (0.30, 0.56), (-0.15, 0.10))
    screen = actors.spot((-0.35, 0.25), (0.40, 0.60), (-0.72, -0.52))
    glasses = actors.spot((0.07, 0.13), (-0.02, 0.06), (-0.10, -0.04))
    pointing = actors.pointing()
    with_left = (kind == 2) | (actors.chance(0.35) & (kind != 1))
    while True:
        where = np.where(
            (kind == 0)[:, None],
            visor,
            np.where((kind == 1)[:, None], mirror, np.where((kind == 2)[:, None], belt, screen)),
        )
        reaching = car(where + actors.jitter(0.05), (-0.1, 0.4, -0.8), (0, -0.3, -1), actors.between(10, 50))
        at_face = fingers_at_head(glasses + actors.jitter(0.015), pointing, actors.between(0, 50))
        hand = choose(kind == 4, at_face, reaching)
        yaw = np.select([kind == 1, kind == 2], [-actors.between(10, 35), actors.between(15, 50)], actors.around(0, 6))
        look = np.stack([yaw, np.where(kind == 0, -8, actors.around(2, 5)), actors.around(0, 3)], axis=1)
        yield actors.key(
            choose(with_left, hand, resting["left"]),
            choose(with_left, resting["right"], hand),
            (0.4, 0.9),
            (0.2, 1.0),
            lean=(3, 0, 0),
            head=look,
        )


def out_of_position(actors: Actors) -> Keys:
    """Asleep with the head on the chest or on a shoulder, slumped sideways, bent over the wheel."""
    kind = actors.random.integers(0, 3, len(actors))
    left, right = grips(actors)
    drops = actors.chance(0.5)
    left, right = (
        choose(drops, lap(actors.between(-0.2, 0.1), actors.between(0, 0.15)), left),
        choose(actors.chance(0.5), lap(actors.between(-0.2, 0.1), actors.between(0, 0.15)), right),
    )
    side = np.where(actors.chance(0.5), 1.0, -1.0)
    bent = np.select([kind == 0, kind == 1], [actors.between(0, 14), actors.between(0, 14)], actors.between(25, 50))
    tilt = np.where(kind == 1, side * actors.between(12, 38), actors.around(0, 4))
    lean = np.stack([bent, tilt, actors.around(0, 5)], axis=1)
    nod = np.select([kind == 0, kind == 1], [actors.between(28, 55), actors.between(5, 40)], actors.between(0, 30))
    while True:
        look = np.stack(
            [
                actors.around(0, 10),
                nod + actors.around(0, 3),
                np.where(kind == 1, side * actors.between(5, 30), side * actors.between(0, 25)),
            ],
            axis=1,
        )
        yield actors.key(left, right, (0.6, 1.6), (1.0, 4.0), lean=lean, head=look)


ACTIVITIES: dict[str, Activity] = {
    "attentive": attentive,
    "interacting_with_phone_left": partial(interacting_with_phone, side="left"),
    "interacting_with_phone_right": partial(interacting_with_phone, side="right"),
    "talking_on_phone_left": partial(talking_on_phone, side="left"),
    "talking_on_phone_right": partial(talking_on_phone, side="right"),
    "using_multimedia_display": using_multimedia_display,
    "eating_or_drinking": eating_or_drinking,
    "smoking": smoking,
    "reaching_behind": reaching_behind,
    "fetching_an_object": fetching_an_object,
    "grooming": grooming,
    "talking_to_passenger": talking_to_passenger,
    "reading_or_writing": reading_or_writing,
    "adjusting": adjusting,
    "out_of_position": out_of_position,
}
LABELS = list(ACTIVITIES)
MIRRORED = [LABELS.index(exchanged(name)) for name in LABELS]
"""What an activity is called when left and right are exchanged."""
