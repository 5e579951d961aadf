"""How long each stage takes."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

# Enough for 20 minutes at 30 frames a second; a process that runs for months keeps the newest.
KEPT = 36_000


class Timings:
    """Durations in milliseconds by stage. Each stage is written by one thread only."""

    def __init__(self) -> None:
        self._kept: dict[str, deque[float]] = {}
        self._totals: dict[str, tuple[int, float]] = {}

    def add(self, stage: str, duration_ms: float) -> None:
        self._kept.setdefault(stage, deque(maxlen=KEPT)).append(duration_ms)
        count, total_ms = self._totals.get(stage, (0, 0.0))
        self._totals[stage] = (count + 1, total_ms + duration_ms)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.add(stage, (time.perf_counter() - started) * 1e3)

    def newest(self, stage: str, count: int) -> list[float]:
        """The last `count` durations, newest first."""
        kept = self._kept.get(stage)
        # A deque must not grow while it is walked over; a copy is one step of the interpreter.
        return [] if kept is None else list(itertools.islice(reversed(kept.copy()), count))

    def totals(self) -> dict[str, tuple[int, float]]:
        """stage -> (count, total in milliseconds) since the start."""
        return dict(self._totals)

    def table(self) -> dict[str, dict[str, float]]:
        """stage -> count, p50, p95, p99 and mean in milliseconds."""
        result = {}
        for stage, kept in list(self._kept.items()):
            values = np.array(kept)
            p50, p95, p99 = np.percentile(values, (50, 95, 99))
            result[stage] = {
                "count": len(values),
                "p50_ms": round(float(p50), 3),
                "p95_ms": round(float(p95), 3),
                "p99_ms": round(float(p99), 3),
                "mean_ms": round(float(values.mean()), 3),
            }
        return result
