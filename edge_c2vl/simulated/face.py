"""The driver's face as a texture around the head: brows, nostrils, mouth, beard, glasses; the eyes move (eyes.py)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from edge_c2vl.simulated.body import HEAD_POINTS, Floats, Posture
from edge_c2vl.simulated.driver import Appearance
from edge_c2vl.simulated.eyes import EyeColours, draw_eyes

_WIDTH, _HEIGHT = 1024, 512
_LOW, _HIGH = -0.14, 0.16  # metres above the ears that the texture spans
_SCALE = _HEIGHT / (_HIGH - _LOW)
_RADIUS = 0.095  # of the face, for lengths across it
_OPENINGS = (0.0, 0.5, 1.0, 2.0)  # of the mouth; a texture each

_EYE = HEAD_POINTS["left_eye"]
_BLACK = np.full(3, 0.02, np.float32)


class FaceTexture:
    """The face, drawn when it is first looked at with each opening of the mouth; `sample` reads it, and draws the eyes
    as they are."""

    def __init__(self, look: Appearance, infrared: bool) -> None:
        self._look, self._infrared = look, infrared
        painter = _Painter(look, infrared)
        white = np.array([0.80, 0.82, 0.84], np.float32) * np.float32(0.62 if infrared else 0.95)
        iris = np.full(3, 0.30, np.float32) if infrared else np.array([0.16, 0.20, 0.26], np.float32)
        self._eyes = EyeColours(np.float32(0.5) * (painter.skin + painter.dark), white, iris, _BLACK)

    def sample(self, place: Floats, posture: Posture) -> Floats:
        """place (P, 3) in the head's axes -> albedo (P, 3)."""
        opening = _OPENINGS[int(np.argmin(np.abs(np.subtract(_OPENINGS, posture.mouth))))]
        texture = _paint(self._look, opening, self._infrared)
        column, row = _to_pixel(place).T
        albedo: Floats = texture[row.astype(np.int64).clip(0, _HEIGHT - 1), column.astype(np.int64) % _WIDTH]
        draw_eyes(self._eyes, place, albedo, posture.eyes, posture.lids)
        return albedo


def _to_pixel(place: Floats) -> Floats:
    """(N, 3) in the head's axes -> (N, 2) column and row: the angle around the vertical axis, and the height."""
    angle = np.arctan2(place[:, 0], -place[:, 2])
    return np.stack([_WIDTH * (0.5 + angle / (2 * np.pi)), (_HIGH - place[:, 1]) * _SCALE], axis=1)


@lru_cache(maxsize=6)
def _paint(look: Appearance, opening: float, infrared: bool) -> Floats:
    """Albedo (_HEIGHT, _WIDTH, 3). The last driver's are kept, as all cameras that show him need them."""
    painter = _Painter(look, infrared)
    for out in (1.0, -1.0):
        painter.eye(out)
        painter.nostril(out)
    if look.beard:
        painter.beard(look.beard)
    painter.mouth(opening)
    if look.glasses:
        painter.glasses()
    return painter.finish(look.seed)


