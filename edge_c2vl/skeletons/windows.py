"""Windows of recordings: which stretches of an archive become clips, and the clip of each.

Training, calibration and evaluation take their clips from here, so that they see what the vehicle sees.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import Clip, ClipSpec, make_clip
from edge_c2vl.skeletons.skeleton import turned_to_face

# The vehicle's window; and the longest recording that is taken for one action.
WINDOW_S = 3.0
ACTION_S = 12.0


@dataclass(frozen=True)
class Windows:
    """Which windows are wanted, parallel arrays (N,): `clip`, a row of the archive; from `start_s` to `end_s` in its
    timestamps; `label`, -1 for none."""

    clip: NDArray[np.int64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    label: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.clip)

    def __getitem__(self, chosen: Any) -> Windows:
        return Windows(self.clip[chosen], self.start_s[chosen], self.end_s[chosen], self.label[chosen])

    @classmethod
    def make(cls, rows: list[tuple[int, float, float, int]]) -> Windows:
        """From (clip, start_s, end_s, label) tuples."""
        columns = np.array(rows, np.float64).reshape(-1, 4).T
        return cls(columns[0].astype(np.int64), columns[1], columns[2], columns[3].astype(np.int64))


def whole_clips(archive: Archive, rows: NDArray[np.int64] | None = None) -> Windows:
    """One window a recording, from its first frame to its last, however long: what action data sets are cut for."""
    labels = archive.clips["label"].to_numpy()
    chosen = range(len(archive)) if rows is None else rows
    spans = ((int(row), archive.timestamps(row)) for row in chosen)
    return Windows.make([(row, stamps[0], stamps[-1], labels[row]) for row, stamps in spans])


def sliding(
    archive: Archive, rows: NDArray[np.int64] | None = None, seconds: float = 3.0, hop_s: float = 0.5
) -> Windows:
    """A window every `hop_s` seconds, the first when `seconds` have passed, each ending at a frame, as in the vehicle.

    The label is the one that most frames of the window carry, of those labelled; without frame labels the recording's.
    """
    recorded = archive.clips["label"].to_numpy()
    windows = []
    for row in range(len(archive)) if rows is None else rows:
        stamps, labels = archive.timestamps(row), archive.frame_labels(row)
        ends = np.arange(stamps[0] + seconds, stamps[-1] + 1e-6, hop_s)
        # The frame at or before each end; 1e-6 s because 3.0 may be stored as 2.9999999.
        for last in np.searchsorted(stamps, ends + 1e-6, side="right") - 1:
            end_s = float(stamps[last])
            label = label_of(int(recorded[row]), labels, stamps, end_s - seconds, end_s)
            windows.append((int(row), end_s - seconds, end_s, label))
    return Windows.make(windows)


def label_of(
    recorded: int,
    labels: NDArray[np.int16] | None,
    stamps: NDArray[np.float64],
    start_s: float,
    end_s: float,
) -> int:
    """Of a window: what most of its frames (T,) carry, of those labelled; the recording's where none is."""
    if labels is None:
        return recorded
    inside = labels[np.searchsorted(stamps, start_s) : np.searchsorted(stamps, end_s + 1e-6, side="right")]
    inside = inside[inside >= 0]
    return int(np.bincount(inside).argmax()) if len(inside) else recorded


def natural_window_s(archive: Archive) -> float:
    """The length of the windows that an archive's recordings are cut into where nobody says one: 0, which is whole
    recordings, where these are of one action each; 3 s where most last more than 12 s, or frames have labels."""
    lengths_s = archive.clips["length"].to_numpy() / archive.clips["fps"].to_numpy()
    long = float(np.median(lengths_s)) > (ACTION_S if archive.frame_labels(0) is None else WINDOW_S)
    return WINDOW_S if long else 0.0


def windows_of(
    archive: Archive,
    rows: NDArray[np.int64] | None = None,
    seconds: float = 0.0,
    hop_s: float = 1.0,
    labelled: bool = False,
) -> Windows:
    """Sliding windows of the recordings (all, unless rows are named); with seconds = 0 one window a recording.

    labelled=True: those with a label. Raises UsageError where there is none.
    """
    windows = sliding(archive, rows, seconds, hop_s) if seconds else whole_clips(archive, rows)
    if labelled:
        windows = windows[windows.label >= 0]
        if not len(windows):
            raise UsageError(f"nothing in {archive.path} has a label: pretrain on it, or prepare it with labels")
    return windows


def clip_of(archive: Archive, row: int, start_s: float, end_s: float, spec: ClipSpec) -> Clip:
    """The clip of a window, from the frames that a vehicle would have at `end_s`: one before `start_s`, none later."""
    stamps = archive.timestamps(row)
    first = max(int(np.searchsorted(stamps, start_s, side="right")) - 1, 0)
    last = int(np.searchsorted(stamps, end_s, side="right"))
    window = slice(first, max(last, first + 1))
    if not np.isclose(end_s - start_s, spec.seconds, rtol=0, atol=1e-6):
        spec = replace(spec, seconds=end_s - start_s)
    sequence = archive.upright(row, window) if spec.upright else archive.sequence(row)[window]
    if spec.facing and spec.dimensions == 2:
        # `normalise` turns bodies by their depth, which it then has no more.
        sequence = turned_to_face(sequence)
    return make_clip(sequence, stamps[window], end_s, spec)
