"""Meshes are closed, turned outwards, and as large as the solids they stand for."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from edge_c2vl.simulated import mesh
from edge_c2vl.simulated.mesh import Mesh


def face_normals(shape: Mesh) -> np.ndarray:
    a, b, c = (shape.points[shape.triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def ball(radius: float) -> Mesh:
    return mesh.surface(
        lambda points: np.linalg.norm(points - [0.3, 0, 0], axis=1) - radius, (0.1, -0.2, -0.2), (0.5, 0.2, 0.2), 0.011
    )


def test_a_surface_has_the_area_of_its_sphere() -> None:
    area = np.linalg.norm(face_normals(ball(0.12)), axis=1).sum() / 2
    assert area == pytest.approx(4 * np.pi * 0.12**2, rel=0.02)


def test_every_edge_of_a_surface_has_two_sides() -> None:
    sides = Counter()
    for a, b, c in ball(0.1).triangles.tolist():
        sides.update([(a, b), (b, c), (c, a)])
    assert all(count == 1 and sides[b, a] == 1 for (a, b), count in sides.items())


@pytest.mark.parametrize(
    "shape",
    [ball(0.1), mesh.box((0.1, 0.2, 0.3), 3), mesh.ring(0.2, 0.02), mesh.lathe([(0.1, 0), (0.1, 0.2), (0.05, 0.3)])],
    ids=["surface", "box", "ring", "lathe"],
)
def test_triangles_run_so_that_their_normals_point_outwards(shape: Mesh) -> None:
    faces = face_normals(shape)
    real = np.linalg.norm(faces, axis=1) > 1e-9
    agree = np.einsum("fc,fc->f", faces, shape.normals[shape.triangles].mean(axis=1))
    assert (agree[real] > 0).all()


def test_a_ring_is_turned_away_from_its_own_middle() -> None:
    shape = mesh.ring(0.2, 0.02)
    flat = shape.points * [1, 0, 1]
    centre = 0.2 * flat / np.linalg.norm(flat, axis=1, keepdims=True)
    np.testing.assert_allclose((shape.points - centre) / 0.02, shape.normals, atol=1e-5)


def test_a_sheet_is_seen_from_both_sides() -> None:
    x, y = np.meshgrid(np.linspace(0, 1, 4), np.linspace(0, 1, 3))
    shape = mesh.sheet(np.stack([x, y, 0 * x], axis=-1).astype(np.float32))
    assert sorted(set(np.sign(face_normals(shape)[:, 2]))) == [-1, 1]


def test_joined_meshes_keep_their_triangles() -> None:
    first, second = mesh.box((1, 1, 1)), mesh.ring(0.2, 0.02).coloured((0.1, 0.2, 0.3), 0.5)
    both = mesh.join([first, second])
    last = both.points[both.triangles[len(first.triangles) :]]
    np.testing.assert_array_equal(last, second.points[second.triangles])
    np.testing.assert_array_equal(both.colours[-1], np.float32([0.1, 0.2, 0.3]))
    assert both.gray[-1] == 0.5