class _Painter:
    """Brushes that take places in the head's axes. strength: how much of the colour covers what is beneath; soft:
    the blur of its edge, pixels."""

    def __init__(self, look: Appearance, infrared: bool) -> None:
        self.infrared = infrared
        self.skin = np.array((look.skin_gray,) * 3 if infrared else look.skin, np.float32)
        self.hair = np.array((look.hair_gray,) * 3 if infrared else look.hair, np.float32)
        self.dark = self.skin * (0.55, 0.55, 0.62)
        self.canvas = np.ones((_HEIGHT, _WIDTH, 3), np.float32) * self.skin

    def eye(self, out: float) -> None:
        """What lies around the eye on the side that `out` says: its socket, its brow, and the cheek under it."""
        x, y, z = _EYE[0] * out, _EYE[1] - 0.001, _EYE[2]
        cheek = self.skin if self.infrared else self.skin * (0.80, 0.80, 1.02)
        self.spot((0.045 * out, -0.012, -0.08), (0.020, 0.018), cheek, 0.5, 12)
        self.spot((x, 0.034, z), (0.021, 0.013), self.dark, 0.45, 6)
        crease = [(-0.013, 0.0095), (0.0, 0.0128), (0.013, 0.0095)]
        self.line([(x + along * out, y + up, z) for along, up in crease], self.dark, 2, 0.6, 1.2)
        brow = [(-0.017, 0.0485), (-0.004, 0.0525), (0.010, 0.0525), (0.021, 0.0470)]
        self.line([(x + along * out, up, z) for along, up in brow], self.hair * 0.9 + 0.02, 8, 0.85, 2.0)

    def nostril(self, out: float) -> None:
        """One side of the nose, and the fold from it to the mouth."""
        self.spot((0.0072 * out, -0.0225, -0.11), (0.0042, 0.0026), self.dark * 0.35, 0.9, 1.2)
        wing = [(0.0155 * out, -0.006, -0.10), (0.018 * out, -0.016, -0.10), (0.014 * out, -0.022, -0.10)]
        self.line(wing, self.dark, 4, 0.55, 2)
        self.line([(0.021 * out, -0.022, -0.095), (0.032 * out, -0.042, -0.09)], self.dark, 4, 0.3, 3)

    def mouth(self, opening: float) -> None:
        drop = 0.011 * opening + 0.012 * max(opening - 1, 0)
        left, right = (-0.025, -0.0475, -0.094), (0.025, -0.0475, -0.094)
        crest = [(-0.010, -0.0405, -0.1), (0, -0.0425, -0.1), (0.010, -0.0405, -0.1)]
        low = [(0.012, -0.057 - drop, -0.1), (-0.012, -0.057 - drop, -0.1)]
        lips = self.skin * (0.86 if self.infrared else np.array([0.72, 0.68, 0.86]))
        self.spot((0, -0.030, -0.1), (0.0035, 0.006), self.dark, 0.3, 3)
        self.fill([left, (0, -0.0485 - drop, -0.1), right, *low], lips, 0.95, 1.2)
        self.fill([left, *crest, right, (0, -0.0485, -0.1)], lips * 0.88, 0.95, 1.2)
        if opening:
            gap = [(-0.020, -0.0478, -0.096), (0, -0.048, -0.1), (0.020, -0.0478, -0.096), (0, -0.049 - drop, -0.1)]
            self.fill(gap, self.dark * 0.3, 0.95, 1.0)
        if opening > 1:  # a yawn is round; the jaw, which is no part of the texture, stays where it is
            self.spot((0, -0.047 - drop / 2, -0.1), (0.021, 0.006 + drop / 2), lips, 0.95, 1.2)
            self.spot((0, -0.047 - drop / 2, -0.1), (0.016, 0.001 + drop / 2), self.dark * 0.2, 0.95, 1.0)
        self.line([left, (0, -0.0487, -0.1), right], self.dark * 0.45, 3, 0.8, 1.0)
        self.spot((0, -0.066, -0.098), (0.016, 0.004), self.dark, 0.35, 4)

    def beard(self, dense: float) -> None:
        angles = np.linspace(-1.4, 1.4, 15)
        jaw = [(0.07 * np.sin(a), -0.035 - 0.02 * np.cos(a), -0.08 * np.cos(a)) for a in angles]
        chin = [(0.07 * np.sin(a), -0.12, -0.08 * np.cos(a)) for a in angles[::-1]]
        self.fill(jaw + chin, self.hair + 0.05, 0.7 * dense, 6)
        self.spot((0, -0.034, -0.1), (0.022, 0.005), self.hair + 0.05, 0.6 * dense, 3)

    def glasses(self) -> None:
        for out in (1.0, -1.0):
            angles = np.linspace(0, 2 * np.pi, 33)
            rim = [(0.033 * out + 0.024 * np.cos(a), 0.027 + 0.0185 * np.sin(a), _EYE[2]) for a in angles]
            self.line(rim, _BLACK, 4, 0.9, 0.7)
            self.line([(0.057 * out, 0.032, -0.08), (0.078 * out, 0.028, 0.0)], _BLACK, 4, 0.9, 0.7)
        self.line([(-0.009, 0.032, -0.1), (0.009, 0.032, -0.1)], _BLACK, 4, 0.9, 0.7)

    def finish(self, seed: int) -> Floats:
        """The face with the grain of skin on it."""
        import cv2

        grain = np.random.default_rng(seed).standard_normal((_HEIGHT // 4, _WIDTH // 4)).astype(np.float32)
        pores = cv2.resize(cv2.GaussianBlur(grain, (0, 0), 1.5), (_WIDTH, _HEIGHT))
        return (self.canvas * (1 + 0.10 * pores[..., None])).clip(0.005, 1).astype(np.float32)

    def fill(self, places: ArrayLike, colour: ArrayLike, strength: float = 1.0, soft: float = 0.8) -> None:
        import cv2

        layer = np.zeros((_HEIGHT, _WIDTH), np.float32)
        cv2.fillPoly(layer, [self._points(places)], 1.0, cv2.LINE_AA, 3)
        self._blend(layer, colour, strength, soft)

    def line(self, places: ArrayLike, colour: ArrayLike, thick: int, strength: float, soft: float) -> None:
        import cv2

        layer = np.zeros((_HEIGHT, _WIDTH), np.float32)
        cv2.polylines(layer, [self._points(places)], False, 1.0, thick, cv2.LINE_AA, 3)
        self._blend(layer, colour, strength, soft)

    def spot(
        self,
        place: tuple[float, float, float],
        size: tuple[float, float],
        colour: ArrayLike,
        strength: float = 1.0,
        soft: float = 0.8,
    ) -> None:
        """An ellipse; size: half its width and height in metres."""
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        # Across, lengths are angles about the head's axis.
        turn = np.arctan2(place[0], -place[2]) + size[0] / _RADIUS * np.cos(angles)
        around = [(np.sin(t), place[1] + size[1] * np.sin(a), -np.cos(t)) for t, a in zip(turn, angles, strict=True)]
        self.fill(around, colour, strength, soft)

    def _points(self, places: ArrayLike) -> np.ndarray:
        """Columns and rows in eighths of a pixel, as OpenCV's drawing takes them."""
        return np.rint(_to_pixel(np.asarray(places, np.float32)) * 8).astype(np.int32)

    def _blend(self, layer: Floats, colour: ArrayLike, strength: float, soft: float) -> None:
        import cv2

        # The blur reaches 4 `soft` far; twice that, and the edges of the part that is blurred do not matter.
        left, top, width, height = cv2.boundingRect((layer > 0).astype(np.uint8))
        margin = int(8 * soft) + 4
        rows = slice(max(top - margin, 0), top + height + margin)
        columns = slice(max(left - margin, 0), left + width + margin)
        mask = (cv2.GaussianBlur(layer[rows, columns], (0, 0), soft) * strength)[..., None]
        part = self.canvas[rows, columns]
        part += mask * (np.asarray(colour, np.float32) - part)
