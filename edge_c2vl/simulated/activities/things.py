"""Activities with things: phone, bottle, food, papers, laptop, backpack, sunglasses, jacket."""

from __future__ import annotations

from edge_c2vl.simulated.activities.key import BARE, Habits, Key, Keys, Prop, Random, between
from edge_c2vl.simulated.gestures import Gesture, car, collar, ear, front, lap, mouth, sip, temple


def _phone(habits: Habits, resting: Gesture, gesture: Gesture) -> tuple[Gesture, Gesture]:
    """What the left and the right hand do, when the one that holds the phone makes `gesture`."""
    return (gesture, resting) if habits.phone_hand == "left" else (resting, gesture)


def talking_on_phone(random: Random, habits: Habits) -> Keys:
    other = habits.left() if habits.phone_hand == "right" else habits.right()
    tilt = 6.0 if habits.phone_hand == "left" else -6.0
    while True:
        yield Key(
            *_phone(habits, other, ear(between(random, 15, 40))),
            move_s=0.8,
            hold_s=between(random, 0.25, 0.6),
            head=(between(random, -10, 8), between(random, 2, 9), tilt),
            mouth=float(random.random() < 0.5) * between(random, 0.4, 1),
            props=(Prop("phone", habits.phone_hand),),
            action=("interacting", "phone", "ear"),
        )


def interacting_with_phone(random: Random, habits: Habits) -> Keys:
    """Reading and typing on a phone held low before the chest."""
    other = habits.left() if habits.phone_hand == "right" else habits.right()
    both = random.random() < 0.4
    while True:
        dx, dy = between(random, -0.02, 0.02), between(random, -0.02, 0.02)
        holding = front(0.10 + dx, -0.20 + dy, 0.30, (-0.35, 0.40, -0.85), (-0.35, 0.60, 0.70), 0.5, 6)
        helping = front(0.04, -0.22 + dy, 0.31, (-0.45, 0.35, -0.8), (-0.6, 0.3, 0.6), 0.6, 6) if both else other
        yaw = 6.0 if habits.phone_hand == "left" else -6.0
        yield Key(
            *_phone(habits, helping, holding),
            move_s=0.5,
            hold_s=between(random, 0.2, 0.8),
            lean=(4, 0, 0),
            head=(yaw + between(random, -3, 3), between(random, 22, 32), 0),
            props=(Prop("phone", habits.phone_hand),),
            action=("interacting", "phone", "front_area"),
        )


def drinking(random: Random, habits: Habits) -> Keys:
    prop, other = (Prop("bottle", "right"),), habits.left()
    low = front(0.10, -0.20, 0.30, (-0.9, 0.1, -0.3), (0, 0.2, 1), 0.8)
    while True:
        yield Key(
            other, low, 0.8, between(random, 0.3, 0.8), props=prop, action=("placing_moving_to", "bottle", "mouth")
        )
        yield Key(
            other,
            sip(0.4),
            0.6,
            0.1,
            head=(0, -4, 0),
            mouth=0.5,
            props=prop,
            action=("placing_moving_to", "bottle", "mouth"),
        )
        yield Key(
            other,
            sip(1.0),
            0.4,
            between(random, 0.8, 1.8),
            head=(0, -16, 0),
            mouth=0.5,
            props=prop,
            action=("interacting", "bottle", "mouth"),
        )


def eating(random: Random, habits: Habits) -> Keys:
    prop = (Prop("food", "right"),)
    resting = lap() if random.random() < 0.5 else habits.left()
    low = front(0.08, -0.24, 0.28, (-0.5, 0.3, -0.8), (-0.4, 0.4, 0.8))
    while True:
        yield Key(
            resting,
            mouth(),
            0.7,
            between(random, 0.3, 0.7),
            head=(0, 8, 0),
            mouth=0.9,
            props=prop,
            action=("placing_moving_to", "food", "mouth"),
        )
        for _ in range(int(random.integers(2, 6))):
            yield Key(
                resting,
                low,
                0.5,
                0.1,
                head=(between(random, -8, 8), between(random, 4, 14), 0),
                mouth=between(random, 0.0, 0.5),
                props=prop,
                action=("interacting", "food", "mouth"),
            )


def preparing_food(random: Random, _habits: Habits) -> Keys:
    prop = (Prop("food", "left"),)
    while True:
        for dx in (0.03, -0.03):
            yield Key(
                front(0.08 + dx, -0.26, 0.28, (-0.6, 0.2, -0.7), (-0.4, 0.5, 0.7)),
                front(0.05 - dx, -0.24 + dx / 2, 0.29, (-0.6, 0.2, -0.7), (-0.5, -0.4, 0.6), 0.8),
                0.35,
                between(random, 0.05, 0.4),
                (5, 0, 0),
                (between(random, -6, 6), 30, 0),
                props=prop,
                action=("opening", "food", "front_area"),
            )


