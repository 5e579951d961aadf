"""Lids, gaze, mouth, and what hides an eye."""

from __future__ import annotations

import numpy as np
import pytest

from edge_c2vl.face.eyes import gap_mm, gaze, quality, read_eye
from edge_c2vl.face.head_pose import direction_angles, head_pose
from edge_c2vl.face.landmarks import CHEEKS, EYES
from edge_c2vl.face.mouth import mouth_mm
from tests.support.faces import HEIGHT, WIDTH, landmarks, turned

SKIN = np.full((HEIGHT, WIDTH, 3), 150, np.uint8)


def posed(points: np.ndarray):
    head = head_pose(points, WIDTH, HEIGHT)
    assert head is not None
    return head


@pytest.mark.parametrize("turn", [(0, 0, 0), (30, 0, 0), (-25, 10, 0), (0, 0, 25), (20, -10, -15)])
@pytest.mark.parametrize("opening", [0.0, 4.0, 9.0])
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_lids_gap_does_not_depend_on_where_the_head_turns(turn, opening, side) -> None:
    points = landmarks(turned(*turn), gap_mm=opening)
    assert gap_mm(points, posed(points), EYES[side]) == pytest.approx(opening, abs=0.8)


def test_lids_that_overlap_are_closed() -> None:
    points = landmarks(gap_mm=-3.0)
    assert gap_mm(points, posed(points), EYES["left"]) == 0


@pytest.mark.parametrize("turn", [(0, 0, 0), (25, 5, 0), (-30, -10, 8)])
@pytest.mark.parametrize("look", [(0, 0), (20, 0), (-20, 0), (0, 15), (0, -20), (15, -10)])
def test_the_gaze_is_where_the_eyes_look_and_not_the_head(turn, look) -> None:
    rotation = turned(*turn)
    points = landmarks(rotation, gaze=look)
    found = rotation.T @ gaze(points, posed(points), EYES["left" if turn[0] <= 0 else "right"])
    assert direction_angles(found) == pytest.approx(look, abs=4)


@pytest.mark.parametrize("turn", [(0, 0, 0), (20, -20, 5)])
def test_the_mouths_opening(turn) -> None:
    points = landmarks(turned(*turn), mouth_mm=30.0)
    assert mouth_mm(points, posed(points)) == pytest.approx(30, abs=3)
    points = landmarks(turned(*turn))
    assert mouth_mm(points, posed(points)) == pytest.approx(0, abs=1)


class TestQuality:
    def test_a_bare_eye_is_seen(self) -> None:
        points = landmarks()
        eye = read_eye(SKIN, points, posed(points), "left")
        assert eye.seen
        assert eye.quality == 1

    def test_the_eye_behind_the_nose_is_not(self) -> None:
        points = landmarks(turned(yaw=70))
        assert quality(SKIN, points, posed(points), "left") == 0
        assert quality(SKIN, points, posed(points), "right") == 1

    def test_an_eye_outside_of_the_picture_is_not(self) -> None:
        points = landmarks(position=(0.43, 0.0, 0.7))
        assert quality(SKIN, points, posed(points), "left") == 0
        assert quality(SKIN, points, posed(points), "right") == 1

    def test_a_face_far_away_is_not(self) -> None:
        points = landmarks(position=(0.0, 0.0, 4.0))
        assert quality(SKIN, points, posed(points), "left") == 0

    @pytest.mark.parametrize(("lens", "seen"), [(20, False), (255, False), (110, True)])
    def test_sunglasses_and_glare_hide_an_eye(self, lens: int, seen: bool) -> None:
        points = landmarks()
        picture = SKIN.copy()
        x, y = points[EYES["left"].iris[0], :2].astype(int)
        picture[y - 15 : y + 15, x - 25 : x + 25] = lens
        assert (quality(picture, points, posed(points), "left") >= 0.5) == seen
        assert quality(picture, points, posed(points), "right") == 1

    def test_dark_pictures_are_judged_by_their_own_skin(self) -> None:
        points = landmarks()
        assert quality(SKIN // 6, points, posed(points), "left") == 1
        x, _ = points[CHEEKS["left"], :2]
        assert 0 < x < WIDTH
