"""Activities played by many drivers at once: postures at T times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from train.simulate.population.activities import ACTIVITIES
from train.simulate.population.gestures import PlacedPeople
from train.simulate.population.key import Actors, KeyPostures
from train.simulate.population.kinematics import (
    HEAD,
    LEAN,
    LEFT,
    LEFT_LIFT,
    RIGHT,
    RIGHT_LIFT,
    ROOT,
    SIZE,
    place_trunk,
)  # fmt: skip
from train.simulate.population.people import Floats, People, Random, uniform

Ints = NDArray[np.int64]
_LONGEST_KEYS = 64  # far more than any window needs


@dataclass(frozen=True)
class Script:
    """What each of N drivers does: first (N,) until switch_s (N,), then second (N,); numbers of ACTIVITIES. The change
    takes change_s (N,). switch_s beyond the last time: first alone."""

    first: Ints
    second: Ints
    switch_s: Floats
    change_s: Floats

    def label(self, times_s: Floats) -> Ints:
        """(N, T): which activity it is, the second one from the middle of the change on."""
        middle = (self.switch_s + 0.5 * self.change_s)[:, None]
        return np.where(times_s[None] < middle, self.first[:, None], self.second[:, None])


def resolve(people: People, key: KeyPostures) -> Floats:
    """The key's postures (N, 17): trunk and head first, then the hands, which go by them."""
    posture = np.zeros((len(people), 1, SIZE), np.float32)
    posture[:, 0, ROOT] = key.root
    posture[:, 0, LEAN] = people.lean + key.lean
    posture[:, 0, HEAD] = people.head + key.head
    place = PlacedPeople(people, place_trunk(people, posture))
    for side, hand, lift in (("left", LEFT, LEFT_LIFT), ("right", RIGHT, RIGHT_LIFT)):
        posture[:, 0, hand], posture[:, 0, lift] = (key.left if side == "left" else key.right)(place, side)
    return posture[:, 0]


def minimum_jerk(share: Floats) -> Floats:
    """Flash and Hogan, J. Neuroscience 1985: from 0 to 1, at rest at both ends."""
    share = np.clip(share, 0, 1)
    return share**3 * (10 - 15 * share + 6 * share**2)


def play(people: People, activity: str, times_s: Floats, random: Random) -> Floats:
    """Postures (N, T, 17) of one activity that began some seconds before the first time."""
    keys = ACTIVITIES[activity](Actors(people, random))
    now_s = times_s[0] - uniform(random, 0.3, 4.0, len(people))
    posture = resolve(people, next(keys))
    result = np.repeat(posture[:, None], len(times_s), axis=1)
    for _ in range(_LONGEST_KEYS):
        key = next(keys)
        following = resolve(people, key)
        # Movements do not overlap, so a posture is the first one and the sum of the steps made so far.
        made = minimum_jerk((times_s[None] - now_s[:, None]) / np.maximum(key.move_s, 1e-3)[:, None])
        result += made[..., None] * (following - posture)[:, None]
        posture = following
        now_s = now_s + key.move_s + key.hold_s
        if now_s.min() > times_s[-1]:
            break
    return result


def perform(people: People, script: Script, times_s: ArrayLike, random: Random) -> Floats:
    """Postures (N, T, 17) of the script at these times."""
    times = np.asarray(times_s, np.float32)
    result = _play_each(people, script.first, times, random)
    changes = np.flatnonzero(script.switch_s < times[-1])
    if len(changes):
        then = _play_each(people.take(changes), script.second[changes], times, random)
        since = (times[None] - script.switch_s[changes, None]) / script.change_s[changes, None]
        result[changes] += minimum_jerk(since)[..., None] * (then - result[changes])
    return _swayed(result, times, random)


def _play_each(people: People, activity: Ints, times_s: Floats, random: Random) -> Floats:
    result = np.empty((len(people), len(times_s), SIZE), np.float32)
    for number, name in enumerate(ACTIVITIES):
        rows = np.flatnonzero(activity == number)
        if len(rows):
            result[rows] = play(people.take(rows), name, times_s, random)
    return result


def _swayed(posture: Floats, times_s: Floats, random: Random) -> Floats:
    """What never rests: breathing, the road, small movements of head and hands. Sums of slow sines."""
    count = len(posture)
    size = np.array([0.003] * 6 + [0.5, 0.4, 0.5] + [1.6, 1.0, 0.8], np.float32) * uniform(random, 0.5, 1.8, count, 12)
    columns = np.r_[0:6, 11:14, 14:17]
    for _ in range(3):
        rate, phase = uniform(random, 0.5, 3.5, count, 1, 12), uniform(random, 0, 6.283, count, 1, 12)
        posture[..., columns] += 0.6 * size[:, None] * np.sin(rate * times_s[None, :, None] + phase)
    return posture
