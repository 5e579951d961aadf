"""How long each stage takes."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

# Enough for 20 minutes at 30 frames a second; a process that runs for months keeps the newest.
KEPT = 36_000


class _Stage:
    """The newest durations in a ring of fixed size, so that memory does not grow with time."""

    def __init__(self) -> None:
        self.ring = array("d", bytes(8 * KEPT))
        self.count = 0
        self.total_ms = 0.0

    def add(self, duration_ms: float) -> None:
        self.ring[self.count % KEPT] = duration_ms
        self.count += 1
        self.total_ms += duration_ms

    def newest(self, number: int) -> np.ndarray:
        number = min(number, self.count, KEPT)
        return np.array(self.ring)[np.arange(self.count - number, self.count) % KEPT]


class Timings:
    """Durations in milliseconds by stage. Each stage is written by one thread only; every thread may read."""

    def __init__(self) -> None:
        self._stages: dict[str, _Stage] = {}

    def add(self, stage: str, duration_ms: float) -> None:
        kept = self._stages.get(stage)
        if kept is None:
            kept = self._stages[stage] = _Stage()
        kept.add(duration_ms)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.add(stage, (time.perf_counter() - started) * 1e3)

    def newest(self, stage: str, number: int) -> list[float]:
        """The last `number` durations, oldest first; fewer where there are no more."""
        kept = self._stages.get(stage)
        return [] if kept is None else kept.newest(number).tolist()

    def totals(self) -> dict[str, tuple[int, float]]:
        """stage -> (count, total in milliseconds) since the start."""
        return {stage: (kept.count, kept.total_ms) for stage, kept in list(self._stages.items())}

    def table(self) -> dict[str, dict[str, float]]:
        """stage -> count since the start; p50, p95, p99 and mean of the newest 36,000, in milliseconds."""
        result = {}
        for stage, kept in list(self._stages.items()):
            values = kept.newest(KEPT)
            p50, p95, p99 = np.percentile(values, (50, 95, 99))
            result[stage] = {
                "count": kept.count,
                "p50_ms": round(float(p50), 3),
                "p95_ms": round(float(p95), 3),
                "p99_ms": round(float(p99), 3),
                "mean_ms": round(float(values.mean()), 3),
            }
        return result
