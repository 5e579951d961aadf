"""A head whose turn is known, seen by a pinhole camera."""

from __future__ import annotations

import numpy as np
import pytest

from edge_c2vl.face.head_pose import angles_of, default_focal, direction_angles, head_pose
from tests.support.faces import HEIGHT, WIDTH, landmarks, turned


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(0, 0, 0), (30, 0, 0), (-55, 10, 5), (0, -35, 0), (0, 25, -20), (20, -15, 12)]
)
def test_angles_are_found(yaw: float, pitch: float, roll: float) -> None:
    position = (-0.12, 0.08, 0.65)
    found = head_pose(landmarks(turned(yaw, pitch, roll), position), WIDTH, HEIGHT)
    assert found is not None
    assert found.angles == pytest.approx((yaw, pitch, roll), abs=0.1)
    assert found.position == pytest.approx(position, abs=1e-3)
    assert found.error < 1e-3
    assert found.px_per_m == pytest.approx(default_focal(WIDTH, HEIGHT) / 0.65, rel=1e-3)


def test_signs_are_the_persons_own() -> None:
    """Whoever faces the camera and turns to the left points to the right of the picture."""
    left, up = turned(yaw=30), turned(pitch=30)
    assert -left[0, 2] > 0.4
    assert -up[1, 2] > 0.4
    assert direction_angles(np.array([1.0, 0, -1])) == pytest.approx((45, 0))
    assert direction_angles(np.array([0, 1.0, -1])) == pytest.approx((0, 45))
    # Tilted to the left, the head's left side is lower.
    assert turned(roll=20)[1, 0] < 0
    assert angles_of(np.eye(3)) == pytest.approx((0, 0, 0))


def test_the_focal_length_may_be_told() -> None:
    points = landmarks(turned(20, 5))
    wrong = head_pose(points, WIDTH, HEIGHT, focal_px=400.0)
    assert wrong is not None
    assert wrong.position[2] < 0.6


def test_a_face_that_is_none_has_a_large_error() -> None:
    scattered = np.random.default_rng(0).uniform(100, 300, (478, 3))
    found = head_pose(scattered, WIDTH, HEIGHT)
    assert found is None or found.error > 0.3
