"""Windows of a driver who sits as told."""

from __future__ import annotations

import numpy as np

from edge_c2vl.skeletons.clip import Clip

DISTRACTION = frozenset({"distracted"})


def window(lean=0.0, noise=0.02, seed=0, hidden=(), place=(300.0, -200.0, 100.0), broad=1.0):
    """A clip of a driver whose right arm (joints 8 to 11) is raised by `lean`, and who is `broad` times as broad."""
    generator = np.random.default_rng(seed)
    still = np.random.default_rng(99).uniform(-1, 1, (3, 1, 25))
    still[0] *= broad
    data = still + generator.normal(0, noise, (3, 1, 25)) + generator.normal(0, noise / 2, (3, 32, 25))
    data[1, :, 8:12] += lean
    data[2] = 0
    data[:, :, list(hidden)] = 0
    return Clip(data.astype(np.float32), 1.0, 1.0, 3.0, place)
