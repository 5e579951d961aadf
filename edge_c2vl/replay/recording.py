"""What can be replayed: recordings, whatever they were kept as."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.skeletons.skeleton import Array, Layout

Span = tuple[float, float, str]


@dataclass(frozen=True)
class ReplaySkeletons:
    """frames: (T, V, 4), y up, zeros where a joint is missing; times_s: (T,), rising. labels: of each frame, "" for
    none; None where frames have no labels. min_confidence: joints below it are not drawn."""

    layout: Layout
    frames: Array
    times_s: NDArray[np.float64]
    labels: list[str] | None = None
    min_confidence: float = 0.0

    def view(self) -> tuple[float, float, float, float]:
        """(left, top, width, height), y down, of nearly everything that was seen, with a margin."""
        seen = self.frames[self.frames[..., 3] > self.min_confidence]
        if len(seen) == 0:
            return 0.0, 0.0, 4.0, 3.0
        points = seen[:, :2].astype(np.float64) * (1, -1)
        # A joint that was mistaken once must not make the driver small.
        low, high = np.percentile(points, (0.5, 99.5), axis=0)
        # The head reaches beyond its landmarks.
        low = low - (0, 0.12 * (high[1] - low[1]))
        size = np.maximum(high - low, 1e-3) * 1.15
        # Not narrower than 3:4 and not wider than 16:9.
        size = np.maximum(size, (size[1] * 3 / 4, size[0] * 9 / 16))
        left, top = (low + high - size) / 2
        return float(left), float(top), float(size[0]), float(size[1])


@dataclass(frozen=True)
class ReplayRecording:
    """One drive or clip. decisions: JSON lines as docs/events.md has them, made at times_s; alerts: such objects, in
    order; spans: (from, to, state) along the whole. label: of the whole recording, "" for none."""

    name: str
    start_s: float
    end_s: float
    decisions: list[str] = field(default_factory=list)
    times_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    alerts: list[dict[str, Any]] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    distraction: list[str] = field(default_factory=list)
    label: str = ""
    skeletons: ReplaySkeletons | None = None


class Drive(Protocol):
    """Recordings of one source. `recording` may take a while, and raises EdgeC2VLError where one is damaged."""

    @property
    def title(self) -> str: ...

    def __len__(self) -> int: ...

    def recording(self, index: int) -> ReplayRecording: ...

    def find(self, name: str) -> int | None:
        """The number of the recording of that name."""


def spans_of(times_s: NDArray[np.float64], states: list[str], end_s: float, gap_s: float = 3.0) -> list[Span]:
    """Runs of one state. Each lasts until the next begins, or until `gap_s` after its last time; "" is no state."""
    spans: list[Span] = []
    first = 0
    for index in range(1, len(states) + 1):
        last = index == len(states)
        if not last and states[index] == states[first] and times_s[index] - times_s[index - 1] <= gap_s:
            continue
        until = min(end_s if last else float(times_s[index]), float(times_s[index - 1]) + gap_s)
        if states[first]:
            spans.append((float(times_s[first]), until, states[first]))
        first = index
    return spans
