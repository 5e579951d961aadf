"""When the simulated driver's eyes close, and where they look; how they are drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_c2vl.simulated.body import HEAD_POINTS, Floats, turned

# A blink: so long to close, to stay, to open; of spontaneous blinks (Caffier et al., European Journal of Applied
# Physiology 2003). One comes in each stretch of time, anywhere in it.
CLOSING_S, OPENING_S = 0.08, 0.12
BLINK_S = (0.10, 0.18)
BLINK_EVERY_S = 4.0
# Eyes in the head turn no farther, and jump within this time.
REACH_DEG, SACCADE_S = 38.0, 0.06

# Metres. The opening between the lids, as the face is drawn: half its width, and what it reaches up and down.
HALF_WIDTH, UP, DOWN = 0.0155, 0.0074, 0.0054
BALL, IRIS, PUPIL, EDGE = 0.0120, 0.0062, 0.0028, 0.0005
CENTRE = {side: np.add(HEAD_POINTS[f"{side}_eye"], (0, -0.001, 0)) for side in ("left", "right")}
# Looking down, the upper lid follows the eye by this share of its opening for each degree.
LID_FOLLOWS = 0.012


class Blinks:
    """Spontaneous blinks, a pure function of seed and time."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def openness(self, time_s: float) -> float:
        number = int(time_s // BLINK_EVERY_S)
        random = np.random.default_rng([self._seed, 13, number])
        length_s = random.uniform(*BLINK_S)
        start_s = number * BLINK_EVERY_S + random.uniform(0.2, BLINK_EVERY_S - 0.6)
        return openness(time_s, start_s, start_s + length_s)


def openness(time_s: float, closed_s: float, opened_s: float) -> float:
    """Of eyes that close from `closed_s` on and open from `opened_s` on: 1 open to 0 closed."""
    closing = _smooth((time_s - closed_s) / CLOSING_S)
    opening = _smooth((time_s - opened_s) / OPENING_S)
    return 1 - closing * (1 - opening)


def in_head(gaze: tuple[float, float], head: Sequence[float] | Floats) -> tuple[float, float]:
    """Where eyes in a head turned like that (left, down, tilted) look, to look there in the car; as far as they can."""
    direction = turned(*(float(head[k]) for k in (1, 2, 0))).T @ forward(gaze)
    left, down = math.degrees(math.atan2(direction[0], -direction[2])), -math.degrees(math.asin(float(direction[1])))
    far = max(math.hypot(left, down) / REACH_DEG, 1.0)
    return left / far, down / far


def forward(gaze: tuple[float, float]) -> Floats:
    """The direction (3,) of degrees to the left and down."""
    left, down = np.radians(gaze)
    return np.array([np.sin(left) * np.cos(down), -np.sin(down), -np.cos(left) * np.cos(down)], np.float32)


def _smooth(share: float) -> float:
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


@dataclass(frozen=True)
class EyeColours:
    """Albedos (3,)."""

    lid: Floats
    white: Floats
    iris: Floats
    lash: Floats


def draw_eyes(colours: EyeColours, place: Floats, albedo: Floats, eyes: tuple[float, float], lids: float) -> None:
    """Paints the opening between the lids over a face's albedo (P, 3), in place. place (P, 3): in the head's axes."""
    left, down = np.radians(eyes)
    for side, out in (("left", 1.0), ("right", -1.0)):
        centre = CENTRE[side]
        x, y = (place[:, 0] - centre[0]) * out, place[:, 1] - centre[1]
        near = np.flatnonzero((np.abs(x) < 1.15 * HALF_WIDTH) & (np.abs(y) < 0.011) & (place[:, 2] < -0.05))
        if not len(near):
            continue
        x, y = x[near], y[near]
        lens = np.sqrt(np.maximum(1 - (x / HALF_WIDTH) ** 2, 0)) ** 1.2
        bottom = -DOWN * lens + 0.0008 * x / HALF_WIDTH
        follow = 1 - LID_FOLLOWS * max(eyes[1], 0.0)
        top = bottom + (UP + DOWN) * lens * lids * follow
        # The lid's skin covers all of the opening, then what lies open is painted on it.
        _paint(albedo, near, colours.lid, _cover((UP + DOWN) * lens - np.abs(y - (UP - DOWN) / 2 * lens) + 0.0015))
        opening = _cover(np.minimum(top - y, y - bottom)) * (lens > 0)
        _paint(albedo, near, colours.white, opening)
        away = np.hypot(x - BALL * math.sin(left) * out, y + BALL * math.sin(down) - 0.0006)
        _paint(albedo, near, colours.iris, opening * _cover(IRIS - away))
        _paint(albedo, near, colours.lash, opening * _cover(PUPIL - away))
        _paint(albedo, near, colours.lash, 0.9 * _cover(0.0011 - np.abs(y - top)) * (lens > 0.05))


def _cover(inside: Floats) -> Floats:
    """How much a border covers: 0 to 1 over EDGE around distance 0."""
    covered: Floats = np.clip(inside / (2 * EDGE) + 0.5, 0, 1)
    return covered


def _paint(albedo: Floats, rows: np.ndarray, colour: Floats, cover: Floats) -> None:
    albedo[rows] += cover[:, None] * (colour - albedo[rows])
