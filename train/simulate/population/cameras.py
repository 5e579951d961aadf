"""Cameras wherever one is put in a vehicle, drawn for many drivers at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.simulate.population.kinematics import unit, vector
from train.simulate.population.people import Floats, Random, uniform

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Name -> share, the box that the camera stands in (x, y, z; car coordinates, metres), degrees of roll. Where the
# passenger sits cameras stand anywhere from the windscreen to beside the driver and are turned by hand.
PLACES: dict[str, tuple[float, tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "passenger": (0.45, (-1.25, -0.40), (0.15, 0.95), (-0.95, 0.12), (-40, 15)),
    "mirror": (0.15, (-0.55, -0.20), (0.55, 0.88), (-0.85, -0.45), (-12, 12)),
    "dashboard": (0.20, (-0.50, 0.20), (0.22, 0.60), (-1.10, -0.50), (-8, 8)),
    "driver's pillar": (0.13, (0.25, 0.55), (0.25, 0.80), (-0.90, -0.40), (-12, 20)),
    "ceiling": (0.06, (-0.45, 0.25), (0.78, 1.00), (-0.75, -0.15), (-10, 10)),
    "cluster": (0.06, (-0.12, 0.12), (0.26, 0.42), (-0.75, -0.50), (-5, 5)),
}


@dataclass(frozen=True)
class Cameras:
    """N pinhole cameras. place (N,): index in PLACES; position (N, 3); axes (N, 3, 3): right, up, away; focal (N,)
    of half a picture's width; aspect (N,): height by width."""

    place: Ints
    position: Floats
    axes: Floats
    focal: Floats
    aspect: Floats

    def project(self, points: Floats) -> Floats:
        """(N, T, 3) car coordinates -> (N, T, 3): to the right and up in half picture widths, and depth in metres."""
        local = (points - self.position[:, None]) @ self.axes.transpose(0, 2, 1)
        depth = np.maximum(local[..., 2:], 0.02)
        return np.concatenate([self.focal[:, None, None] * local[..., :2] / depth, local[..., 2:]], axis=-1)

    def inside(self, projected: Floats) -> Bools:
        """(N, T): whether that lies in the picture."""
        limit = np.stack([np.ones_like(self.aspect), self.aspect], axis=1)[:, None]
        return (np.abs(projected[..., :2]) < limit).all(axis=-1) & (projected[..., 2] > 0.05)


def draw_cameras(count: int, random: Random) -> Cameras:
    shares = np.array([place[0] for place in PLACES.values()])
    kind = random.choice(len(PLACES), count, p=shares / shares.sum())
    boxes = np.array([place[1:4] for place in PLACES.values()], np.float32)[kind]  # (N, 3, 2)
    position = boxes[..., 0] + (boxes[..., 1] - boxes[..., 0]) * uniform(random, 0, 1, count, 3)
    # The camera looks at the driver's upper body, and more or less beside it; every fifth at the head, with a lens that
    # shows little but head and shoulders, as in lorries.
    near = random.random(count) < 0.2
    height = np.where(near, uniform(random, 0.40, 0.68, count), uniform(random, 0.10, 0.48, count))
    target = np.stack([uniform(random, -0.15, 0.10, count), height, uniform(random, -0.35, 0.10, count)], 1)
    target = target.astype(np.float32)
    away = unit(target - position)
    right = unit(np.cross(vector(0, 1, 0), away))
    up = np.cross(away, right)
    rolls = np.array([place[4] for place in PLACES.values()], np.float32)[kind]
    roll = np.radians(rolls[:, 0] + (rolls[:, 1] - rolls[:, 0]) * uniform(random, 0, 1, count))[:, None]
    # Most cameras are mounted level.
    roll = np.where(random.random((count, 1)) < 0.35, 0, roll)
    turned_right, turned_up = np.cos(roll) * right + np.sin(roll) * up, np.cos(roll) * up - np.sin(roll) * right
    distance = np.linalg.norm(target - position, axis=1)
    # Half a picture's width at the driver, metres: what a lens that suits the place shows.
    half_width = np.where(near, uniform(random, 0.22, 0.50, count), uniform(random, 0.40, 1.05, count))
    focal = np.clip(distance / half_width, 0.55, 3.5).astype(np.float32)
    aspect = random.choice([0.5625, 0.75, 0.8, 0.625], count).astype(np.float32)
    axes = np.stack([turned_right, turned_up, away], axis=1).astype(np.float32)
    return Cameras(kind, position.astype(np.float32), axes, focal, aspect)
