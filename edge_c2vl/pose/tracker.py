"""BlazePose without MediaPipe: detector once, then landmarks from picture to picture, smoothed.

Bazarevsky et al., "BlazePose: On-device real-time body pose tracking", CVPR Workshops 2020. What it does, and every
constant, is that of MediaPipe 0.10.14's pose solution: see tests/edge_c2vl/pose/test_parity.py.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.pose.base import Evidence, Floats, Tracker
from edge_c2vl.pose.detector import Detector
from edge_c2vl.pose.landmarks import BODY, LandmarkFinder
from edge_c2vl.pose.networks import Networks
from edge_c2vl.pose.region import Region
from edge_c2vl.pose.smoothing import LowPassFilter, OneEuroFilter
from edge_c2vl.skeleton import Array

# Whoever is found so soon after the person was lost, and where the person was, is that person.
REMEMBERED_MS = 2000


class BlazePose(Tracker):
    """static: every picture stands for itself; nothing is followed or smoothed."""

    def __init__(
        self, networks: Networks, static: bool = False, min_detection: float = 0.5, min_tracking: float = 0.5
    ) -> None:
        self._networks, self._static, self._min_presence = networks, static, min_tracking
        self._detector = Detector(networks.detector, min_detection)
        self._finder = LandmarkFinder(networks.landmarks)
        self.identity = networks.identity
        self.name = f"{networks.identity} on {networks.landmarks.name}"
        self._points, self._region_points = OneEuroFilter(0.05, 80), OneEuroFilter(0.01, 10)
        self._visibility = LowPassFilter(0.1)
        self.reset()

    def reset(self) -> None:
        self._region: Region | None = None  # where the person will be in the next picture
        self._last: tuple[Region, int] | None = None  # where and when the person was seen last
        self._visibility.reset()
        self._lose()

    def _lose(self) -> None:
        """The visibility is kept: MediaPipe does not run its filter where nobody is."""
        self._region, self.evidence = None, None
        self._points.reset()
        self._region_points.reset()

    def landmarks(self, image_bgr: NDArray[np.uint8], timestamp_ms: int) -> Array | None:
        region = self._region or self._choose(self._detector.detect(image_bgr), timestamp_ms)
        if region is None:
            self._lose()
            return None
        found = self._finder.find(image_bgr, region)
        if not found.presence > self._min_presence or not np.isfinite(found.points).all():
            self._lose()
            return None
        size = np.array([image_bgr.shape[1], image_bgr.shape[0]])
        places = found.points[:BODY, :2]
        outside = np.any((places < 0) | (places > size), axis=1)
        self.evidence = Evidence(found.presence, found.visibility, np.asarray(outside))
        points, visibility = found.points[:BODY], found.visibility
        if not self._static:
            points, visibility = self._smooth(found.points, visibility, timestamp_ms)
            self._last = (region, timestamp_ms)
        shares = points / np.array([size[0], size[1], size[0]])
        return np.column_stack([shares, visibility]).astype(np.float32)

    def _smooth(self, points: Floats, visibility: Floats, timestamp_ms: int) -> tuple[Floats, Floats]:
        """The body's smoothed points (33, 3) and visibility; keeps where to look in the next picture."""
        body, ends = points[:BODY], points[BODY:]
        size = 2 * math.hypot(*(ends[1, :2] - ends[0, :2]))
        if size >= 1e-6:
            body = self._points.apply(body, timestamp_ms / 1000, 1 / size)
            ends = self._region_points.apply(ends, timestamp_ms / 1000, 1 / size)
        self._region = Region.around(ends[0], ends[1])
        return body, self._visibility.apply(visibility)

    def _choose(self, people: list[Region], timestamp_ms: int) -> Region | None:
        """Of several people the one who was followed until a moment ago, else the surest."""
        if self._last is not None and timestamp_ms - self._last[1] <= REMEMBERED_MS:
            overlaps = [person.overlap(self._last[0]) for person in people]
            if overlaps and max(overlaps) > 0:
                return people[int(np.argmax(overlaps))]
        return people[0] if people else None

    def warm_up(self, _timestamp_ms: int) -> None:
        nothing = np.zeros((64, 64, 3), np.uint8)
        self._detector.detect(nothing)
        self._finder.find(nothing, Region.whole(nothing))

    def close(self) -> None:
        self._networks.close()
