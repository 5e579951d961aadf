"""What is done in a simulated clip, in words: activity and object, where the hands are, where the driver looks.

The simulator knows all of it, so these captions are true whatever a camera or a pose estimator makes of the clip. They
are of the form that train.knowledge divides into clauses, and are kept in the archive's column `told`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.simulate.population.activities import LABELS
from train.simulate.population.kinematics import HEAD, LEAN, OUT, place_joints, place_trunk, times, turned
from train.simulate.population.people import Floats, People

Ints = NDArray[np.int64]

# label -> what is done, and what with. Hands are named where the label names them.
DONE = {
    "attentive": ("the driver drives attentively", ""),
    "interacting_with_phone_left": ("the driver types a message on the phone", "a phone is in the left hand"),
    "interacting_with_phone_right": ("the driver types a message on the phone", "a phone is in the right hand"),
    "talking_on_phone_left": ("the driver talks on the phone", "a phone is in the left hand"),
    "talking_on_phone_right": ("the driver talks on the phone", "a phone is in the right hand"),
    "using_multimedia_display": ("the driver operates the radio", "a hand is at the buttons of the display"),
    "eating_or_drinking": ("the driver eats or drinks", "a bottle, a cup or food is in the hand"),
    "smoking": ("the driver smokes", "a cigarette is in the hand"),
    "reaching_behind": ("the driver reaches behind", "something lies on the rear seat"),
    "fetching_an_object": ("the driver fetches something", "something lies beside the seat"),
    "grooming": ("the driver does hair or make-up", "a comb or make-up is in the hand"),
    "talking_to_passenger": ("the driver talks to the passenger", ""),
    "reading_or_writing": ("the driver reads or writes", "papers or a laptop are in the hands"),
    "adjusting": ("the driver adjusts belt, mirror or glasses", ""),
    "out_of_position": ("the driver sleeps or has slumped", ""),
}
# Where a hand at the head is, by what is done.
_AT_HEAD = {
    "talking_on_phone_left": "at the ear", "talking_on_phone_right": "at the ear",
    "eating_or_drinking": "at the mouth", "smoking": "at the mouth", "grooming": "at the hair or the face",
}  # fmt: skip
# The order is that of the conditions in _hand_places.
PLACES = (
    "at the head", "on the wheel", "reached to the rear", "reached to the passenger's side", "raised to the roof",
    "at the dashboard", "at the door", "in the lap", "before the chest",
)  # fmt: skip
GAZES = (
    "the eyes are on the road", "the driver looks down", "the driver looks to the passenger's side",
    "the driver looks out of the window beside", "the driver looks behind",
)  # fmt: skip
# The share of the frames from which on something is told.
_LEAST = 0.15


def tell(people: People, posture: Floats, labels: Ints, mirrored: NDArray[np.bool_]) -> list[str]:
    """A caption of each of N clips. posture (N, T, 17); labels (N, T) of LABELS; mirrored (N,): the picture shows left
    and right exchanged, as in a right-hand-drive vehicle, and the captions say what the picture shows."""
    joints = place_joints(people, posture)
    hands = {side: _hand_places(people, posture, joints, side) for side in OUT}
    gazes = _gazes(posture)
    captions = []
    for clip in range(len(people)):
        order = list(dict.fromkeys(labels[clip].tolist()))
        shown = [label for label in order if (labels[clip] == label).mean() >= _LEAST]
        sentences = []
        for number, label in enumerate(shown):
            at = labels[clip] == label
            clauses = _clauses(LABELS[label], {side: place[clip, at] for side, place in hands.items()}, gazes[clip, at])
            when = "" if len(shown) == 1 else ("At first " if number == 0 else "At the end ")
            text = when + "; ".join(clauses) + "."
            sentences.append(text[0].upper() + text[1:])
        caption = " ".join(sentences)
        captions.append(_exchanged(caption) if mirrored[clip] else caption)
    return captions


def _clauses(label: str, hands: dict[str, Ints], gaze: Ints) -> list[str]:
    done, thing = DONE[label]
    clauses = [done, thing] if thing else [done]
    usual = {side: PLACES[np.bincount(place).argmax()] for side, place in hands.items()}
    where = {side: _AT_HEAD.get(label, place) if place == PLACES[0] else place for side, place in usual.items()}
    if where["left"] == where["right"]:
        clauses.append(f"both hands are {where['left']}")
    else:
        clauses += [f"the {side} hand is {place}" for side, place in where.items()]
    return [*clauses, GAZES[np.bincount(gaze).argmax()]]


def _hand_places(people: People, posture: Floats, joints: dict[str, Floats], side: str) -> Ints:
    """(N, T) of PLACES: where a hand truly is, by its wrist in the car."""
    wrist, trunk = joints[f"{side}_wrist"], place_trunk(people, posture)
    level = np.zeros(1, np.float32)
    plane = turned(-people.tilt, level, level)[:, None]
    off = times(np.swapaxes(plane, -1, -2), wrist - people.wheel[:, None])
    around = np.linalg.norm(off[..., [0, 2]], axis=-1) - people.radius[:, None]
    to_rim = np.hypot(around, off[..., 1])
    x, y, z = np.moveaxis(wrist - people.seat[:, None], -1, 0)
    return np.select(
        [
            np.linalg.norm(wrist - trunk.skull, axis=-1) < 0.26,
            to_rim < 0.14,
            z > 0.15,
            x < -0.5 - people.side_room[:, None],
            y > 0.58,
            z < -0.42,
            x > 0.27,
            y < 0.2,
        ],
        np.arange(len(PLACES) - 1),
        len(PLACES) - 1,
    )


def _gazes(posture: Floats) -> Ints:
    """(N, T) of GAZES, by where the head points."""
    yaw = posture[..., HEAD][..., 0] + posture[..., LEAN][..., 2]
    nod = posture[..., HEAD][..., 1]
    return np.select([np.abs(yaw) > 75, yaw < -25, yaw > 25, nod > 14], [4, 2, 3, 1], 0)


def _exchanged(caption: str) -> str:
    return caption.replace("left", "\0").replace("right", "left").replace("\0", "right")
