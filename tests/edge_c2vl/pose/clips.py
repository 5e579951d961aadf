"""Recordings to compare estimators on, and how far two tracks are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge_c2vl.camera import CameraOptions, Frame, open_camera
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.simulated.cameras import VIEWS
from edge_c2vl.simulated.driver import make_driver
from edge_c2vl.simulated.film import Film
from edge_c2vl.simulated.scripts import once
from edge_c2vl.skeleton import MEDIAPIPE33

SIGNERS = ("eat", "learn", "milk", "thanks", "walk")
# Head to hips: legs are below the picture, where every estimator guesses.
UPPER = [MEDIAPIPE33.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("eye", "ear", "shoulder")]
UPPER += [MEDIAPIPE33.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("elbow", "wrist", "hip")]
UPPER += [MEDIAPIPE33.index("nose")]
SHOULDERS = [MEDIAPIPE33.index("left_shoulder"), MEDIAPIPE33.index("right_shoulder")]

Track = list[np.ndarray | None]


def frames_of(uri: str | Path, count: int | None = None, **options) -> list[Frame]:
    with open_camera(str(uri), CameraOptions(**options)) as camera:
        found = []
        while (count is None or len(found) < count) and (frame := camera.read()) is not None:
            found.append(frame)
        return found


def follow(frames: list[Frame], kind: str = "blazepose", **options) -> Track:
    with PoseEstimator(kind=kind, **options) as pose:
        return [pose.estimate(frame.image, frame.timestamp_s) for frame in frames]


def rendered(count: int, fps: float, activities: Sequence[str] = ("attentive", "drinking")) -> list[Frame]:
    """A driver made by rules, drawn by the project itself: the same pictures every time."""
    view = VIEWS["kinect_color"]
    seconds = count / fps / len(activities)
    film = Film(
        make_driver(3), once(list(activities), seconds), view, "rgb", 640, round(640 * view.height / view.width)
    )
    times = [index / fps for index in range(count)]
    return [Frame(film.image(time_s), time_s, 0.0, index) for index, time_s in enumerate(times)]


def noisy(frames: Sequence[Frame]) -> list[Frame]:
    """The same pictures, each value a gray level higher or lower or as it is."""
    numbers = np.random.default_rng(0)

    def shaken(image: np.ndarray) -> np.ndarray:
        return np.clip(image.astype(np.int16) + numbers.integers(-1, 2, image.shape), 0, 255).astype(np.uint8)

    return [replace(frame, image=shaken(frame.image)) for frame in frames]


@dataclass(frozen=True)
class Difference:
    """agreement: share of frames in which both or neither found somebody. distances: of landmarks that both saw, in
    shoulder widths."""

    agreement: float
    distances: np.ndarray

    def __str__(self) -> str:
        median, most = np.percentile(self.distances, (50, 95))
        return f"{median:.5f} (median), {most:.5f} (95 %) shoulder widths apart, {self.agreement:.1%} found alike"


def difference(reference: Track, track: Track) -> Difference:
    both = [(a, b) for a, b in zip(reference, track, strict=True) if a is not None and b is not None]
    agreement = float(np.mean([(a is None) == (b is None) for a, b in zip(reference, track, strict=True)]))
    if not both:
        return Difference(agreement, np.zeros(0))
    first, second = np.array([a for a, _ in both]), np.array([b for _, b in both])
    width = np.median(np.linalg.norm(first[:, SHOULDERS[0], :2] - first[:, SHOULDERS[1], :2], axis=1))
    seen = (first[:, UPPER, 3] >= 0.5) & (second[:, UPPER, 3] > 0)
    apart = np.linalg.norm(first[:, UPPER, :2] - second[:, UPPER, :2], axis=2) / width
    return Difference(agreement, apart[seen])
