"""Activities of driving itself: hands on the wheel, looking around, display, button, belt."""

from __future__ import annotations

from edge_c2vl.simulated.activities.key import BARE, Habits, Key, Keys, Random, between
from edge_c2vl.simulated.gestures import Gesture, car, front, lap, wheel


def _at_wheel(habits: Habits) -> tuple[Gesture, Gesture]:
    """Both hands where this driver holds the wheel."""
    left, right = (wheel(grip if grip is not None else 80.0) for grip in habits.grip)
    return left, right


def attentive(random: Random, habits: Habits) -> Keys:
    """Hands on the wheel, eyes on the road, a look into a mirror now and then."""
    left, right = _at_wheel(habits)
    while True:
        ahead = (habits.gaze + between(random, -4, 4), between(random, 2, 6), 0.0)
        yield Key(left, right, 0.9, between(random, 1.5, 4), head=ahead)
        yaw, nod = [(38.0, 8.0), (-32.0, -4.0), (-12.0, 3.0)][int(random.integers(3))]
        yield Key(left, right, 0.45, between(random, 0.3, 0.7), head=(yaw, nod, 0))


def commuting(random: Random, habits: Habits) -> Keys:
    """Attentive all the time, as people are: glances at mirrors, instruments and over the shoulder, a word to the
    passenger without a look, one hand off the wheel now and then."""
    left, right = _at_wheel(habits)
    while True:
        right_now = lap() if random.random() < 0.3 else right
        ahead = (habits.gaze + between(random, -4, 4), between(random, 2, 6), 0.0)
        if random.random() < 0.3:  # talks, the eyes on the road
            for _ in range(int(random.integers(3, 9))):
                yield Key(left, right_now, 0.15, between(random, 0.05, 0.25), head=ahead, mouth=between(random, 0.3, 1))
                yield Key(left, right_now, 0.15, between(random, 0.05, 0.3), head=ahead)
        else:
            yield Key(left, right_now, 0.9, between(random, 2, 7), head=ahead)
        what = random.random()
        if what < 0.45:  # a mirror: the head goes a part of the way
            yaw, down = [(45.0, 12.0), (-35.0, -8.0)][int(random.integers(2))]
            head = (ahead[0] + 0.6 * yaw, ahead[1] + 0.6 * down, 0.0)
            yield Key(left, right_now, 0.4, between(random, 0.3, 0.8), head=head, gaze=(yaw, down))
        elif what < 0.9:  # the speedometer: the eyes alone, or nearly
            head = (ahead[0], ahead[1] + between(random, 2, 9), 0.0)
            yield Key(left, right_now, 0.3, between(random, 0.3, 0.8), head=head, gaze=(0.0, 22.0))
        else:  # over the left shoulder, before a change of lane
            yield Key(left, right_now, 0.6, between(random, 0.2, 0.5), head=(70.0, 4.0, 0.0), lean=(0.0, 0.0, 4.0))


def drowsy(random: Random, habits: Habits) -> Keys:
    """Hands on the wheel; a yawn now and then, the eyes closing for longer and longer while the head sinks."""
    left, right = _at_wheel(habits)
    while True:
        nod = between(random, 4, 9)
        ahead = (habits.gaze + between(random, -4, 4), nod, 0.0)
        yield Key(left, right, 0.9, between(random, 1.5, 3), head=ahead)
        if random.random() < 0.3:
            yield Key(left, right, 0.8, between(random, 2.0, 3.5), head=(ahead[0], nod - 8, 0), mouth=2.0)
        sunk = (ahead[0], nod + between(random, 4, 18), between(random, -6, 6))
        yield Key(left, right, 0.5, between(random, 0.1, 3.0), head=sunk, closed=True)


def asleep(random: Random, habits: Habits) -> Keys:
    """Eyes closed for seconds and the head on the chest; it comes up for a moment."""
    left, right = _at_wheel(habits)
    while True:
        sunk = (habits.gaze + between(random, -4, 4), between(random, 14, 26), between(random, -8, 8))
        yield Key(left, right, 0.8, between(random, 4, 8), head=sunk, closed=True)
        yield Key(left, right, 0.5, between(random, 0.5, 1.5), head=(habits.gaze, 6.0, 0.0))


def looking_down(random: Random, habits: Habits) -> Keys:
    """One hand on the wheel, the eyes on a phone on the lap, a short look at the road between."""
    left, _ = _at_wheel(habits)
    while True:
        down = (between(random, -14, -4), between(random, 26, 36), 0.0)
        yield Key(left, lap(), 0.5, between(random, 3, 7), head=down, gaze=(down[0], down[1] + 22))
        yield Key(left, lap(), 0.5, between(random, 0.4, 1.0), head=(habits.gaze, 4.0, 0.0))


