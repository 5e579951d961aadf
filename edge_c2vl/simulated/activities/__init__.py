"""What the driver does: Drive&Act's 34 mid-level activities (Martin et al., ICCV 2019), named as in its label files.

Right and left are the driver's; the other front seat, the display and the console are to the right.
"""

from __future__ import annotations

from functools import partial

from edge_c2vl.simulated.activities import doors, driving, things
from edge_c2vl.simulated.activities.driving import asleep, attentive, commuting, drowsy, looking_down
from edge_c2vl.simulated.activities.key import NOTHING, Activity, Habits, Key, Prop

__all__ = [
    "MIDLEVEL",
    "NOTHING",
    "OUTSIDE",
    "SEARCHING",
    "Activity",
    "Habits",
    "Key",
    "Prop",
    "asleep",
    "attentive",
    "commuting",
    "drowsy",
    "looking_down",
]

SEARCHING = "looking_or_moving_around (e.g. searching)"
MIDLEVEL: dict[str, Activity] = {
    "closing_bottle": partial(things.bottle_cap, action="closing"),
    "closing_door_inside": partial(doors.from_inside, opening=False),
    "closing_door_outside": partial(doors.from_outside, action="closing"),
    "closing_laptop": partial(things.lid, opening=False),
    "drinking": things.drinking,
    "eating": things.eating,
    "entering_car": partial(doors.through, entering=True),
    "exiting_car": partial(doors.through, entering=False),
    "fastening_seat_belt": driving.fastening_seat_belt,
    "fetching_an_object": partial(things.reach, fetching=True),
    "interacting_with_phone": things.interacting_with_phone,
    SEARCHING: driving.looking_or_moving_around,
    "opening_backpack": partial(things.backpack, action="opening", what="backpack", where="codriver_seat"),
    "opening_bottle": partial(things.bottle_cap, action="opening"),
    "opening_door_inside": partial(doors.from_inside, opening=True),
    "opening_door_outside": partial(doors.from_outside, action="opening"),
    "opening_laptop": partial(things.lid, opening=True),
    "placing_an_object": partial(things.reach, fetching=False),
    "preparing_food": things.preparing_food,
    "pressing_automation_button": driving.pressing_automation_button,
    "putting_laptop_into_backpack": partial(
        things.backpack, action="placing_moving_to", what="laptop", where="backpack"
    ),
    "putting_on_jacket": partial(things.jacket, putting_on=True),
    "putting_on_sunglasses": partial(things.sunglasses, putting_on=True),
    "reading_magazine": partial(things.reading, kind="magazine", apart=0.15, up=-0.20, away=0.29),
    "reading_newspaper": partial(things.reading, kind="newspaper", apart=0.24, up=-0.16, away=0.33),
    "sitting_still": driving.sitting_still,
    "taking_laptop_from_backpack": partial(things.backpack, action="retracting_from", what="laptop", where="backpack"),
    "taking_off_jacket": partial(things.jacket, putting_on=False),
    "taking_off_sunglasses": partial(things.sunglasses, putting_on=False),
    "talking_on_phone": things.talking_on_phone,
    "unfastening_seat_belt": driving.unfastening_seat_belt,
    "using_multimedia_display": driving.using_multimedia_display,
    "working_on_laptop": things.working_on_laptop,
    "writing": things.writing,
}
OUTSIDE = ("closing_door_outside", "opening_door_outside", "entering_car", "exiting_car")
"""In these the driver is wholly or partly outside of the car, where not every camera looks."""
