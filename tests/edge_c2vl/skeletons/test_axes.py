"""A camera's axes, told by the people that it sees."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge_c2vl.skeletons.axes import camera_axes
from tests.support.bodies import UPPER, bent, clip, moved, pose, turned
from train.knowledge.kinematics import describe


@pytest.mark.parametrize(("tilt", "mirrored"), list(itertools.product((-20.0, 15.0), (False, True))))
def test_camera_axes_undo_tilt_and_mirroring(tilt, mirrored):
    cos, sin = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    to_camera = np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]], np.float32)
    if mirrored:
        to_camera = to_camera @ np.diag([-1, 1, 1]).astype(np.float32)
    # People walk over a floor, in two directions, and one of them bends down on the way.
    walks = [
        clip((0, moved(pose(), by=(-2, 0, 2))), (3, moved(pose(), by=(2, 0, 4))))[0],
        clip((0, turned(moved(pose(), by=(1, 0, 2)), 90)), (3, turned(moved(bent(pose(), 60), by=(-1, 0, 5)), 90)))[0],
    ]
    seen = [walk * 1 for walk in walks]
    for walk in seen:
        walk[..., :3] = walk[..., :3] @ to_camera
    axes = camera_axes(seen)
    np.testing.assert_allclose(to_camera @ axes @ np.array([0, 1, 0]), [0, 1, 0], atol=0.02)
    assert np.linalg.det(to_camera @ axes) > 0
    # And so the words are those of the level camera.
    stamps = np.arange(len(walks[0])) / 30
    assert (describe(seen[0], stamps, axes=axes).bits() == describe(walks[0], stamps).bits()).mean() > 0.99


def test_camera_axes_keep_still_where_nothing_tells():
    np.testing.assert_array_equal(camera_axes([]), np.eye(3))
    standing = clip((0, pose()), (10, pose()))[0]  # one place: no plane
    np.testing.assert_array_equal(camera_axes([standing]), np.eye(3))
    upper = clip((0, pose()), (10, moved(pose(), by=(3, 0, 3))), joints=UPPER)[0]
    np.testing.assert_array_equal(camera_axes([upper]), np.eye(3))
