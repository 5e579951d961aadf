"""The face of the drawn driver, from the pose's own landmarks on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_c2vl.face import region as regions
from edge_c2vl.face.head_pose import angles_of
from edge_c2vl.face.tracker import SLIPPED, FaceTracker
from edge_c2vl.pose.region import Region
from edge_c2vl.simulated.body import solve
from edge_c2vl.simulated.cameras import VIEWS
from edge_c2vl.simulated.driver import make_driver
from edge_c2vl.simulated.film import Film, see
from edge_c2vl.simulated.scripts import once
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33


class Drawn:
    """Pictures of one driver whose head and eyes a test sets, and the true pose in them."""

    def __init__(self) -> None:
        driver = make_driver(3)  # without glasses
        view = VIEWS["a_column_driver"]
        self.film = Film(driver, once(["attentive"], 9), view, "ir", 640, 512, inner_pixels=640 * 512)
        self._moment = self.film.motion.at(0.0)

    def __call__(self, head=(15.0, 5.0, 0.0), worn=(), **posture) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The picture, the pose, and the head's rotation in the camera's axes."""
        posture = {"lids": 1.0, "eyes": (0.0, 0.0), **posture}
        moment = replace(
            self._moment, posture=replace(self._moment.posture, head=np.array(head, np.float32), **posture)
        )
        skeleton = solve(self.film.driver.build, moment.posture)
        image = self.film.renderer.render(skeleton, moment.posture, [], frozenset({"belt", *worn}))
        truth = see(self.film.view, skeleton, moment, 0.0)
        return image, truth.pixels, self.film.view.axes @ truth.head


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return Drawn()


@pytest.fixture(scope="module")
def opened():
    tracker = FaceTracker.open()
    yield tracker
    tracker.close()


@pytest.fixture
def tracker(opened: FaceTracker) -> FaceTracker:
    opened.reset()
    return opened


def test_the_head_is_where_it_is(tracker, drawn) -> None:
    for head in ((0.0, 5.0, 0.0), (25.0, 0.0, 0.0), (10.0, 20.0, 0.0)):
        image, pose, rotation = drawn(head)
        face = tracker.look(image, pose)
        assert face is not None
        assert angles_of(face.head.rotation)[:2] == pytest.approx(angles_of(rotation)[:2], abs=12)


def test_eyes_that_close(tracker, drawn) -> None:
    gaps = [tracker.look(*drawn(lids=lids)[:2]).gap_mm for lids in (1.0, 0.5, 0.0)]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 0.25 * gaps[0]


def test_eyes_that_look_aside(tracker, drawn) -> None:
    ahead, left = (tracker.look(*drawn(eyes=eyes)[:2]).gaze for eyes in ((0.0, 0.0), (25.0, 0.0)))
    assert np.degrees(np.arccos(ahead @ left)) == pytest.approx(25, abs=12)
    assert left[0] > ahead[0]


def test_behind_sunglasses_no_eye_is_seen(tracker, drawn) -> None:
    face = tracker.look(*drawn(worn=("sunglasses",))[:2])
    assert face is not None
    assert (face.gap_mm, face.gaze) == (None, None)


def test_nobody_has_no_face(tracker, drawn) -> None:
    image, pose, _ = drawn()
    assert tracker.look(image, None) is None
    assert tracker.look(np.zeros_like(image), pose) is None
    hidden = pose.copy()
    hidden[:11] = 0
    assert tracker.look(image, hidden) is None


def test_a_face_that_is_followed_is_looked_at_once(tracker, drawn, monkeypatch) -> None:
    image, pose, _ = drawn()
    looked = []
    find = tracker._finder.find
    monkeypatch.setattr(tracker._finder, "find", lambda *a: looked.append(1) or find(*a))
    tracker.look(image, pose)
    assert len(looked) == 2
    tracker.look(image, pose)
    assert len(looked) == 3


def test_landmarks_that_have_slipped_off_the_face_are_not_followed(tracker, drawn, monkeypatch) -> None:
    image, pose, rotation = drawn()
    find = tracker._finder.find

    def slipped(*asked):
        found = find(*asked)
        # As on a head that is turned away: a part of the face has no place to be.
        points = found.points.copy()
        points[:200, :2] += 0.25 * np.ptp(found.points[:, 0])
        return replace(found, points=points)

    monkeypatch.setattr(tracker._finder, "find", slipped)
    wrong = tracker.look(image, pose)
    assert wrong is None or wrong.head.error > SLIPPED
    looked = []
    monkeypatch.setattr(tracker._finder, "find", lambda *asked: looked.append(asked[1]) or find(*asked))
    face = tracker.look(image, pose)
    assert looked[0] == regions.from_pose(pose)
    assert angles_of(face.head.rotation)[:2] == pytest.approx(angles_of(rotation)[:2], abs=12)
    tracker.look(image, pose)
    assert len(looked) == 3


def test_only_the_drivers_face_is_followed(drawn) -> None:
    _, pose, _ = drawn()
    place = regions.from_pose(pose)
    assert place is not None
    assert regions.belongs_to(place, pose)
    assert not regions.belongs_to(replace(place, x=place.x - 200), pose)


class TestRegion:
    @pytest.mark.parametrize("tilt", [0.0, 30.0, -50.0])
    def test_it_is_upright_in_the_face(self, tilt: float) -> None:
        turn = np.radians(tilt)
        pose = np.zeros((33, 4), np.float32)
        for name, x, y in (
            ("left_eye", 30, -20),
            ("right_eye", -30, -20),
            ("left_mouth", 20, 40),
            ("right_mouth", -20, 40),
        ):
            at = (200 + x * np.cos(turn) - y * np.sin(turn), 150 + x * np.sin(turn) + y * np.cos(turn))
            pose[MEDIAPIPE33.index(name)] = (at[0], -at[1], 0, 1)
        found = regions.from_pose(pose)
        assert found is not None
        assert np.degrees(found.angle) == pytest.approx(tilt, abs=0.1)
        assert found.size == pytest.approx(240)

    def test_from_landmarks_it_holds_all_of_them(self) -> None:
        points = np.random.default_rng(1).uniform(100, 200, (478, 3))
        found = regions.from_landmarks(points)
        assert isinstance(found, Region)
        assert found.size == pytest.approx(1.5 * max(np.ptp(points[:, 0]), np.ptp(points[:, 1])))

    def test_a_face_of_a_few_pixels_is_none(self) -> None:
        pose = np.zeros((33, 4), np.float32)
        pose[:, 3] = 1
        assert regions.from_pose(pose) is None
