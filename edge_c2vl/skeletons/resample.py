"""Skeletons at other times than they were seen at."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from edge_c2vl.skeletons.skeleton import Array, clean

# A joint that comes and goes is met less often where fewer frames are looked at. By so many times as long as nobody
# looked may the gap be longer that is still filled, twice as long at most: then at 15 and 10 frames a second as many
# windows of sktDD show an arm as at 30 (benchmarks/pose_rate.py).
UNLOOKED_GAPS = 7.2


def resample(
    sequence: ArrayLike,
    timestamps_s: ArrayLike,
    times_s: ArrayLike,
    max_gap_s: float = 0.5,
    unlooked_s: ArrayLike | None = None,
) -> Array:
    """The sequence at `times_s`, each joint interpolated linearly between the two times it was seen nearest around.

    sequence: ``(T, V, 4)`` at `timestamps_s` ``(T,)``, in any order; returns ``(len(times_s), V, 4)``. A joint that
    was not seen for longer than `max_gap_s` stays missing within that gap, and nothing is extrapolated: before a joint
    was first seen and after it was last seen it is missing. Of frames with one timestamp the last one counts.

    unlooked_s: ``(T,)``, for how long before each frame there were others that nobody looked at; None: never. For so
    long beside a frame in which a joint was seen it is taken to be there, and the longest gap is longer (see
    UNLOOKED_GAPS).
    """
    source = clean(sequence)
    stamps = np.asarray(timestamps_s, np.float64)
    times = np.asarray(times_s, np.float64)
    if stamps.shape != (len(source),):
        raise ValueError(f"{len(source)} frames need as many timestamps, not {stamps.shape}")
    # Reversed before np.unique, which keeps the first of equals, so that the last of them is kept.
    stamps, keep = np.unique(stamps[::-1], return_index=True)
    keep = len(source) - 1 - keep
    finite = np.isfinite(stamps)
    stamps, source = stamps[finite], source[keep[finite]]
    count, joints = source.shape[:2]
    result = np.zeros((len(times), joints, 4), np.float32)
    if count == 0:
        return result
    # For each frame and joint: the last frame up to it, and the first frame from it on, in which the joint was seen.
    seen = source[..., 3] > 0
    index = np.arange(count)[:, None]
    previous = np.maximum.accumulate(np.where(seen, index, -1), axis=0)
    following = np.minimum.accumulate(np.where(seen, index, count)[::-1], axis=0)[::-1]
    at = np.searchsorted(stamps, times, side="right") - 1  # last frame at or before each time; -1 before the first
    exact = (at >= 0) & (stamps[np.maximum(at, 0)] == times)
    left = np.where(at[:, None] >= 0, previous[np.maximum(at, 0)], -1)
    next_frame = np.where(exact, at, at + 1)
    right = np.where(next_frame[:, None] < count, following[np.minimum(next_frame, count - 1)], count)
    # Sentinels at both ends: a joint that was not seen before or after is infinitely far from it.
    unlooked = np.zeros(count) if unlooked_s is None else np.asarray(unlooked_s, np.float64)[keep[finite]]
    reach_s = np.concatenate([unlooked, [0.0, 0.0]])
    known = (left >= 0) & (right < count)
    column = np.arange(joints)[None, :]
    since = np.where(left >= 0, times[:, None] - stamps[np.maximum(left, 0)], np.inf)
    until = np.where(right < count, stamps[np.minimum(right, count - 1)] - times[:, None], np.inf)
    after_left, before_right = reach_s[left + 1], reach_s[right]
    left, right = np.maximum(left, 0), np.minimum(right, count - 1)
    gap = np.where(known, stamps[right] - stamps[left], 0.0)
    known &= gap <= max_gap_s + np.minimum(UNLOOKED_GAPS * (after_left + before_right) / 2, max_gap_s)
    weight = np.divide(times[:, None] - stamps[left], gap, out=np.zeros_like(gap), where=gap > 0)[..., None]
    before, after = source[left, column].astype(np.float64), source[right, column].astype(np.float64)
    result[known] = (before + weight * (after - before))[known]
    for near, frame in ((since <= after_left, before), (until <= before_right, after)):
        held = near & (result[..., 3] == 0)
        result[held] = frame[held]
    return result
