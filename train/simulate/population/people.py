"""Who sits in which vehicle, drawn for many drivers at once. Axes and units as in edge_c2vl.simulated.body: metres, x
to the driver's left, y up, z to the rear, from the hip point of a driver of mean stature."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Random = np.random.Generator


def uniform(random: Random, low: float, high: float, *shape: int) -> Floats:
    return random.uniform(low, high, shape).astype(np.float32)


def normal(random: Random, mean: float, deviation: float, *shape: int) -> Floats:
    return random.normal(mean, deviation, shape).astype(np.float32)


@dataclass(frozen=True)
class People:
    """N drivers and their vehicles; each field is (N,) or (N, 3).

    Body: stature; breadth, which scales the shoulders; recline, degrees of the seat's back; seat (3), the hip point;
    lean and head (3), the usual angles in degrees as in edge_c2vl.simulated.body.Posture; carriage (3), where the head
    is carried beside the place that edge_c2vl.simulated.body gives it, metres; tempo.

    Vehicle: lorry, 1 or 0; wheel (3), its centre; radius; tilt, degrees by which the wheel's plane is raised from lying
    flat; steering, degrees by which the wheel is turned. grip (2): degrees from the wheel's top, left and right hand.
    """

    stature: Floats
    breadth: Floats
    recline: Floats
    seat: Floats
    lean: Floats
    head: Floats
    carriage: Floats
    tempo: Floats
    lorry: Floats
    wheel: Floats
    radius: Floats
    tilt: Floats
    steering: Floats
    grip: Floats

    def __len__(self) -> int:
        return len(self.stature)

    @property
    def size(self) -> Floats:
        """(N,) stature as a share of 1.75 m."""
        return self.stature / np.float32(1.75)

    @property
    def side_room(self) -> Floats:
        """(N,) how much farther away the passenger's side is than in a car, metres."""
        return np.float32(0.25) * self.lorry

    def take(self, rows: NDArray[Any]) -> People:
        return People(*(getattr(self, item.name)[rows] for item in fields(self)))


def draw_people(count: int, random: Random) -> People:
    """Statures after a normal distribution, everything else by lot: three cars of four, one lorry or van."""
    lorry = (random.random(count) < 0.25).astype(np.float32)
    woman = random.random(count) < 0.4
    stature = np.clip(normal(random, 0, 0.065, count) + np.where(woman, 1.66, 1.78), 1.5, 2.0).astype(np.float32)
    car_wheel = np.stack(
        [normal(random, 0, 0.02, count), uniform(random, 0.24, 0.42, count), uniform(random, -0.54, -0.36, count)], 1
    )
    lorry_wheel = np.stack(
        [normal(random, 0, 0.02, count), uniform(random, 0.10, 0.26, count), uniform(random, -0.46, -0.30, count)], 1
    )
    is_lorry = lorry[:, None] > 0
    seat = np.stack(
        [normal(random, 0, 0.015, count), normal(random, 0, 0.03, count), normal(random, 0, 0.03, count)], axis=1
    )
    seat[:, 2] += 0.45 * (stature - 1.75)
    return People(
        stature=stature,
        breadth=uniform(random, 0.9, 1.1, count) * np.where(woman, 0.97, 1.02).astype(np.float32),
        recline=np.where(lorry > 0, uniform(random, 4, 20, count), uniform(random, 10, 34, count)).astype(np.float32),
        seat=seat.astype(np.float32),
        lean=normal(random, 0, 1, count, 3) * np.array([4, 2.5, 3.5], np.float32),
        head=normal(random, 0, 1, count, 3) * np.array([5, 5, 3], np.float32) + np.array([0, 4, 0], np.float32),
        # Most drivers carry the head in front of the shoulders, and a little lower for it.
        carriage=normal(random, 0, 1, count, 3) * np.array([0, 0.01, 0.015], np.float32)
        + np.array([0, -0.01, -0.03], np.float32),
        tempo=uniform(random, 0.7, 1.4, count),
        lorry=lorry,
        wheel=np.where(is_lorry, lorry_wheel, car_wheel).astype(np.float32),
        radius=np.where(lorry > 0, uniform(random, 0.20, 0.24, count), uniform(random, 0.17, 0.20, count)).astype(
            np.float32
        ),
        tilt=np.where(lorry > 0, uniform(random, 22, 50, count), uniform(random, 52, 74, count)).astype(np.float32),
        steering=np.where(random.random(count) < 0.8, normal(random, 0, 6, count), normal(random, 0, 40, count)).astype(
            np.float32
        ),
        grip=_grips(count, random),
    )


def _grips(count: int, random: Random) -> Floats:
    """(N, 2): ten to two, quarter to three, low, and unlike hands."""
    base = random.choice([40.0, 60.0, 75.0, 90.0, 110.0, 140.0], count, p=[0.12, 0.22, 0.26, 0.18, 0.12, 0.10])
    unlike = np.where(random.random((count, 2)) < 0.25, random.uniform(-60, 60, (count, 2)), 0)
    return np.clip(base[:, None] + unlike + random.normal(0, 8, (count, 2)), 0, 175).astype(np.float32)
