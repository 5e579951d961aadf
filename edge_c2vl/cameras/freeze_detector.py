"""Noticing a camera that keeps delivering one and the same picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class FreezeDetector:
    """A sensor's noise makes no two pictures equal to the bit; a driver or decoder that hangs repeats one. Pictures
    that have been equal for longer than `limit_s` are frozen."""

    def __init__(self, limit_s: float = 2.0) -> None:
        self._limit_s = limit_s
        self._last: NDArray[Any] | None = None
        self._since_s = 0.0

    def frozen(self, image: NDArray[Any], time_s: float) -> bool:
        """image: (H, W, 3). Looks at every eighth row and column: as good, and 64 times cheaper."""
        sample = image[::8, ::8]
        if self._last is None or sample.shape != self._last.shape or not np.array_equal(sample, self._last):
            self._last, self._since_s = sample.copy(), time_s
            return False
        return time_s - self._since_s > self._limit_s
