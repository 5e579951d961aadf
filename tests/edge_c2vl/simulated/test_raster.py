"""The rasteriser against one written differently: each pixel's ray cut with each triangle's plane."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.simulated.cameras import VIEWS, View
from edge_c2vl.simulated.raster import rasterise

WIDTH, HEIGHT = 24, 18
VIEW = View("test", "test", (0, 0, 0), (0, 0, 1), 70.0, WIDTH, HEIGHT, 30.0, "rgb")


def reference(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest triangle (-1: none) and its depth in each pixel, by Moeller and Trumbore's test in three dimensions."""
    owner, nearest = np.full((HEIGHT, WIDTH), -1), np.full((HEIGHT, WIDTH), np.inf)
    for row in range(HEIGHT):
        for column in range(WIDTH):
            ray = np.array([(column + 0.5 - WIDTH / 2) / VIEW.focal, (HEIGHT / 2 - row - 0.5) / VIEW.focal, 1.0])
            for index, (a, b, c) in enumerate(points[triangles].astype(float)):
                normal = np.cross(b - a, c - a)
                if normal @ ray >= 0:
                    continue  # turned away
                depth = (normal @ a) / (normal @ ray)
                hit = ray * depth
                inside = all(np.cross(q - p, hit - p) @ normal > 0 for p, q in ((a, b), (b, c), (c, a)))
                if inside and 0.05 < depth < nearest[row, column]:
                    owner[row, column], nearest[row, column] = index, depth
    return owner, nearest


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_nearest_triangle_is_seen(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.uniform([-1, -0.8, 0.6], [1, 0.8, 3], (12, 3)).astype(np.float32)
    triangles = random.permutation(12).reshape(4, 3).astype(np.int32)
    owner, depth = reference(points, triangles)
    found = rasterise(VIEW.project(points), triangles, WIDTH, HEIGHT)
    mine, mine_depth = np.full(WIDTH * HEIGHT, -1), np.full(WIDTH * HEIGHT, np.inf)
    mine[found.pixel], mine_depth[found.pixel] = found.triangle, found.depth
    same = mine.reshape(HEIGHT, WIDTH) == owner
    # A pixel whose centre lies on an edge may fall to either side.
    assert same.mean() > 0.99
    seen = same & (owner >= 0)
    np.testing.assert_allclose(mine_depth.reshape(HEIGHT, WIDTH)[seen], depth[seen], rtol=1e-3)


def test_values_are_interpolated_in_space_not_in_the_picture() -> None:
    """On a floor that runs away from the camera the middle of the picture lies nearer than half the way."""
    points = np.array([[-2, -1, 1], [2, -1, 1], [2, -1, 9], [-2, -1, 9]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    normal = np.cross(points[1] - points[0], points[2] - points[0])
    triangles = triangles if normal[1] > 0 else triangles[:, ::-1]
    found = rasterise(VIEW.project(points), triangles, WIDTH, HEIGHT)
    assert len(found.pixel)
    places = found.interpolate(points, triangles)
    np.testing.assert_allclose(places[:, 1], -1, atol=1e-4)
    np.testing.assert_allclose(places[:, 2], found.depth, rtol=1e-4)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, atol=1e-5)


def test_what_is_behind_the_camera_is_not_drawn() -> None:
    points = np.array([[-1, -1, -2], [1, -1, -2], [0, 1, -2]], np.float32)
    for order in ([0, 1, 2], [0, 2, 1]):
        assert len(rasterise(VIEW.project(points), np.array([order], np.int32), WIDTH, HEIGHT).pixel) == 0


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_projection_agrees_with_opencv(view: View) -> None:
    cv2 = pytest.importorskip("cv2")
    points = np.random.default_rng(0).uniform([-0.4, -0.2, -0.3], [0.4, 0.8, 0.4], (50, 3)).astype(np.float32)
    # OpenCV's cameras have y down.
    turn = np.diag([1.0, -1.0, 1.0]) @ view.axes
    shift = -turn @ np.array(view.position)
    # These axes are left-handed, so the turn is none that a rotation vector can hold: it is done beforehand.
    local = points @ turn.T + shift
    matrix = np.array([[view.focal, 0, view.width / 2], [0, view.focal, view.height / 2], [0, 0, 1.0]])
    expected, _ = cv2.projectPoints(local, np.zeros(3), np.zeros(3), matrix, None)
    ahead = local[:, 2] > 0.05
    assert ahead.any()
    np.testing.assert_allclose(view.project(points)[ahead, :2], expected[ahead, 0], atol=0.05)


def test_pictures_show_the_drivers_left_on_the_right() -> None:
    for view in VIEWS.values():
        left, right = view.project([[0.2, 0.4, 0.1], [-0.2, 0.4, 0.1]])
        assert left[0] > right[0]
        high, low = view.project([[0, 0.6, 0.1], [0, 0.2, 0.1]])
        assert high[1] < low[1]
