"""Smoothing over time, as MediaPipe does it."""

from __future__ import annotations

import math

import numpy as np

from edge_c2vl.pose.base import Floats


class OneEuroFilter:
    """Casiez et al., "1 € Filter", CHI 2012, over an array of values at once: slow values are smoothed much, fast ones
    little. min_cutoff_hz, beta: the cut-off frequency of a value that stands still, and how it grows with its speed."""

    # Of the smoothing of the speed itself, and the frame rate until there are two timestamps.
    SPEED_CUTOFF_HZ, FIRST_RATE_HZ = 1.0, 30.0

    def __init__(self, min_cutoff_hz: float, beta: float) -> None:
        self._min_cutoff_hz, self._beta = min_cutoff_hz, beta
        self.reset()

    def reset(self) -> None:
        self._rate_hz = self.FIRST_RATE_HZ
        self._last_s = 0.0
        self._raw: Floats | None = None
        self._smooth: Floats = np.zeros(0)
        self._speed: Floats = np.zeros(0)

    def apply(self, values: Floats, timestamp_s: float, scale: float) -> Floats:
        """values: any shape, the same every time. scale: what their speed is multiplied with, to be comparable between
        people near and far. A timestamp that does not rise leaves the values as they are."""
        if timestamp_s <= self._last_s and (self._raw is not None or timestamp_s != 0):
            return values
        if self._raw is None:
            self._last_s, self._raw, self._smooth, self._speed = timestamp_s, values, values, np.zeros_like(values)
            return values
        # MediaPipe takes a frame at time 0 to lie 1/30 s before the next one.
        if self._last_s != 0:
            self._rate_hz = 1 / (timestamp_s - self._last_s)
        self._last_s = timestamp_s
        speed = (values - self._raw) * (scale * self._rate_hz)
        self._speed = _mix(speed, self._speed, self._share(self.SPEED_CUTOFF_HZ))
        share = self._share(self._min_cutoff_hz + self._beta * np.abs(self._speed))
        self._raw, self._smooth = values, _mix(values, self._smooth, share)
        return self._smooth

    def _share(self, cutoff_hz: Floats | float) -> Floats | float:
        return 1 / (1 + self._rate_hz / (2 * math.pi * cutoff_hz))


class LowPassFilter:
    """Exponential smoothing, as slow at every frame rate. time_constant_s: after so long 63 % of a step has passed."""

    def __init__(self, time_constant_s: float) -> None:
        self._time_constant_s = time_constant_s
        self.reset()

    def reset(self) -> None:
        self._smooth: Floats | None = None
        self._last_s = 0.0

    def apply(self, values: Floats, timestamp_s: float) -> Floats:
        """timestamp_s: later than the last one."""
        elapsed_s, self._last_s = timestamp_s - self._last_s, timestamp_s
        share = 1.0 if self._smooth is None else -math.expm1(-elapsed_s / self._time_constant_s)
        self._smooth = values if self._smooth is None else _mix(values, self._smooth, share)
        return self._smooth


def _mix(new: Floats, old: Floats, share: Floats | float) -> Floats:
    mixed: Floats = share * new + (1 - share) * old
    return mixed