def bottle_cap(random: Random, _habits: Habits, action: str) -> Keys:
    prop = (Prop("bottle", "left"),)
    hold = front(0.07, -0.22, 0.27, (-0.9, 0.1, -0.3), (0, 0.2, 1), 0.8)
    while True:
        for turn in (0.25, -0.35):
            yield Key(
                hold,
                front(0.03, -0.13, 0.27, (-0.7, -0.1 + turn, -0.5), (-0.3, -1.0, turn), 0.8, 20),
                0.3,
                between(random, 0.05, 0.2),
                (3, 0, 0),
                (0, 26, 0),
                props=prop,
                action=(action, "bottle", "front_area"),
            )


def reading(random: Random, _habits: Habits, kind: str, apart: float, up: float, away: float) -> Keys:
    prop = (Prop(kind, "both"),)
    while True:
        sway = between(random, -0.015, 0.015)
        hold = front(apart, up + sway, away, (-0.15, 0.65, -0.65), (-0.95, 0.1, 0.25), 0.75, 14)
        for _ in range(int(random.integers(2, 5))):
            yield Key(
                hold,
                hold,
                0.6,
                between(random, 0.8, 2.5),
                (3, 0, 0),
                (between(random, -9, 9), between(random, 18, 26), 0),
                props=prop,
                action=("interacting", kind, "front_area"),
            )
        turning = front(apart - 0.10, up + 0.08, away - 0.03, (-0.6, 0.5, -0.5), (-0.6, 0.1, 0.6), 0.5, 25)
        yield Key(
            hold, turning, 0.5, 0.1, (3, 0, 0), (-6, 20, 0), props=prop, action=("interacting", kind, "front_area")
        )


def writing(random: Random, _habits: Habits) -> Keys:
    prop = (Prop("pad", "lap"), Prop("pen", "right"))
    x = 0.0
    while True:
        x = x + 0.025 if x < 0.06 else -0.06
        yield Key(
            front(0.12, -0.29, 0.26, (-0.7, 0.0, -0.7), (-0.2, -0.9, -0.2), 0.3),
            front(0.05 - x, -0.27, 0.27, (-0.5, -0.1, -0.85), (-0.6, -0.75, 0), 0.75),
            0.25,
            between(random, 0.0, 0.3),
            (7, 0, 0),
            (-4 + 60 * x, 33, 0),
            props=prop,
            action=("interacting", "writing_pad", "lap"),
        )


def working_on_laptop(random: Random, _habits: Habits) -> Keys:
    prop = (Prop("laptop", "lap"),)
    while True:
        dx, dy, dz = between(random, -0.03, 0.03), between(random, 0, 0.02), between(random, -0.02, 0.02)

        def typing(sign: float, up: float, away: float = 0.0) -> Gesture:
            return front(0.09 + sign, -0.25 + up, 0.30 + away, (-0.15, -0.15, -1), (0.05, -1, 0), 0.4, 14)

        yield Key(
            typing(dx, dy, dz),
            typing(-dx, 0.02 - dy),
            0.2,
            between(random, 0.02, 0.35),
            (5, 0, 0),
            (between(random, -5, 5), between(random, 22, 28), 0),
            props=prop,
            action=("interacting", "laptop", "lap"),
        )


def lid(random: Random, _habits: Habits, opening: bool) -> Keys:
    prop = (Prop("closed_laptop" if opening else "laptop", "lap"),)
    keys = (0.02, 0.20) if opening else (0.20, 0.02)
    action = "opening" if opening else "closing"
    while True:
        for up in keys:
            yield Key(
                front(0.12, -0.26, 0.26, (-0.2, 0.1, -1), (-0.9, 0, 0), 0.5),
                front(0.04, -0.26 + up, 0.30 + 0.25 * (0.2 - up), (-0.35, 0.3, -0.9), (-0.1, -0.5, -0.9), 0.5, 16),
                0.7,
                between(random, 0.1, 0.4),
                (6, 0, 0),
                (0, 27, 0),
                props=prop,
                action=(action, "laptop", "lap"),
            )


