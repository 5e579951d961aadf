"""A car without a driver, as a camera sees it: seats, belts, and by lot a phone mount, bags, a jacket, bottles.

A pose network finds people in headrests and jackets; what watches the driver has to say that nobody is there.
"""

from __future__ import annotations

import numpy as np

from edge_c2vl.simulated import mesh
from edge_c2vl.simulated.body import Floats, turned, unit
from edge_c2vl.simulated.cameras import View
from edge_c2vl.simulated.mesh import Mesh
from edge_c2vl.simulated.props import shape
from edge_c2vl.simulated.render import INNER_PIXELS, Image, Renderer

# The middle of the front seats in car coordinates, metres.
SEATS = (0.0, -0.76)
_BELT, _PHONE, _SCREEN = (0.035, 0.034, 0.033), (0.03, 0.03, 0.03), (0.30, 0.24, 0.18)


class EmptyCar:
    """Pictures by time, as `film.Film` has them. seed: which things lie around and where."""

    def __init__(
        self,
        seed: int,
        view: View,
        look: str | None = None,
        width: int | None = None,
        height: int | None = None,
        exposure: float = 1.0,
        inner_pixels: int = INNER_PIXELS,
    ) -> None:
        self.renderer = Renderer(None, view, look, width, height, exposure, seed, inner_pixels)
        self._things = furnish(seed)

    @property
    def view(self) -> View:
        """The camera with the picture's width and height."""
        return self.renderer.view

    def image(self, time_s: float) -> Image:
        """uint8 (H, W, 3) BGR."""
        return self.renderer.render_things(self._things, time_s)


def furnish(seed: int) -> list[Mesh]:
    """The things of a seed, in car coordinates. Belts are there always, hanging or buckled over the empty seat."""
    random = np.random.default_rng([seed, 11])

    def chance(share: float) -> bool:
        return bool(random.random() < share)

    things = [_belt(seat, buckled=chance(0.4)) for seat in SEATS]
    if chance(0.6):
        things.append(_phone_mount(float(random.uniform(-0.45, 0.25)), float(random.uniform(0.33, 0.45))))
    for seat in SEATS:
        if chance(0.35):
            at = (seat + float(random.uniform(-0.08, 0.08)), 0.14, float(random.uniform(-0.10, 0.06)))
            things.append(shape("backpack").moved(turned(-float(random.uniform(0, 25))), np.array(at, np.float32)))
        if chance(0.35):
            things.append(_jacket(seat, random))
    if chance(0.5):
        things.append(shape("bottle").moved(np.eye(3, dtype=np.float32), np.array((-0.38, 0.05, -0.12), np.float32)))
    return things


def _belt(seat: float, buckled: bool) -> Mesh:
    """A strip from the pillar beside the seat: hanging down, or across the backrest to the buckle."""
    outside = 0.41 if seat == SEATS[0] else -1.17
    top = np.array([outside, 0.74, 0.40], np.float32)
    low = np.array([outside, -0.20, 0.30], np.float32)
    if buckled:
        low = np.array([seat - (0.24 if seat == SEATS[0] else -0.24), -0.10, 0.12], np.float32)
    along = np.linspace(0, 1, 24, dtype=np.float32)[:, None]
    middle = top + along * (low - top)
    if buckled:
        # It lies on the backrest instead of going through it.
        middle[:, 2] = np.minimum(middle[:, 2], 0.21 + 0.36 * (middle[:, 1] - 0.30))
    across = unit(np.cross(low - top, np.array([0, 0, 1.0], np.float32))) * 0.024
    points = np.stack([middle - across, middle, middle + across], axis=1)
    return mesh.sheet(points.astype(np.float32)).coloured(_BELT, 0.07)


def _phone_mount(x: float, y: float) -> Mesh:
    """A phone on an arm before the windscreen."""
    eye = np.eye(3, dtype=np.float32)
    phone = mesh.box((0.075, 0.15, 0.009), 3).coloured(_PHONE, 0.06)
    screen = mesh.box((0.066, 0.135, 0.010), 3).coloured(_SCREEN, 0.05)
    arm = mesh.box((0.02, 0.16, 0.02), 2).coloured(_PHONE, 0.09)
    held = mesh.join([phone, screen]).moved(turned(-15), np.array([x, y + 0.06, -0.68], np.float32))
    return mesh.join([held, arm.moved(eye, np.array([x, y - 0.04, -0.70], np.float32))])


def _jacket(seat: float, random: np.random.Generator) -> Mesh:
    """A jacket hung over the backrest, its sleeves down at both sides."""
    colour, gray = tuple(float(value) for value in random.uniform(0.03, 0.4, 3)), float(random.uniform(0.15, 0.5))
    half = np.array([0.25, 0.30, 0.06], np.float32)

    def distance(points: Floats) -> Floats:
        out = np.abs(points) - half
        body = np.linalg.norm(np.maximum(out, 0), axis=1) + np.minimum(out.max(axis=1), 0) - 0.05
        for side in (-1.0, 1.0):
            start, end = np.array([0.25 * side, 0.26, 0.0]), np.array([0.31 * side, -0.34, -0.03])
            share = ((points - start) @ (end - start) / ((end - start) @ (end - start))).clip(0, 1)
            sleeve = np.linalg.norm(points - start - share[:, None] * (end - start), axis=1) - 0.06
            body = np.minimum(body, sleeve)
        return np.asarray(body, np.float32)

    coat = mesh.surface(distance, (-0.42, -0.46, -0.2), (0.42, 0.42, 0.2), 0.035)
    return coat.moved(turned(-20), np.array([seat, 0.34, 0.26], np.float32)).coloured(colour, gray)
