"""What a driver does one after the other: a story, a list of activities, everyday driving."""

from __future__ import annotations

import itertools

import numpy as np

from edge_c2vl.errors import UsageError
from edge_c2vl.simulated.activities import (
    MIDLEVEL,
    OUTSIDE,
    SEARCHING,
    Activity,
    asleep,
    attentive,
    commuting,
    drowsy,
    looking_down,
)
from edge_c2vl.simulated.motion import Script

ACTIVITIES: dict[str, Activity] = {
    "attentive": attentive,
    "commuting": commuting,
    "drowsy": drowsy,
    "asleep": asleep,
    "looking_down": looking_down,
    **MIDLEVEL,
}
ALIASES = {
    "driving": "attentive",
    "texting": "interacting_with_phone",
    "phoning": "talking_on_phone",
    "searching": SEARCHING,
    "reading": "reading_magazine",
}
# Within a minute: attentive, the phone at the ear, attentive again.
STORY = (("attentive", 15.0), ("talking_on_phone", 20.0), ("attentive", 20.0))


def named(activity: str) -> str:
    """The full name of an activity or alias. Raises UsageError naming what there is."""
    name = ALIASES.get(activity, activity)
    if name not in ACTIVITIES:
        known = ", ".join(sorted([*ALIASES, *ACTIVITIES, "story"]))
        raise UsageError(f"the simulated driver knows no activity {activity!r}; it knows {known}")
    return name


def story() -> Script:
    """STORY, over and over."""
    return itertools.cycle((name, ACTIVITIES[name], seconds) for name, seconds in STORY)


def playlist(activities: list[str], seconds_each: float) -> Script:
    """These activities in turn, over and over."""
    names = [named(activity) for activity in activities]
    return itertools.cycle((name, ACTIVITIES[name], seconds_each) for name in names)


def everyday(seed: int) -> Script:
    """Attentive driving, and between it anything that Drive&Act knows of a driver who sits in the car, endlessly."""
    random = np.random.default_rng([seed, 5])
    others = [name for name in MIDLEVEL if name not in OUTSIDE]
    while True:
        yield "attentive", attentive, float(random.uniform(8, 15))
        name = others[int(random.integers(len(others)))]
        yield name, MIDLEVEL[name], float(random.uniform(5, 12))


def once(activities: list[str], seconds_each: float) -> Script:
    """These activities in turn, one time."""
    return iter([(name, ACTIVITIES[name], seconds_each) for name in map(named, activities)])
