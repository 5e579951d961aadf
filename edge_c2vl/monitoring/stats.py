"""How long each stage takes.

`Summary` holds the totals of a run, for people and machines.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np

# Enough for 20 minutes at 30 frames a second; a process that runs for months keeps the newest.
MAX_DURATIONS = 36_000


class _Stage:
    """The newest durations in a ring of fixed size, so that memory does not grow with time."""

    def __init__(self, size: int) -> None:
        self.ring = array("d", bytes(8 * size))
        self.count = 0
        self.total_ms = 0.0

    def add(self, duration_ms: float) -> None:
        self.ring[self.count % len(self.ring)] = duration_ms
        self.count += 1
        self.total_ms += duration_ms

    def newest(self, number: int) -> np.ndarray:
        number = min(number, self.count, len(self.ring))
        return np.array(self.ring)[np.arange(self.count - number, self.count) % len(self.ring)]


class Timings:
    """Durations in milliseconds by stage. Each stage is written by one thread only; every thread may read.

    size: how many of a stage's newest durations are kept."""

    def __init__(self, size: int = MAX_DURATIONS) -> None:
        self._size = size
        self._stages: dict[str, _Stage] = {}

    def add(self, stage: str, duration_ms: float) -> None:
        kept = self._stages.get(stage)
        if kept is None:
            kept = self._stages[stage] = _Stage(self._size)
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
        """stage -> count since the start; p50, p95, p99 and mean of those kept, in milliseconds."""
        result = {}
        for stage, kept in list(self._stages.items()):
            values = kept.newest(self._size)
            p50, p95, p99 = np.percentile(values, (50, 95, 99))
            result[stage] = {
                "count": kept.count,
                "p50_ms": round(float(p50), 3),
                "p95_ms": round(float(p95), 3),
                "p99_ms": round(float(p99), 3),
                "mean_ms": round(float(values.mean()), 3),
            }
        return result


@dataclass
class Summary:
    """`frames`: looked at; `skipped_frames`: left out, because the pose has a rate of its own or to spare the machine;
    `dropped_frames`: came too fast. `poses`: pictures with a body that may be the driver's; `rejected`: with one that
    cannot be, by why. `decided`: number of decisions by state. `in_words`: by nearest phrase, where the bundle has
    labels in words. `states_s`: seconds of recording spent in each state; `unwatched_s`: those between decisions so far
    apart that nobody knows the state. `stages`: latency of each stage in milliseconds (see `stats.Timings.table`).
    `wall_s`: the whole run; `seeing_s`: from the first frame to the last; `cpu_s`: the processor's time. `rss_mb`: the
    process's memory at the end. `outputs_down`: outputs that could not be opened up to the end, and why."""

    frames: int = 0
    poses: int = 0
    skipped_frames: int = 0
    dropped_frames: int = 0
    decisions: int = 0
    alerts: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    decided: dict[str, int] = field(default_factory=dict)
    in_words: dict[str, int] = field(default_factory=dict)
    states_s: dict[str, float] = field(default_factory=dict)
    unwatched_s: float = 0.0
    wall_s: float = 0.0
    seeing_s: float = 0.0
    cpu_s: float = 0.0
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    rss_mb: float = 0.0
    outputs_down: dict[str, str] = field(default_factory=dict)

    def reject(self, why: str) -> None:
        """One more picture with a body that can be no driver's."""
        self.rejected[why] = self.rejected.get(why, 0) + 1

    def count(self, state: str) -> None:
        """One more decision in that state."""
        self.decisions += 1
        self.decided[state] = self.decided.get(state, 0) + 1

    @property
    def fps(self) -> float:
        """Frames looked at a second, from the first one on to the last: without start and end."""
        return self.frames / self.seeing_s if self.seeing_s else 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "fps": round(self.fps, 2),
            "wall_s": round(self.wall_s, 3),
            "seeing_s": round(self.seeing_s, 3),
            "cpu_s": round(self.cpu_s, 3),
        }

    def to_text(self) -> str:
        share = f" ({self.poses / self.frames:.0%})" if self.frames else ""
        dropped = f", {self.dropped_frames} dropped" if self.dropped_frames else ""
        skipped = f", {self.skipped_frames} left out" if self.skipped_frames else ""
        states = ", ".join(f"{state} {count}" for state, count in self.decided.items()) or "none"
        lines = [
            f"frames     {self.frames} in {self.wall_s:.1f} s ({self.fps:.1f} a second{skipped}{dropped})",
            f"poses      {self.poses}{share}",
            f"decisions  {self.decisions}: {states}",
            f"alerts     {self.alerts}",
        ]
        if self.rejected:
            lines.append(f"no driver  {', '.join(f'{why} {count}' for why, count in self.rejected.items())}")
        if self.unwatched_s:
            lines.append(f"unwatched  {self.unwatched_s:.1f} s in which nobody looked")
        if self.in_words:
            lines.append(f"in words   {', '.join(f'{phrase} {count}' for phrase, count in self.in_words.items())}")
        for stage, row in self.stages.items():
            lines.append(f"{stage:<10} p50 {row['p50_ms']:8.2f}  p95 {row['p95_ms']:8.2f}  p99 {row['p99_ms']:8.2f} ms")
        lines.append(f"memory     {self.rss_mb:.0f} MB")
        lines += [f"down       {name}: {why}" for name, why in self.outputs_down.items()]
        return "\n".join(lines)


class RunFigures(Protocol):
    """How a run goes, while it goes on."""

    @property
    def summary(self) -> Summary: ...

    @property
    def timings(self) -> Timings: ...

    @property
    def dropped_frames(self) -> int: ...

    @property
    def reconnects(self) -> int: ...

    def outputs_down(self) -> dict[str, str | None]:
        """Output -> why it cannot be opened; None where it is open."""
        ...
