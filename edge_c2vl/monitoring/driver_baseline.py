"""What normal driving looks like for this driver and this camera, learnt on the device and kept in a small file.

From the windows of a few minutes of normal driving: mean and covariance of the posture (each joint's mean and spread
over a window), where in the picture the driver sits, and how long a few bones look. A later window then has a distance
from normal, which moves the classifier's probabilities; a driver who sits elsewhere or whose bones look otherwise is
another one, or the camera was moved.

One-class by Mahalanobis distance; on sktDD the largest single gain (docs/results.md, "Per-driver normality").
"""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.skeletons.clip import Clip
from edge_c2vl.skeletons.skeleton import NTU25, Array
from edge_c2vl.utils.arrays import ERRORS, NpzFile
from edge_c2vl.utils.atomic import whole_file
from edge_c2vl.utils.files import PRIVATE_FILE
from edge_c2vl.utils.scores import shift_odds

Floats = NDArray[np.float64]

# Format 2 had nothing of the face.
FORMAT_VERSION = 3
# Fewer windows do not tell a posture's usual spread.
MIN_WINDOWS = 30
# Where less of the time looks attentive, the classifier is wrong about this driver or camera, or the driver about
# attention: what is left would be no picture of normal driving.
MIN_SHARE = 0.25
# Windows within this time before one that is not attentive are left out too: about a window's length.
LEFT_OUT_BEFORE_S = 3.0
# Towards independent joints: windows of one drive are alike, and few against 100 numbers each.
SHRINKAGE = 0.3
# In shoulder breadths: a spread below it is that of the pose network, not of the driver.
NOISE = 0.02
# How far the log of a relative distance may move a log-odds, so that a wild posture does not drown the classifier.
MAX_SHIFT = 2.0
# What tells one driver from another: lengths that hands and legs have no part in (on sktDD they add nothing).
_ENDS = (
    ("neck", "head"),
    ("spine_shoulder", "head"),
    ("left_shoulder", "right_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("right_shoulder", "right_elbow"),
)
_FIRST, _SECOND = (np.array([NTU25.index(names[end]) for names in _ENDS]) for end in (0, 1))
# How far such a length changes over half a minute after a driver has sat down again, as a share of it.
WANDERING = 0.05
# The same driver's mean square of (difference / spread) is below it in 97 of 100 recordings (docs/experiments.md).
MAX_STRANGENESS = 2.4
# What is known of a driver's face (face_calibration.py): a rotation, two angles, the open eye.
FACE_NUMBERS = 9 + 2 + 1
CHUNK = 30  # windows, one a second, over which a length is the median


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


def sizes(clip: Clip) -> Floats:
    """(5,): the logarithm of how long some bones look in the picture, in pixels; NaN where an end was not seen."""
    seen = np.abs(clip.data).sum(axis=0) > 0
    both = seen[:, _FIRST] & seen[:, _SECOND]
    lengths = np.hypot(*(clip.data[:2, :, _FIRST] - clip.data[:2, :, _SECOND]))
    lengths[~both] = np.nan
    if clip.place is None:
        return np.full(len(_ENDS), np.nan)
    return np.log(np.maximum(_median(lengths), 1e-3) * clip.place[2])


def _median(rows: Floats) -> Floats:
    """Over the first axis, of what is there; NaN where nothing is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # "All-NaN slice": wanted
        return np.asarray(np.nanmedian(rows, axis=0), np.float64)


@dataclass(frozen=True)
class DriverBaseline:
    """Learnt normality. mean, scale, precision: of the (D,) numbers of `posture` that were seen, `used` (100,) says
    which. usual: distances of the windows it was learnt from, ascending. place: x, y, unit (median), in pixels. sizes:
    (2, 5), median and spread over half minutes of `sizes`; NaN what was not seen. face: (12,), see
    FaceCalibration.numbers; NaN where it was not learnt."""

    used: NDArray[np.bool_]
    mean: Floats
    scale: Floats
    precision: Floats
    usual: Floats
    place: Floats
    sizes: Floats
    face: Floats = field(default_factory=lambda: np.full(FACE_NUMBERS, np.nan))

    def strangeness(self, seen: Floats) -> float:
        """How unlike the learnt ones some `sizes` (5,) are: the mean square of their differences, each in units of what
        such a length wanders by and of twice what it wandered by while learning. 0 where too little can be compared."""
        spread = np.hypot(WANDERING, 2 * self.sizes[1])
        offsets = np.minimum(np.abs(seen - self.sizes[0]) / spread, 4.0) ** 2
        offsets = offsets[np.isfinite(offsets)]
        return float(offsets.mean()) if len(offsets) >= 3 else 0.0

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
        shift = max(-MAX_SHIFT, min(MAX_SHIFT, math.log(max(self.distance(clip), 1e-9))))
        return shift_odds(probabilities, distraction, shift)

    def save(self, path: str | Path) -> None:
        """Writes the file whole or not at all, readable by this user only: a posture tells who drives."""
        path = Path(path)
        try:
            with whole_file(path, PRIVATE_FILE) as part, part.open("wb") as file:
                np.savez(file, format_version=FORMAT_VERSION, **vars(self))
        except OSError as error:
            raise EdgeC2VLError(f"{path}: cannot be written: {error.strerror}") from None

    @classmethod
    def load(cls, path: str | Path) -> DriverBaseline:
        """Raises EdgeC2VLError where the file is not there or not what `save` writes."""
        names = ["used", "mean", "scale", "precision", "usual", "place", "sizes"]
        learn = "learn it with edge-c2vl run --normal FILE --learn-normal MINUTES"
        try:
            with NpzFile(path) as file:
                if int(file["format_version"]) > FORMAT_VERSION:
                    raise EdgeC2VLError(f"{path} was written by a newer version; upgrade, or {learn}")
                names += ["face"] if int(file["format_version"]) >= 3 else []
                normal = cls(**{name: file[name] for name in names})
        except FileNotFoundError:
            raise EdgeC2VLError(f"{path} is not there: {learn}") from None
        except ERRORS as error:
            # What NumPy says of a file that is no .npz is advice to trust it.
            why = "it is no .npz file" if "pickle" in str(error) else " ".join(str(error).split())
            raise EdgeC2VLError(f"{path} holds no learnt normality ({why}): {learn}") from None
        if not normal._consistent():
            raise EdgeC2VLError(f"{path} is damaged: {learn}")
        return normal

    def _consistent(self) -> bool:
        size = len(self.mean) if self.mean.ndim == 1 else -1
        shapes = self.scale.shape == (size,) and self.precision.shape == (size, size) and self.place.shape == (3,)
        if self.sizes.shape != (2, len(_ENDS)) or self.sizes.dtype != np.float64 or np.isinf(self.sizes).any():
            return False
        if self.face.shape != (FACE_NUMBERS,) or self.face.dtype != np.float64 or np.isinf(self.face).any():
            return False
        if not shapes or self.used.shape != (100,) or self.used.dtype != bool or self.used.sum() != size:
            return False
        numbers = (self.mean, self.scale, self.precision, self.usual, self.place)
        finite = all(array.dtype == np.float64 and np.isfinite(array).all() for array in numbers)
        return finite and self.usual.ndim == 1 and len(self.usual) >= MIN_WINDOWS and bool((self.usual > 0).any())


class Learner:
    """Collects windows of normal driving until `minutes` of them have been seen.

    Windows that are not plainly attentive are left out, and so are those of the LEFT_OUT_BEFORE_S before one: a window
    shows a distraction before the classifier recognises it.
    """

    def __init__(self, minutes: float) -> None:
        self._needed_s = minutes * 60
        self._kept: list[_Looked] = []
        self._recent: deque[_Looked] = deque()
        self._last_s: float | None = None
        self.learnt_s = 0.0
        self.left_out_s = 0.0

    def add(self, clip: Clip, time_s: float, attentive: bool = True, odds: float = math.nan) -> None:
        """One window whose arms were seen, at rising times. At most one a second is kept: neighbours are alike. odds:
        the classifier's log-odds of distraction."""
        if clip.place is None:
            return
        if not attentive:
            self._leave_out(time_s)
        step_s = 0.0 if self._last_s is None else time_s - self._last_s
        if self._last_s is not None and 0 <= step_s < 1.0:
            return
        # A gap in which there was nothing to see does not count as learnt.
        step_s = step_s if 0 < step_s < 3.0 else 0.0
        self._last_s = time_s
        if not attentive:
            self.left_out_s += step_s
            return
        self.learnt_s += step_s
        while self._recent and not time_s - LEFT_OUT_BEFORE_S < self._recent[0].time_s <= time_s:
            self._kept.append(self._recent.popleft())
        self._recent.append(_Looked(time_s, step_s, posture(clip.data), clip.place, sizes(clip), odds))

    def _leave_out(self, time_s: float) -> None:
        recent, self._recent = self._recent, deque()
        for looked in recent:
            if time_s - LEFT_OUT_BEFORE_S < looked.time_s <= time_s:
                self.learnt_s -= looked.step_s
                self.left_out_s += looked.step_s
            else:
                self._kept.append(looked)

    @property
    def _windows(self) -> int:
        return len(self._kept) + len(self._recent)

    @property
    def _share(self) -> float:
        return self.learnt_s / ((self.learnt_s + self.left_out_s) or 1.0)

    @property
    def progress(self) -> float:
        """The share of what is needed that has been learnt, 0 to 1."""
        return max(0.0, min(1.0, self.learnt_s / self._needed_s, self._windows / MIN_WINDOWS))

    @property
    def odds(self) -> list[float]:
        """Of the windows learnt from."""
        return [one.odds for one in (*self._kept, *self._recent)]

    @property
    def done(self) -> bool:
        return self.learnt_s >= self._needed_s and self._windows >= MIN_WINDOWS and self._share >= MIN_SHARE

    def told(self) -> str:
        """What was learnt from, and what was left out."""
        left_out = f"; {self.left_out_s:.0f} s were left out, in which the driver did not look plainly attentive"
        return f"{self.learnt_s:.0f} s" + (left_out if self.left_out_s else "")

    def shortage(self) -> str:
        """Why it is not done."""
        seen_s = self.learnt_s + self.left_out_s
        if self._share < MIN_SHARE and seen_s >= self._needed_s:
            return (
                f"of {seen_s:.0f} s the driver looked attentive, without an alert and at speed, "
                f"in {self.learnt_s:.0f} s; {MIN_SHARE:.0%} are needed"
            )
        return f"there were {self.told()}; {max(self._needed_s, MIN_WINDOWS):.0f} s are needed"

    def finish(self) -> DriverBaseline:
        """Raises EdgeC2VLError where too little was seen."""
        if self._windows < MIN_WINDOWS:
            raise EdgeC2VLError(
                f"{self._windows} seconds with arms in view are too few to learn from; {MIN_WINDOWS} are needed"
            )
        if self._share < MIN_SHARE:
            raise EdgeC2VLError(self.shortage())
        kept = [*self._kept, *self._recent]
        postures, lengths = (np.stack([getattr(one, name) for one in kept]) for name in ("posture", "sizes"))
        return fit(postures, np.array([one.place for one in kept]), lengths)


@dataclass(frozen=True)
class _Looked:
    """A window to learn from."""

    time_s: float
    step_s: float
    posture: Floats
    place: tuple[float, float, float]
    sizes: Floats
    odds: float


def fit(postures: Floats, places: Floats, lengths: Floats) -> DriverBaseline:
    """Normality from `posture` of each window (N, 100), their places (N, 3) and `sizes` (N, 5)."""
    used = np.isfinite(postures).sum(axis=0) >= MIN_WINDOWS / 2
    kept = postures[:, used]
    mean = np.nanmean(kept, axis=0)
    offsets = np.where(np.isfinite(kept), kept - mean, 0.0)
    scale = offsets.std(axis=0) + NOISE
    offsets = offsets / scale
    covariance = (1 - SHRINKAGE) * offsets.T @ offsets / len(offsets) + SHRINKAGE * np.eye(offsets.shape[1])
    precision = np.linalg.inv(covariance)
    usual = np.sort(np.sqrt(np.einsum("nd,de,ne->n", offsets, precision, offsets)))
    chunks = np.stack([_median(lengths[at : at + CHUNK]) for at in range(0, len(lengths) - CHUNK // 2, CHUNK)])
    spread = np.sqrt(np.square(chunks - _median(chunks)).mean(axis=0))
    return DriverBaseline(
        used, mean, scale, precision, usual, np.median(places, axis=0), np.stack([_median(lengths), spread])
    )


class DriverWatch:
    """Notices that somebody else drives, or that the camera was moved: over `window_s` the driver sat more than
    `max_offset` shoulder breadths from where it was learnt (median), or the bones looked otherwise."""

    def __init__(self, normal: DriverBaseline, window_s: float = 30.0, max_offset: float = 0.6) -> None:
        self._normal = normal
        self._window_s, self.max_offset = window_s, max_offset
        self._recent: deque[tuple[float, tuple[float, float, float], Floats]] = deque()

    def moved(self, clip: Clip, time_s: float, attentive: bool = True) -> bool:
        """Whether the last `window_s` were of another driver or place. False until so much was seen. Bones are compared
        while attentive: an arm that holds a phone looks shorter, and a long call must not be taken for a new driver."""
        if self._recent and time_s < self._recent[-1][0]:
            self._recent.clear()
        if clip.place is not None:
            self._recent.append((time_s, clip.place, sizes(clip) if attentive else np.full(len(_ENDS), np.nan)))
        while self._recent and self._recent[0][0] < time_s - self._window_s:
            self._recent.popleft()
        if not self._recent or time_s - self._recent[0][0] < 0.9 * self._window_s:
            return False
        return self.offset > self.max_offset or self.strangeness > MAX_STRANGENESS

    @property
    def offset(self) -> float:
        """How far from where it was learnt the driver sat lately, in shoulder breadths."""
        x, y, _ = np.median([place for _, place, _ in self._recent], axis=0)
        learnt_x, learnt_y, unit = self._normal.place
        return float(math.hypot(x - learnt_x, y - learnt_y) / unit)

    @property
    def strangeness(self) -> float:
        """How unlike the learnt ones the bones looked lately (see `Normal.strangeness`); 0 where they were hardly
        seen."""
        lengths = np.stack([lengths for *_, lengths in self._recent])
        lengths[:, np.isfinite(lengths).mean(axis=0) < 0.5] = np.nan
        return self._normal.strangeness(_median(lengths))
