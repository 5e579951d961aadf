"""All that `augment.Augment` does to a batch of clips on a CPU, in one pass over them (Numba).

As tensors' operations it is some sixteen passes, each of which reads and writes the whole batch, and takes several
times as long. The drawn numbers are the same, so are the results but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edge_c2vl.skeletons.skeleton import NTU25

Floats = NDArray[np.float32]
F = TypeVar("F", bound=Callable[..., Any])

# Constants to the compiler.
_JOINTS = NTU25.size
_PARTNER = np.array(NTU25.mirror)


def _compiled(function: F) -> F:
    """Compiles at the first call, which takes seconds, and keeps the result on disk for the next process."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
    try:
        compiled: F = njit(cache=True, **options)(function)
    except RuntimeError:  # there is no folder for it that can be written
        compiled = njit(**options)(function)
    return compiled


@_compiled
def vary(
    clips: Floats,
    at: Floats,
    mirrored: NDArray[np.bool_],
    matrix: Floats,
    moved: Floats,
    noise: NDArray[np.int8],
    hidden: NDArray[np.bool_],
    amount: float,
) -> Floats:  # pragma: no cover  (compiled)
    """Clips (N, 3, T, 25) as drawn (see augment.Draw; noise has no element where there is none)."""
    count, _, frames, _ = clips.shape
    result = np.empty_like(clips)
    part = np.empty((4, _JOINTS), np.float32)
    partner = np.empty((4, _JOINTS), np.float32)
    amount = np.float32(amount)
    for n in range(count):
        sign = np.float32(-1 if mirrored[n] else 1)
        for t in range(frames):
            before = min(max(int(at[n, t]), 0), frames - 1)
            after = min(before + 1, frames - 1)
            weight = min(max(at[n, t] - np.float32(before), np.float32(0)), np.float32(1))
            for v in range(_JOINTS):
                # Linear where the joint was seen in both frames, else the nearer frame's.
                ax, ay, az = clips[n, 0, before, v], clips[n, 1, before, v], clips[n, 2, before, v]
                bx, by, bz = clips[n, 0, after, v], clips[n, 1, after, v], clips[n, 2, after, v]
                seen_a = abs(ax) + abs(ay) + abs(az) > 0
                seen_b = abs(bx) + abs(by) + abs(bz) > 0
                nearer = np.float32(0) if weight < np.float32(0.5) else np.float32(1)
                share = weight if seen_a and seen_b else nearer
                part[0, v] = ax + share * (bx - ax)
                part[1, v] = ay + share * (by - ay)
                part[2, v] = az + share * (bz - az)
                part[3, v] = (seen_a and share < 1) or (seen_b and share > 0)
            here = part
            if mirrored[n]:
                for v in range(_JOINTS):
                    for c in range(4):
                        partner[c, v] = part[c, _PARTNER[v]]
                here = partner
            hidden_at = t if hidden.shape[1] > 1 else 0
            for c in range(3):
                mx, my, mz = sign * matrix[n, c, 0], matrix[n, c, 1], matrix[n, c, 2]
                for v in range(_JOINTS):
                    value = mx * here[0, v] + my * here[1, v] + mz * here[2, v] + moved[n, c, v]
                    if noise.size:
                        value += amount * np.float32(noise[n, c, t, v])
                    result[n, c, t, v] = value if here[3, v] > 0 and not hidden[n, hidden_at, v] else np.float32(0)
    return result
