"""What can be replayed: recordings, whatever they were kept as."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.skeleton import Array, Layout

Span = tuple[float, float, str]


@dataclass(frozen=True)
class Skeletons:
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
class Recording:
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
    skeletons: Skeletons | None = None


class Drive(Protocol):
    """Recordings of one source. `recording` may take a while, and raises EdgeC2VLError where one is damaged."""

    @property
    def title(self) -> str: ...

    def __len__(self) -> int: ...

    def recording(self, index: int) -> Recording: ...

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


def open_drive(source: str, events: str | None = None, bundle: str | None = None) -> Drive:
    """A JSON lines file of decisions (with `events`, their alerts), a skeleton archive (with `bundle`, judged by it),
    or alert clips. Raises EdgeC2VLError where it is none of these."""
    from edge_c2vl.replay.skeletons import AlertClips, ArchivedClips, clip_files

    path = Path(source)
    if not path.exists():
        raise EdgeC2VLError(f"{source} does not exist; name a file of decisions, a skeleton archive or alert clips")
    if (path / "meta.json").is_file():
        drive: Drive = ArchivedClips(path, bundle)
    elif path.suffix == ".npz" or (path.is_dir() and clip_files(path)):
        drive = AlertClips(path)
    elif path.is_dir():
        raise EdgeC2VLError(f"{source} is neither a skeleton archive (no meta.json) nor a folder of alert clips (.npz)")
    else:
        from edge_c2vl.replay.decisions import DecisionFile

        return DecisionFile(path, events)
    if events is not None:
        raise UsageError("--events belongs to a file of decisions")
    return drive


def number_of(drive: Drive, name: str | None) -> int:
    """The index of the recording of that name, or of that number counted from 1; 0 where none is asked for. Raises
    UsageError."""
    if name is None:
        return 0
    index = drive.find(name)
    if index is None and name.isdigit():
        index = int(name) - 1
    if index is None or not 0 <= index < len(drive):
        raise UsageError(
            f"there is no recording {name} in {drive.title}; give a name, or a number of 1 to {len(drive)}"
        )
    return index