def backpack(random: Random, _habits: Habits, action: str, what: str, where: str) -> Keys:
    prop = (Prop("backpack", "seat"), *((Prop("closed_laptop", "right"),) if what == "laptop" else ()))
    while True:
        for inside in (0.0, 1.0):
            yield Key(
                car(-0.36, 0.10, -0.16 + 0.05 * inside, (-0.9, -0.1, -0.3), (0, -1, 0), 0.6),
                car(-0.50, 0.14 - 0.10 * inside, -0.10, (-0.1, -0.5, -0.7), (0.1, -0.7, 0.3), 0.6),
                0.7,
                between(random, 0.1, 0.5),
                (16, -9, -22),
                (-24, 27, 0),
                props=prop,
                action=(action, what, where),
            )


def reach(random: Random, habits: Habits, fetching: bool) -> Keys:
    """Out to a place and back; what is fetched is in the hand on the way back, what is placed on the way out."""
    things = ("bottle", "phone", "food", "magazine", "glasses_case")
    places = (
        (car(-0.60, 0.03, -0.10, (-0.1, -0.3, -0.8)), (14.0, -10.0, -18.0), (-38.0, 24.0, 0.0), "codriver_seat"),
        (car(-0.50, -0.20, -0.45, (0, -0.6, -0.8)), (26.0, -12.0, -12.0), (-30.0, 34.0, 0.0), "codriver_footwell"),
        (
            car(-0.46, 0.18, 0.46, (-0.1, 0.1, 0.9), (0, -1, 0)),
            (-2.0, -8.0, -36.0),
            (-52.0, 12.0, 0.0),
            "right_backseat",
        ),
        (car(-0.38, 0.02, -0.30, (0, -0.4, -0.9)), (4.0, -4.0, -6.0), (-22.0, 28.0, 0.0), "center_console_front"),
    )
    while True:
        gesture, lean, head, where = places[int(random.integers(len(places)))]
        thing = things[int(random.integers(len(things)))]
        held, free = (Prop(thing, "right"),), ()
        near = front(0.10, -0.20, 0.28)
        first = ("reaching_for", thing, where) if fetching else ("placing_moving_to", thing, where)
        second = ("retracting_from", thing, where) if fetching else ("retracting_from", "no_object", where)
        yield Key(habits.left(), near, 0.6, 0.1, (2, 0, 0), (0, 18, 0), props=free if fetching else held, action=first)
        yield Key(
            habits.left(),
            gesture,
            0.9,
            between(random, 0.2, 0.6),
            lean,
            head,
            props=free if fetching else held,
            action=first,
        )
        yield Key(habits.left(), near, 0.8, 0.2, (2, 0, 0), (0, 18, 0), props=held if fetching else free, action=second)


def sunglasses(random: Random, _habits: Habits, putting_on: bool) -> Keys:
    low = front(0.10, -0.18, 0.28)
    action = ("placing_moving_to" if putting_on else "retracting_from", "sunglasses", "head")
    steps = [(low, 0.15, 16.0), (temple(0.06), 0.1, 6.0), (temple(), 0.5, 4.0)]
    dark, bare = frozenset({"belt", "sunglasses"}), frozenset({"belt"})
    while True:
        for index, (gesture, hold, nod) in enumerate(steps if putting_on else steps[::-1]):
            on = index == 2 if putting_on else index == 0
            yield Key(
                gesture,
                gesture,
                0.6,
                hold + between(random, 0, 0.3),
                head=(0, nod, 0),
                worn=dark if on else bare,
                props=() if on else (Prop("sunglasses", "both"),),
                action=action,
            )


def jacket(random: Random, _habits: Habits, putting_on: bool) -> Keys:
    behind_right = car(-0.42, 0.20, 0.05, (0.35, -0.5, 0.6), (-0.2, 0, 1), 0.6, 55)
    behind_left = car(0.36, 0.24, 0.03, (0.35, -0.5, 0.6), (-0.2, 0, 1), 0.6, 55)
    raised = front(0.26, 0.02, 0.22, (0.1, 0.8, -0.3), (-0.6, 0, 0.6), 0.6, 45)
    action = ("interacting", "jacket", "body")
    steps = [
        (raised, behind_right, (16.0, 5.0, -14.0), (-20.0, 14.0, 0.0)),
        (behind_left, collar(), (18.0, -6.0, 14.0), (18.0, 18.0, 0.0)),
        (collar(), collar(), (6.0, 0.0, 0.0), (0.0, 20.0, 0.0)),
    ]
    while True:
        for index, (left, right, lean, head) in enumerate(steps if putting_on else steps[::-1]):
            on = index > 0 if putting_on else index < 2
            yield Key(
                left,
                right,
                0.8,
                between(random, 0.1, 0.5),
                lean,
                head,
                worn=frozenset({"jacket"}) if on else BARE,
                action=action,
            )
