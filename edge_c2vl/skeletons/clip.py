"""The last seconds of skeletons -> one clip, the network's input."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_c2vl.skeletons.resample import resample
from edge_c2vl.skeletons.skeleton import ARMS, HEAD, NTU25, Array, clean, locate, normalise, to_ntu25


def _is_number(value: object, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most


@dataclass(frozen=True)
class ClipSpec:
    """How skeletons become a clip; kept in a bundle's manifest, so that training and vehicle cannot differ.

    frames, seconds: the clip's length T and the time it spans. dimensions: 2 where the encoder was trained on pictures
    (z = 0). facing: see `skeleton.normalise`. upright: an archive's bodies stand along gravity first (Archive.upright);
    a single skeleton does not tell where that points, so a vehicle takes them as they come. joints: the ntu25 joints
    that the training data had; others are masked, because an encoder that never saw a hand cannot tell what one means.
    min_confidence: below it a joint is missing. max_gap_s: longer gaps are left open. min_arms: the share of the clip
    in which an elbow or wrist must have been seen, or the answer is "cannot see".
    """

    frames: int = 64
    seconds: float = 3.0
    dimensions: int = 2
    facing: bool = False
    upright: bool = False
    joints: tuple[str, ...] = NTU25.joints
    min_confidence: float = 0.5
    max_gap_s: float = 0.5
    min_arms: float = 0.5

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"joints": list(self.joints)}

    def check(self) -> None:
        """Raises ValueError, naming the field, where a value makes no clip that a vehicle could judge by."""
        if not _is_number(self.frames, 2, 10_000) or not isinstance(self.frames, int):
            raise ValueError(f"clip.frames is a whole number of 2 to 10000, not {self.frames!r}")
        if not isinstance(self.dimensions, int) or self.dimensions not in (2, 3) or not isinstance(self.facing, bool):
            raise ValueError("clip.dimensions is 2 or 3, and clip.facing true or false")
        for name, least, most in (
            ("seconds", 0.1, 600),
            ("max_gap_s", 0.01, 600),
            ("min_confidence", 0, 1),
            ("min_arms", 0, 1),
        ):
            value = getattr(self, name)
            if not _is_number(value, least, most):
                raise ValueError(f"clip.{name} is a number of {least} to {most}, not {value!r}")
        if not isinstance(self.upright, bool):
            raise ValueError(f"clip.upright is true or false, not {self.upright!r}")
        if not self.joints or not set(self.joints) <= set(NTU25.joints) or len(set(self.joints)) < len(self.joints):
            raise ValueError("clip.joints names each joint once, all of ntu25")

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ClipSpec:
        return cls(**(values | {"joints": tuple(values["joints"])}))


@dataclass(frozen=True)
class Clip:
    """`data`: float32 (3, T, 25), normalised, missing joints 0. `arms`: share of the T frames in which an elbow or a
    wrist was seen; `head`: in which the head was. `confidence`: mean over the joints that were seen, 0 where none was.
    `looked`: the share of the T frames that pictures lie close enough around to tell what was there. `span_s`: from
    first to last frame that the clip was made of. `place`: x and y of the body's origin and its unit, in
    the source's own units; None where they cannot be told (see `skeleton.locate`)."""

    data: Array
    arms: float
    confidence: float
    span_s: float
    place: tuple[float, float, float] | None = None
    head: float = 1.0
    looked: float = 1.0


