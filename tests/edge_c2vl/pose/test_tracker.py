"""Whom our graph follows, and what it says of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_c2vl.cameras.camera import Frame
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.pose.networks import Network, Networks
from edge_c2vl.pose.tracker import REMEMBERED_MS, BlazePose
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33
from tests.support.pose_clips import SHOULDERS, frames_of, rendered

NOSE = MEDIAPIPE33.index("nose")
FPS = 30


@pytest.fixture(scope="module")
def two(data_dir: Path) -> tuple[list[Frame], list[Frame]]:
    """A driver and a passenger."""
    return tuple(frames_of(data_dir / "video" / f"{name}.mkv", 50) for name in ("thanks", "milk"))  # type: ignore[return-value]


def picture(two: tuple[list[Frame], list[Frame]], index: int, hidden: bool = False, over: int = 0) -> np.ndarray:
    """Both beside each other, (360, 960, 3), the driver on the left. hidden: the driver's half is black. over: how many
    pixels the passenger, in front, leans to the left."""
    driver, passenger = (cv2.resize(frames[index % 50].image, (480, 360)) for frames in two)
    image = np.hstack([driver * (not hidden), passenger])
    image[:, 480 - over : 960 - over] = passenger
    return image


def noses(images: list[np.ndarray], **options) -> list[float | None]:
    """The column of the nose of the person followed."""
    with PoseEstimator(**options) as pose:
        found = [pose.estimate(image, index / FPS) for index, image in enumerate(images)]
    return [None if skeleton is None else float(skeleton[NOSE, 0]) for skeleton in found]


class TestSeveralPeople:
    def test_a_passenger_does_not_become_the_driver_when_the_driver_is_hidden_for_a_moment(self, two) -> None:
        gap = range(20, 20 + FPS // 2)
        found = noses([picture(two, index, index in gap) for index in range(60)])
        assert all(found[index] is None for index in gap)
        assert all(found[index] < 480 for index in range(60) if index not in gap)

    def test_after_a_second_whoever_is_there_is_followed(self, two) -> None:
        away = range(10, 60)
        found = noses([picture(two, index, index in away) for index in range(60)])
        assert found[10 + round(FPS * REMEMBERED_MS / 1000) - 2] is None
        assert found[-1] > 480

    def test_somebody_who_leans_over_and_back_does_not_take_over(self, two) -> None:
        leaning = [*[0] * 10, *range(0, 200, 10), *range(200, 0, -10), *[0] * 10]
        found = noses([picture(two, index, over=over) for index, over in enumerate(leaning)])
        assert all(nose is None or nose < 480 for nose in found)
        assert sum(nose is None for nose in found) < 10

    def test_with_a_crop_the_driver_is_followed_again_after_being_covered_whole(self, two) -> None:
        leaning = [*[0] * 10, *range(0, 480, 24), *range(480, 0, -24), *[0] * 45]
        found = noses([picture(two, index, over=over)[:, :480] for index, over in enumerate(leaning)])
        expected = noses([picture(two, index)[:, :480] for index in range(len(leaning) - 15, len(leaning))])
        assert found[-1] == pytest.approx(expected[-1], abs=5)


def test_in_a_picture_by_itself_somebody_small_is_found_too() -> None:
    drawn = rendered(1, 10)[0].image
    small = cv2.resize(drawn, (drawn.shape[1] // 5, drawn.shape[0] // 5), interpolation=cv2.INTER_AREA)
    image = np.full((480, 640, 3), 90, np.uint8)
    top, left = 300, 420
    image[top : top + small.shape[0], left : left + small.shape[1]] = small
    with PoseEstimator() as pose:
        assert pose.estimate(image, 0.0) is None
    with PoseEstimator(static=True) as pose:
        found = pose.estimate(image, 0.0)
        whole = pose.estimate(drawn, 1.0)
        assert pose.estimate(np.full((480, 640, 3), 90, np.uint8), 2.0) is None
    expected = whole[SHOULDERS, :2] * (small.shape[1] / drawn.shape[1]) + [left, -top]
    width = np.linalg.norm(expected[0] - expected[1])
    assert np.abs(found[SHOULDERS, :2] - expected).max() < 0.25 * width


class TestEvidence:
    def test_what_the_network_said_goes_on(self, two) -> None:
        with PoseEstimator() as pose:
            assert pose.evidence is None
            skeleton = pose.estimate(two[0][0].image, 0.0)
            evidence = pose.evidence
            assert 0.5 < evidence.presence <= 1
            assert (evidence.visibility.shape, evidence.points.shape) == ((33,), (33, 2))
            height, width = two[0][0].image.shape[:2]
            x, y = evidence.points[:, 0], -evidence.points[:, 1]
            inside = (x >= 0) & (x <= width) & (y >= 0) & (y <= height)
            # The first picture is not smoothed yet.
            assert skeleton[inside, 3] == pytest.approx(evidence.visibility[inside], abs=1e-5)
            assert (skeleton[~inside] == 0).all()
            assert not inside.all()  # legs are below the picture
            assert inside[SHOULDERS].all()
            pose.estimate(np.zeros((360, 480, 3), np.uint8), 0.1)
            assert pose.evidence is None

    def test_visibility_is_as_it_was_before_smoothing(self, two) -> None:
        with PoseEstimator() as pose:
            pose.estimate(two[0][0].image, 0.0)
            smooth = pose.estimate(two[0][10].image, 0.1)
            raw = pose.evidence.visibility
        with PoseEstimator(static=True) as pose:
            alone = pose.estimate(two[0][10].image, 0.1)
        inside = (smooth[:, 3] > 0) & (alone[:, 3] > 0)
        assert np.abs(smooth[inside, 3] - raw[inside]).max() > 0.01
        assert np.abs(alone[inside, 3] - raw[inside]).max() < 0.2


class Scripted(Network):
    """Answers as it is told."""

    name, precision = "scripted", "fp32"

    def __init__(self, **answers: np.ndarray) -> None:
        self.answers = answers
        self.runs = 0

    def run(self, image: np.ndarray) -> dict[str, np.ndarray]:
        self.runs += 1
        return self.answers

    def close(self) -> None: ...


def scripted(presence: float = 0.9, score: float = 3.0, landmark: float = 128.0) -> BlazePose:
    boxes, scores = np.zeros((1, 2254, 12), np.float32), np.full((1, 2254, 1), -9, np.float32)
    boxes[0, 1000, :8] = [0, 0, 90, 90, 0, 0, 0, -40]
    scores[0, 1000] = score
    landmarks = np.full((39, 5), landmark, np.float32)
    landmarks[34, 1] -= 60  # where the region of the next picture ends
    detector = Scripted(boxes=boxes, scores=scores)
    finder = Scripted(
        landmarks=landmarks.reshape(1, -1),
        presence=np.full((1, 1), presence, np.float32),
        heatmaps=np.full((1, 39, 64, 64), -9, np.float32),
    )
    return BlazePose(Networks("scripted", detector, finder))


IMAGE = np.zeros((100, 200, 3), np.uint8)


def test_the_detector_runs_only_where_nobody_is_followed() -> None:
    tracker = scripted()
    for time_ms in range(0, 500, 50):
        assert tracker.landmarks(IMAGE, time_ms) is not None
    assert (tracker._networks.detector.runs, tracker._networks.landmarks.runs) == (1, 10)
    tracker.reset()
    tracker.landmarks(IMAGE, 600)
    assert tracker._networks.detector.runs == 2


@pytest.mark.parametrize("options", [{"presence": 0.5}, {"score": -0.01}, {"landmark": np.nan}, {"presence": np.nan}])
def test_unsure_networks_find_nobody(options: dict[str, float]) -> None:
    tracker = scripted(**options)
    assert tracker.landmarks(IMAGE, 0) is None
    assert tracker.landmarks(IMAGE, 50) is None
    assert tracker._networks.detector.runs == 2