def sitting_still(random: Random, habits: Habits) -> Keys:
    """As Drive&Act has it: driving or being driven, hands on the wheel or in the lap."""
    while True:
        if random.random() < 0.55:
            left, right = habits.left(), habits.right()
        else:
            left, right = lap(between(random, -0.1, 0.1), 0.03), lap(between(random, -0.1, 0.1), 0.02)
        for _ in range(int(random.integers(2, 5))):
            yield Key(
                left,
                right,
                0.9,
                between(random, 1, 3),
                head=(habits.gaze + between(random, -10, 10), between(random, 0, 9), 0),
            )


def looking_or_moving_around(random: Random, habits: Habits) -> Keys:
    while True:
        yaw = between(random, 30, 60) * (1 if random.random() < 0.5 else -1)
        yield Key(
            habits.left() if yaw < 0 else lap(),
            habits.right() if yaw > 0 else lap(),
            0.7,
            between(random, 0.3, 1.0),
            (between(random, 0, 14), -yaw / 8, yaw / 4),
            (yaw, between(random, 0, 25), 0),
        )


def using_multimedia_display(random: Random, habits: Habits) -> Keys:
    while True:
        x, y = between(random, -0.42, -0.30), between(random, 0.24, 0.31)
        for away in (0.0, 0.05):
            yield Key(
                habits.left(),
                car(x, y - 0.02, -0.60 + away, (-0.05, 0.15, -1), (0, -1, -0.1), 0.55, 20),
                0.4,
                between(random, 0.1, 0.6),
                (13, -3, -9),
                (-26 + between(random, -4, 4), 17, 0),
                action=("interacting", "multimedia_display", "front_area"),
            )


def pressing_automation_button(random: Random, habits: Habits) -> Keys:
    while True:
        yield Key(
            habits.left(),
            car(-0.07, 0.28, -0.33, (-0.2, 0.0, -1), (-0.2, -1, 0), 0.6, 15),
            0.5,
            0.3,
            (3, 0, 0),
            (-3, 20, 0),
            action=("interacting", "automation_button", "steering_wheel"),
        )
        yield Key(
            habits.left(),
            habits.right(),
            0.6,
            between(random, 0.3, 0.8),
            action=("retracting_from", "automation_button", "steering_wheel"),
        )


def fastening_seat_belt(random: Random, _habits: Habits) -> Keys:
    while True:
        yield Key(
            car(0.38, 0.50, 0.02, (0, 0.5, 0.5), (-1, 0, 0), 0.7, 45),
            car(0.26, 0.44, -0.08, (-0.8, 0.3, 0.1), (0, 0, 1), 0.7, 35),
            0.9,
            0.4,
            (3, 4, 16),
            (34, 12, 0),
            worn=BARE,
            action=("reaching_for", "seat_belt", "driver_door"),
        )
        yield Key(
            lap(),
            front(0.05, -0.25, 0.20, (-0.5, -0.4, -0.3), (0, 0, 1), 0.8, 10),
            0.8,
            0.1,
            (4, 0, 2),
            (8, 30, 0),
            worn=BARE,
            action=("placing_moving_to", "seat_belt", "driver_seat"),
        )
        yield Key(
            lap(inwards=0.1),
            car(-0.24, 0.03, -0.04, (0, -0.7, 0.1), (0.5, -0.5, 0), 0.8, 12),
            0.6,
            between(random, 0.6, 1.2),
            (6, -7, -10),
            (-20, 34, 0),
            action=("closing", "seat_belt", "driver_seat"),
        )


def unfastening_seat_belt(random: Random, habits: Habits) -> Keys:
    while True:
        yield Key(
            habits.left(),
            car(-0.24, 0.03, -0.04, (0, -0.7, 0.1), (0.5, -0.5, 0), 0.8, 12),
            0.7,
            0.5,
            (6, -7, -10),
            (-20, 34, 0),
            action=("opening", "seat_belt", "driver_seat"),
        )
        yield Key(
            habits.left(),
            front(-0.06, -0.12, 0.18, (-0.6, 0.4, 0.0), (0, 0, 1), 0.8, 20),
            0.9,
            between(random, 0.2, 0.6),
            (2, 0, 10),
            (22, 18, 0),
            worn=BARE,
            action=("retracting_from", "seat_belt", "driver_seat"),
        )