def make_clip(
    sequence: ArrayLike, timestamps_s: ArrayLike, end_s: float, spec: ClipSpec, unlooked_s: ArrayLike | None = None
) -> Clip:
    """The clip of the `spec.seconds` up to `end_s`, from an ntu25 sequence (T, 25, 4) at timestamps_s (T,).

    unlooked_s: (T,), see `resample`.

    Where nobody was seen in the window's first part, as at the start of a run, what was seen is stretched to the whole
    clip, as in training's temporal crops: an encoder takes missing first frames for something that happens.
    """
    stamps = np.asarray(timestamps_s, np.float64)
    source = clean(sequence, spec.min_confidence)
    unused = [index for index, name in enumerate(NTU25.joints) if name not in spec.joints]
    source[:, unused] = 0
    start_s = _start(stamps[(source[..., 3] > 0).any(axis=1)], end_s, spec)
    times = np.linspace(start_s, end_s, spec.frames)
    # Of the whole window, however little of it the clip is made of. A recording of one frame has no length.
    share = (end_s - start_s) / spec.seconds if spec.seconds else 1.0
    # Beside the joints one that every picture shows: where it is missing, nobody looked for too long.
    shown = np.concatenate([source, np.ones_like(source[:, :1])], axis=1)
    resampled, looked = np.split(resample(shown, stamps, times, spec.max_gap_s, unlooked_s), [NTU25.size], axis=1)
    if spec.dimensions == 2:
        resampled[..., 2] = 0
    located = locate(resampled)
    frames = normalise(resampled, spec.dimensions, spec.facing)
    seen = frames[..., 3] > 0
    inside = stamps[(stamps >= end_s - spec.seconds) & (stamps <= end_s)]
    return Clip(
        data=np.ascontiguousarray(frames[..., :3].transpose(2, 0, 1)),
        arms=float(seen[:, ARMS].any(axis=1).mean()) * share,
        confidence=float(frames[..., 3][seen].mean()) if seen.any() else 0.0,
        span_s=float(inside[-1] - inside[0]) if len(inside) else 0.0,
        place=None if located is None else (float(located[0][0]), float(located[0][1]), located[1]),
        head=float(seen[:, HEAD].mean()) * share,
        looked=float((looked[..., 3] > 0).mean()),
    )


def _start(seen_s: NDArray[np.float64], end_s: float, spec: ClipSpec) -> float:
    """Where the clip begins: with the window, or where somebody was first seen in it. seen_s: times with somebody."""
    window_s = end_s - spec.seconds
    inside = seen_s[(seen_s > window_s) & (seen_s < end_s)]
    before = seen_s[seen_s <= window_s]
    if not len(inside) or (len(before) and inside[0] - before[-1] <= spec.max_gap_s):
        return window_s
    return float(inside[0])


class ClipBuffer:
    """Keeps the skeletons of the last `spec.seconds` (and one frame before them, to interpolate from)."""

    def __init__(self, spec: ClipSpec, layout: str) -> None:
        self.spec = spec
        self.layout = layout
        self._frames: deque[tuple[float, Array, float]] = deque()

    def add(self, timestamp_s: float, skeleton: Array | None, unlooked_s: float = 0.0) -> None:
        """Appends one frame: (V, 4) in the window's layout, or None where nobody was seen. A frame that is not later
        than the last one is dropped: cameras repeat timestamps, and the clock may have been set back. unlooked_s: see
        `resample`."""
        if self._frames and timestamp_s <= self._frames[-1][0]:
            return
        empty = np.zeros((NTU25.size, 4), np.float32)
        joints = empty if skeleton is None else to_ntu25(skeleton[None], self.layout)[0]
        self._frames.append((timestamp_s, joints, unlooked_s))
        oldest = timestamp_s - self.spec.seconds
        while len(self._frames) > 1 and self._frames[1][0] <= oldest:
            self._frames.popleft()

    def forget(self, before_s: float | None = None, from_s: float | None = None) -> None:
        """Makes the frames before a time, and those from a time on, ones in which nobody was seen."""
        for index, (time_s, _, unlooked_s) in enumerate(self._frames):
            if (before_s is not None and time_s < before_s) or (from_s is not None and time_s >= from_s):
                self._frames[index] = time_s, np.zeros((NTU25.size, 4), np.float32), unlooked_s

    def clear(self) -> None:
        self._frames.clear()

    def clip(self) -> Clip:
        """The clip that ends at the newest frame. Raises ValueError on an empty window."""
        if not self._frames:
            raise ValueError("the window holds no frame yet")
        stamps, frames, unlooked_s = zip(*self._frames, strict=True)
        return make_clip(np.stack(frames), np.array(stamps), stamps[-1], self.spec, np.array(unlooked_s))
