"""What normal driving looks like for this driver and this camera, learnt on the device and kept in a small file.

From the windows of a few minutes of normal driving: mean and covariance of the posture (each joint's mean and spread
over a window), and where in the picture the driver sits. A later window then has a distance from normal, which moves
the classifier's probabilities; a driver who sits elsewhere or looks larger is another one, or the camera was moved.

One-class by Mahalanobis distance; on sktDD the largest single gain (docs/results.md, "Per-driver normality").
"""

from __future__ import annotations

import math
import os
import tempfile
import zipfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.skeleton import Array
from edge_c2vl.window import Clip

Floats = NDArray[np.float64]

FORMAT_VERSION = 1
# Fewer windows do not tell a posture's usual spread.
MIN_WINDOWS = 30
# Towards independent joints: windows of one drive are alike, and few against 100 numbers each.
SHRINKAGE = 0.3
# In shoulder breadths: a spread below it is that of the pose network, not of the driver.
NOISE = 0.02
# How far the log of a relative distance may move a log-odds, so that a wild posture does not drown the classifier.
MAX_SHIFT = 2.0


def posture(clip: Array) -> Floats:
    """(3, T, 25), normalised -> (100,): mean of x and y of each joint over the frames it was seen in, then their
    standard deviation; NaN for a joint that was not seen (for the deviation: not in three frames)."""
    seen = np.abs(clip).sum(axis=0) > 0
    count = seen.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = clip[:2].sum(axis=1, dtype=np.float64) / count
        spread = np.sqrt(np.maximum((clip[:2].astype(np.float64) ** 2).sum(axis=1) / count - mean**2, 0))
    spread[:, count < 3] = np.nan
    return np.concatenate([mean.ravel(), spread.ravel()])


@dataclass(frozen=True)
class Normal:
    """Learnt normality. mean, scale, precision: of the (D,) numbers of `posture` that were seen, `used` (100,) says
    which. usual: distances of the windows it was learnt from, ascending. place: x, y, unit (median), in pixels."""

    used: NDArray[np.bool_]
    mean: Floats
    scale: Floats
    precision: Floats
    usual: Floats
    place: Floats

    def distance(self, clip: Array) -> float:
        """Mahalanobis distance from normal, as a multiple of what is usual (the median while learning). What was not
        seen counts as normal."""
        values = posture(clip)[self.used]
        offset = np.where(np.isfinite(values), values - self.mean, 0.0) / self.scale
        return float(np.sqrt(offset @ self.precision @ offset) / np.median(self.usual))

    def unusual(self, clip: Array) -> float:
        """The share of normal windows that are nearer to normal than this one, 0 to 1."""
        return float(np.searchsorted(self.usual, self.distance(clip) * np.median(self.usual)) / len(self.usual))

    def adjust(self, probabilities: Mapping[str, float], distraction: frozenset[str], clip: Array) -> dict[str, float]:
        """The probabilities with the odds of the distraction labels multiplied by the distance (clipped to e**-2 to
        e**2)."""
        factor = math.exp(max(-MAX_SHIFT, min(MAX_SHIFT, math.log(max(self.distance(clip), 1e-9)))))
        raised = {name: p * (factor if name in distraction else 1.0) for name, p in probabilities.items()}
        total = sum(raised.values()) or 1.0
        return {name: p / total for name, p in raised.items()}

    def save(self, path: str | Path) -> None:
        """Writes the file whole or not at all, readable by this user only: a posture tells who drives."""
        path = Path(path)
        try:
            descriptor, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    np.savez(file, format_version=FORMAT_VERSION, **vars(self))
                os.replace(part, path)
            except BaseException:
                Path(part).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise EdgeC2VLError(f"{path}: cannot be written: {error.strerror}") from None

    @classmethod
    def load(cls, path: str | Path) -> Normal:
        """Raises EdgeC2VLError where the file is not there or not what `save` writes."""
        names = ("used", "mean", "scale", "precision", "usual", "place")
        learn = "learn it with edge-c2vl run --normal FILE --learn-normal MINUTES"
        try:
            with np.load(path, allow_pickle=False) as file:
                if int(file["format_version"]) > FORMAT_VERSION:
                    raise EdgeC2VLError(f"{path} was written by a newer version; upgrade, or {learn}")
                normal = cls(**{name: file[name] for name in names})
        except FileNotFoundError:
            raise EdgeC2VLError(f"{path} is not there: {learn}") from None
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise EdgeC2VLError(f"{path} holds no learnt normality ({' '.join(str(error).split())}): {learn}") from None
        if not normal._consistent():
            raise EdgeC2VLError(f"{path} is damaged: {learn}")
        return normal

    def _consistent(self) -> bool:
        size = len(self.mean) if self.mean.ndim == 1 else -1
        shapes = self.scale.shape == (size,) and self.precision.shape == (size, size) and self.place.shape == (3,)
        if not shapes or self.used.shape != (100,) or self.used.dtype != bool or self.used.sum() != size:
            return False
        numbers = (self.mean, self.scale, self.precision, self.usual, self.place)
        finite = all(array.dtype == np.float64 and np.isfinite(array).all() for array in numbers)
        return finite and self.usual.ndim == 1 and len(self.usual) >= MIN_WINDOWS and bool((self.usual > 0).any())


