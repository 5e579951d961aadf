"""Fusion of encoders that see different streams of a clip: joint positions, bones, motion.

What each stream sees is computed inside its encoder (encoder.Stream), so every model takes the same clip.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_c2vl.errors import UsageError

# Weights of the three-stream results of CrosSCLR, AimCLR and their successors.
FUSION = {"joint": 0.6, "bone": 0.6, "motion": 0.4}


def fuse(scores: Mapping[str, ArrayLike], weights: Mapping[str, float] = FUSION) -> NDArray[np.float64]:
    """Weighted sum of each stream's scores (N, K): logits or log-probabilities, of the same clips in the same order.

    Raises UsageError where a stream has no weight or the shapes differ.
    """
    unknown = [name for name in scores if name not in weights]
    if unknown or not scores:
        raise UsageError(f"fusion knows the streams {', '.join(weights)}, not: {', '.join(unknown) or 'none at all'}")
    arrays = {name: np.asarray(values, np.float64) for name, values in scores.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        raise UsageError(f"fusion needs scores of the same clips and classes; their shapes are {shapes}")
    return np.sum([weights[name] * array for name, array in arrays.items()], axis=0)
