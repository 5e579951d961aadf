"""Who drives: measures, looks and habits, by lot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from edge_c2vl.simulated.activities import Habits
from edge_c2vl.simulated.body import Build

T = TypeVar("T")
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Appearance:
    """Colours are BGR albedos in [0, 1]; *_gray is the albedo in the near infrared, where skin is bright, and dyes
    say little: dark cloth may be bright."""

    skin: Colour = (0.36, 0.47, 0.68)
    skin_gray: float = 0.58
    shirt: Colour = (0.50, 0.38, 0.30)
    shirt_gray: float = 0.42
    trousers: Colour = (0.20, 0.13, 0.10)
    trousers_gray: float = 0.22
    hair: Colour = (0.05, 0.08, 0.12)
    hair_gray: float = 0.16
    sleeve: float = 0.6  # share of the upper arm; above 1 the sleeve reaches down the forearm
    hair_style: str = "short"  # short, long, none
    bust: float = 0.0  # 0 to 1
    jacket: Colour = (0.10, 0.09, 0.08)
    jacket_gray: float = 0.25
    beard: float = 0.0  # 0 to 1
    glasses: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Driver:
    """Who drives: measures, looks, habits. `seed` makes every movement of the driver repeatable."""

    name: str
    build: Build
    appearance: Appearance
    habits: Habits
    seed: int


def make_driver(number: int, seed: int = 0) -> Driver:
    """Driver `number` of a seed: statures after a normal distribution, looks and habits by lot."""
    random = np.random.default_rng([seed, 3, number])

    def pick(options: Sequence[T]) -> T:
        return options[int(random.integers(len(options)))]

    woman = bool(random.random() < 0.4)
    stature = float(np.clip(random.normal(1.66 if woman else 1.79, 0.06), 1.52, 1.97))
    skin = pick([(0.36, 0.47, 0.68), (0.42, 0.53, 0.74), (0.27, 0.38, 0.58), (0.16, 0.24, 0.40), (0.10, 0.16, 0.28)])
    hair = pick([(0.03, 0.04, 0.06), (0.05, 0.08, 0.12), (0.08, 0.14, 0.24), (0.20, 0.36, 0.52), (0.34, 0.35, 0.36)])
    shirt, trousers = _cloth(random, 0.08, 0.65), _cloth(random, 0.04, 0.22)
    grips = [(75.0, 75.0), (60.0, 60.0), (85.0, 85.0), (40.0, None), (70.0, None), (95.0, 30.0), (55.0, 80.0)]
    return Driver(
        name=f"vp{number}",
        build=Build(
            stature,
            float(random.uniform(0.88, 1.18)),
            float(random.uniform(0.92, 0.99) if woman else random.uniform(0.98, 1.06)),
            float(random.uniform(16, 25)),
        ),
        appearance=Appearance(
            skin=skin,
            skin_gray=0.35 + 0.35 * float(np.mean(skin)) ** 0.5,
            shirt=shirt,
            shirt_gray=float(random.uniform(0.18, 0.55)),
            trousers=trousers,
            trousers_gray=float(random.uniform(0.12, 0.3)),
            hair=hair,
            hair_gray=0.10 + 0.5 * float(np.mean(hair)),
            sleeve=float(pick([0.55, 0.7, 1.95, 1.95, 1.5])),
            hair_style="long" if woman and random.random() < 0.7 else ("none" if random.random() < 0.12 else "short"),
            bust=float(random.uniform(0.5, 1.0)) if woman else 0.0,
            beard=0.0 if woman else float(pick([0, 0, 0.4, 0.9])),
            glasses=bool(random.random() < 0.3),
            seed=number,
        ),
        habits=Habits(
            pick(grips),
            "left" if random.random() < 0.35 else "right",
            float(random.uniform(0.85, 1.25)),
            float(random.uniform(-4, 4)),
        ),
        seed=int(random.integers(1 << 30)),
    )


def _cloth(random: np.random.Generator, dark: float, bright: float) -> Colour:
    """A muted colour, BGR albedo."""
    tint, level = random.uniform(-0.35, 0.35, 3), random.uniform(dark, bright)
    blue, green, red = (float(value) for value in (level * (1 + tint - tint.mean())).clip(0.02, 0.8))
    return blue, green, red