class Learner:
    """Collects windows of normal driving until `minutes` of them have been seen."""

    def __init__(self, minutes: float) -> None:
        self._needed_s = minutes * 60
        self._postures: list[Floats] = []
        self._places: list[tuple[float, float, float]] = []
        self._last_s: float | None = None
        self.learnt_s = 0.0

    def add(self, clip: Clip, time_s: float) -> None:
        """One window whose arms were seen, at rising times. At most one a second is kept: neighbours are alike."""
        if clip.place is None:
            return
        step_s = 0.0 if self._last_s is None else time_s - self._last_s
        if self._last_s is not None and 0 <= step_s < 1.0:
            return
        # A gap in which there was nothing to see does not count as learnt.
        self.learnt_s += step_s if 0 < step_s < 3.0 else 0.0
        self._last_s = time_s
        self._postures.append(posture(clip.data))
        self._places.append(clip.place)

    @property
    def done(self) -> bool:
        return self.learnt_s >= self._needed_s and len(self._postures) >= MIN_WINDOWS

    def finish(self) -> Normal:
        """Raises EdgeC2VLError where too little was seen."""
        if len(self._postures) < MIN_WINDOWS:
            raise EdgeC2VLError(
                f"{len(self._postures)} seconds with arms in view are too few to learn from; {MIN_WINDOWS} are needed"
            )
        return fit(np.stack(self._postures), np.array(self._places))


def fit(postures: Floats, places: Floats) -> Normal:
    """Normality from `posture` of each window (N, 100) and their places (N, 3)."""
    used = np.isfinite(postures).sum(axis=0) >= MIN_WINDOWS / 2
    kept = postures[:, used]
    mean = np.nanmean(kept, axis=0)
    offsets = np.where(np.isfinite(kept), kept - mean, 0.0)
    scale = offsets.std(axis=0) + NOISE
    offsets = offsets / scale
    covariance = (1 - SHRINKAGE) * offsets.T @ offsets / len(offsets) + SHRINKAGE * np.eye(offsets.shape[1])
    precision = np.linalg.inv(covariance)
    usual = np.sort(np.sqrt(np.einsum("nd,de,ne->n", offsets, precision, offsets)))
    return Normal(used, mean, scale, precision, usual, np.median(places, axis=0))


class PlaceWatch:
    """Notices that somebody else drives, or that the camera was moved: the driver's place in the picture, its median
    over `window_s`, lies more than `max_offset` shoulder breadths from where it was learnt, or the size differs by more
    than `max_ratio`."""

    def __init__(
        self, normal: Normal, window_s: float = 30.0, max_offset: float = 0.6, max_ratio: float = 1.25
    ) -> None:
        self._learnt = normal.place
        self._window_s, self._max_offset, self._max_ratio = window_s, max_offset, max_ratio
        self._recent: deque[tuple[float, tuple[float, float, float]]] = deque()

    def moved(self, clip: Clip, time_s: float) -> bool:
        """Whether the driver has been elsewhere for the last `window_s`. False until so much was seen."""
        if self._recent and time_s < self._recent[-1][0]:
            self._recent.clear()
        if clip.place is not None:
            self._recent.append((time_s, clip.place))
        while self._recent and self._recent[0][0] < time_s - self._window_s:
            self._recent.popleft()
        if not self._recent or time_s - self._recent[0][0] < 0.9 * self._window_s:
            return False
        x, y, unit = np.median([place for _, place in self._recent], axis=0)
        offset = math.hypot(x - self._learnt[0], y - self._learnt[1]) / self._learnt[2]
        ratio = max(unit / self._learnt[2], self._learnt[2] / unit)
        return bool(offset > self._max_offset or ratio > self._max_ratio)
