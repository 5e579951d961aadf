"""BlazePose without MediaPipe: detector once, then landmarks from picture to picture, smoothed.

Bazarevsky et al., "BlazePose: On-device real-time body pose tracking", CVPR Workshops 2020. What it does, and every
constant, is that of MediaPipe 0.10.14's pose solution at 30 pictures a second: see tests/edge_c2vl/pose/test_parity.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.pose.base import Floats, Tracker
from edge_c2vl.pose.detector import Detector
from edge_c2vl.pose.landmarks import BODY, Found, LandmarkFinder
from edge_c2vl.pose.networks import Networks
from edge_c2vl.pose.region import Region
from edge_c2vl.pose.smoothing import LowPassFilter, OneEuroFilter
from edge_c2vl.skeletons.evidence import Evidence
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33, Array

# For so long after the person was lost, only somebody whose shoulders are where the person's were is taken to be that
# person: as near as this, in sizes of the region, which is 2 to 2.5 m. Then whoever is surest is followed.
REMEMBERED_MS, SAME_PLACE = 1000, 0.15
# MediaPipe mixes a tenth of the newest visibility in at every picture, which is this at 30 a second.
VISIBILITY_S = -1 / (30 * math.log(0.9))
SHOULDERS = [MEDIAPIPE33.index("left_shoulder"), MEDIAPIPE33.index("right_shoulder")]


class BlazePose(Tracker):
    """static: every picture stands for itself; nothing is followed or smoothed, and whom the detector does not find in
    the whole picture it looks for in parts of it, which MediaPipe does not do."""

    def __init__(
        self, networks: Networks, static: bool = False, min_detection: float = 0.5, min_tracking: float = 0.5
    ) -> None:
        self._networks, self._static, self._min_presence = networks, static, min_tracking
        self._detector = Detector(networks.detector, min_detection)
        self._finder = LandmarkFinder(networks.landmarks)
        self.identity = networks.identity
        self.name = f"{networks.identity} on {networks.landmarks.name}" + (networks.note and f" ({networks.note})")
        self._points, self._region_points = OneEuroFilter(0.05, 80), OneEuroFilter(0.01, 10)
        self._visibility = LowPassFilter(VISIBILITY_S)
        self.reset()

    def reset(self) -> None:
        self._region: Region | None = None  # where the person will be in the next picture
        self._last: tuple[Floats, float, int] | None = None  # the person's shoulders, the region's size, and when
        self._visibility.reset()
        self._lose()

    def _lose(self) -> None:
        """The visibility is kept: MediaPipe does not run its filter where nobody is."""
        self._region, self.evidence = None, None
        self._points.reset()
        self._region_points.reset()

    def landmarks(self, image_bgr: NDArray[np.uint8], timestamp_ms: int) -> Array | None:
        seen = self._look(image_bgr, timestamp_ms)
        if seen is None:
            self._lose()
            return None
        region, found = seen
        size = np.array([image_bgr.shape[1], image_bgr.shape[0]])
        self.evidence = Evidence(found.presence, found.visibility, found.points[:BODY, :2] * [1, -1])
        points, visibility = found.points[:BODY], found.visibility
        if not self._static:
            points, visibility = self._smooth(found.points, visibility, timestamp_ms)
            self._last = (_shoulders(found), region.size, timestamp_ms)
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
        return body, self._visibility.apply(visibility, timestamp_ms / 1000)

    def _look(self, image_bgr: NDArray[np.uint8], timestamp_ms: int) -> tuple[Region, Found] | None:
        """The person and the region looked at: the one followed, else the one followed until a moment ago, so that a
        passenger does not become the driver whenever the driver is not seen for a moment, else the surest."""
        known = self._region is not None or not self._remembers(timestamp_ms)
        for region in self._regions(image_bgr, known):
            found = self._finder.find(image_bgr, region)
            if not found.presence > self._min_presence or not np.isfinite(found.points).all():
                continue
            if known or self._is_same(found):
                return region, found
        return None

    def _regions(self, image_bgr: NDArray[np.uint8], known: bool) -> Iterable[Region]:
        """Where to look. known: whoever is surest is meant."""
        if self._static:
            return self._detector.search(image_bgr)
        if self._region is not None:
            return [self._region]
        people = self._detector.detect(image_bgr)
        return people[:1] if known else people

    def _remembers(self, timestamp_ms: int) -> bool:
        return self._last is not None and timestamp_ms - self._last[2] <= REMEMBERED_MS

    def _is_same(self, found: Found) -> bool:
        assert self._last is not None
        shoulders, size, _ = self._last
        return float(np.linalg.norm(_shoulders(found) - shoulders)) <= SAME_PLACE * size

    def warm_up(self, _timestamp_ms: int) -> None:
        nothing = np.zeros((64, 64, 3), np.uint8)
        self._detector.detect(nothing)
        self._finder.find(nothing, Region.whole(nothing))

    def close(self) -> None:
        self._networks.close()


def _shoulders(found: Found) -> Floats:
    """The point between the shoulders, x and y in pixels."""
    middle: Floats = found.points[SHOULDERS, :2].mean(axis=0)
    return middle
