"""A session of the data set: tasks and the activities in them, as the drivers of Drive&Act were asked to do them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_c2vl.simulated.activities import MIDLEVEL, SEARCHING
from edge_c2vl.simulated.motion import Script

# Drive&Act's twelve tasks, and in which order activities come in each here. Before and after them no task is labelled.
ARRIVING = ("opening_door_outside", "entering_car", "closing_door_inside")
FIRST = ("fasten_seat_belt", "hand_over")
MIDDLE = (
    "put_on_sunglasses",
    "take_off_sunglasses",
    "read_write_newspaper",
    "read_write_magazine",
    "eat_drink",
    "work",
    "watch_video",
    "put_on_jacket",
    "take_off_jacket",
)
LAST = "final_task"
TASKS = {
    "fasten_seat_belt": ("fastening_seat_belt", "sitting_still"),
    "hand_over": ("sitting_still", "pressing_automation_button", "sitting_still"),
    "put_on_sunglasses": ("fetching_an_object", "putting_on_sunglasses"),
    "take_off_sunglasses": ("taking_off_sunglasses", "placing_an_object"),
    "read_write_newspaper": ("fetching_an_object", "reading_newspaper", "writing", "placing_an_object"),
    "read_write_magazine": ("fetching_an_object", "reading_magazine", "writing", "placing_an_object"),
    "eat_drink": (
        "opening_bottle",
        "drinking",
        "closing_bottle",
        "preparing_food",
        "eating",
        "placing_an_object",
    ),
    "work": (
        "opening_backpack",
        "taking_laptop_from_backpack",
        "opening_laptop",
        "working_on_laptop",
        "talking_on_phone",
        "interacting_with_phone",
        "closing_laptop",
        "putting_laptop_into_backpack",
    ),
    "watch_video": ("using_multimedia_display", "sitting_still"),
    "put_on_jacket": ("putting_on_jacket",),
    "take_off_jacket": ("taking_off_jacket",),
    "final_task": (
        SEARCHING,
        "pressing_automation_button",
        "sitting_still",
        "unfastening_seat_belt",
        "opening_door_inside",
        "exiting_car",
    ),
}
LEAVING = ("closing_door_outside",)
# How long an activity takes compared with the others; 1 where nothing is said.
_LENGTHS = {"sitting_still": 2.0, "eating": 2.0, "reading_newspaper": 2.5, "reading_magazine": 2.5, "drinking": 1.5,
            "working_on_laptop": 2.5, "talking_on_phone": 2.5, "interacting_with_phone": 2.5, "writing": 1.5,
            "using_multimedia_display": 2.0}  # fmt: skip
MIN_SECONDS = 30.0
_SHORTEST_S = 0.35


@dataclass(frozen=True)
class Step:
    """An activity from start_s to end_s, in a task or (None) outside of all."""

    activity: str
    task: str | None
    start_s: float
    end_s: float


def plan(seed: tuple[int, ...], seconds: float) -> list[Step]:
    """A session of that length with all activities and all tasks; the order of the tasks between first and last, and
    how long each activity takes, by lot. Raises ValueError below MIN_SECONDS."""
    if seconds < MIN_SECONDS:
        raise ValueError(f"a session of {seconds:g} s is too short for all activities: {MIN_SECONDS:g} s or more")
    random = np.random.default_rng([*seed, 13])
    # A jacket or sunglasses can be taken off only when they are on.
    middle = list(random.permutation(MIDDLE))
    for name in ("jacket", "sunglasses"):
        on, off = middle.index(f"put_on_{name}"), middle.index(f"take_off_{name}")
        if on > off:
            middle[on], middle[off] = middle[off], middle[on]
    order: list[tuple[str, str | None]] = [(activity, None) for activity in ARRIVING]
    for task in (*FIRST, *map(str, middle), LAST):
        order += [(activity, task) for activity in TASKS[task]]
    order += [(activity, None) for activity in LEAVING]
    lengths = np.array([_LENGTHS.get(activity, 1.0) for activity, _ in order]) * random.uniform(0.7, 1.4, len(order))
    durations = _SHORTEST_S + lengths / lengths.sum() * (seconds - _SHORTEST_S * len(order))
    ends = np.cumsum(durations)
    return [
        Step(activity, task, float(end - duration), float(end))
        for (activity, task), duration, end in zip(order, durations, ends, strict=True)
    ]


def script(steps: list[Step]) -> Script:
    return iter([(step.activity, MIDLEVEL[step.activity], step.end_s - step.start_s) for step in steps])
