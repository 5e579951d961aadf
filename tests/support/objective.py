"""C2VL's objective: settings and batches for its tests."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from train.settings.pretraining import ObjectiveSettings


def chosen(**settings: Any) -> ObjectiveSettings:
    """What the tests reckon with, whatever the defaults are."""
    return ObjectiveSettings(**({"softening": 0.5, "temperature": 0.1, "learn_temperature": True} | settings))


def batch(rows: int, size: int, seed: int = 0, dtype: torch.dtype = torch.float32):
    generator = torch.Generator().manual_seed(seed)
    make = lambda: torch.randn(rows, size, generator=generator, dtype=torch.float64).to(dtype)  # noqa: E731
    return make(), make(), make()


def unit(x) -> np.ndarray:
    return np.asarray(x, np.float64) / np.linalg.norm(x, axis=1, keepdims=True)


def softmax(row: np.ndarray) -> np.ndarray:
    e = np.exp(row - row.max())
    return e / e.sum()


def reference(z, m, z_ema, settings: ObjectiveSettings, a: float) -> float:
    """The formulas of train.methods.c2vl_loss for distinct captions, in NumPy, an entry at a time."""
    z, m, z_ema = unit(z), unit(m), unit(z_ema)
    b, tau = settings.balance, settings.temperature
    total = 0.0
    for i in range(len(z)):
        p_sm, p_ms = softmax(m @ z[i] / tau), softmax(z @ m[i] / tau)
        similar = softmax(m @ m[i] / settings.self_temperature)
        c_sm = softmax(m @ z_ema[i] / settings.cross_temperature)
        c_ms = softmax(z_ema @ m[i] / settings.cross_temperature)
        for j in range(len(z)):
            y_sm = (1 - a) * (i == j) + a * (b * similar[j] + (1 - b) * c_sm[j])
            y_ms = (1 - a) * (i == j) + a * (b * similar[j] + (1 - b) * c_ms[j])
            total -= 0.5 * (y_sm * math.log(p_sm[j]) + y_ms * math.log(p_ms[j]))
    return total / len(z)
