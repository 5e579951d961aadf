"""Triangle meshes: from implicit surfaces (naive surface nets), and simple solids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Mesh:
    """points (N, 3) in metres, normals (N, 3) unit length, triangles (F, 3), colours (N, 3) BGR albedo in [0, 1],
    gray (N,) albedo in the near infrared."""

    points: Floats
    normals: Floats
    triangles: Ints
    colours: Floats
    gray: Floats

    def moved(self, rotation: Floats, origin: Floats) -> Mesh:
        """rotation (3, 3) has the mesh's axes as columns."""
        return replace(self, points=self.points @ rotation.T + origin, normals=self.normals @ rotation.T)

    def coloured(self, colour: ArrayLike, gray: float | None = None) -> Mesh:
        colours = np.broadcast_to(np.asarray(colour, np.float32), self.points.shape).astype(np.float32)
        level = colours.mean(axis=1) if gray is None else np.full(len(colours), gray, np.float32)
        return replace(self, colours=colours, gray=level)


def join(meshes: list[Mesh]) -> Mesh:
    """One mesh of several, in their order."""
    starts = np.cumsum([0] + [len(mesh.points) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.points for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.triangles + start for mesh, start in zip(meshes, starts, strict=True)]).astype(np.int32),
        np.concatenate([mesh.colours for mesh in meshes]),
        np.concatenate([mesh.gray for mesh in meshes]),
    )


def make(points: ArrayLike, triangles: ArrayLike, normals: Floats | None = None) -> Mesh:
    """A white mesh; normals, where none are given, are the mean of the adjoining faces."""
    corners = np.asarray(points, np.float32)
    faces = np.asarray(triangles, np.int32)
    if normals is None:
        a, b, c = (corners[faces[:, k]] for k in range(3))
        face = np.cross(b - a, c - a)
        normals = np.zeros_like(corners)
        for k in range(3):
            np.add.at(normals, faces[:, k], face)
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return Mesh(corners, normals.astype(np.float32), faces, np.ones_like(corners), np.ones(len(corners), np.float32))


def surface(distance: Callable[[Floats], Floats], low: ArrayLike, high: ArrayLike, step: float) -> Mesh:
    """The zero set of `distance` ((N, 3) -> (N,), negative inside) between the corners low and high.

    Naive surface nets (Gibson, MICCAI 1998): one vertex in each cell that the surface crosses, at the mean of the
    crossings on the cell's edges; one quad around each edge that is crossed.
    """
    low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
    shape = np.maximum(np.ceil((high - low) / step).astype(int) + 1, 2)
    axes = [low[k] + step * np.arange(shape[k], dtype=np.float32) for k in range(3)]
    field = distance(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)).reshape(shape)
    inside = field < 0
    cells = tuple(shape - 1)
    total, count = np.zeros((*cells, 3), np.float32), np.zeros(cells, np.float32)
    edges = []
    for axis in range(3):
        # An edge along `axis` from each grid point, and where on it the surface lies.
        first = [slice(None)] * 3
        second = [slice(None)] * 3
        first[axis], second[axis] = slice(0, -1), slice(1, None)
        a, b = field[tuple(first)], field[tuple(second)]
        crossed = inside[tuple(first)] != inside[tuple(second)]
        at = np.divide(a, a - b, out=np.zeros_like(a), where=crossed)
        others = [k for k in range(3) if k != axis]
        for du in (0, 1):
            for dv in (0, 1):
                # The cell whose edge this is, seen from its corner (du, dv) across the axis.
                source = [slice(None)] * 3
                source[others[0]] = slice(du, shape[others[0]] - 1 + du)
                source[others[1]] = slice(dv, shape[others[1]] - 1 + dv)
                hit, place = crossed[tuple(source)], at[tuple(source)]
                offset = np.zeros((*cells, 3), np.float32)
                offset[..., axis], offset[..., others[0]], offset[..., others[1]] = place, du, dv
                total += offset * hit[..., None]
                count += hit
        edges.append((axis, others, crossed))
    used = np.flatnonzero(count.ravel())
    index = np.full(int(np.prod(cells)), -1, np.int32)
    index[used] = np.arange(len(used), dtype=np.int32)
    corner = np.stack(np.unravel_index(used, cells), axis=1)
    points: Floats = (low + step * (corner + total.reshape(-1, 3)[used] / count.ravel()[used, None])).astype(np.float32)
    index = index.reshape(cells)
    faces = []
    for axis, others, crossed in edges:
        middle = [slice(None)] * 3
        for k in others:
            middle[k] = slice(1, -1)
        where = np.argwhere(crossed[tuple(middle)])
        for k in others:
            where[:, k] += 1
        quad = []
        for du, dv in ((1, 1), (0, 1), (0, 0), (1, 0)):
            cell = where.copy()
            cell[:, others[0]] -= du
            cell[:, others[1]] -= dv
            quad.append(index[tuple(cell.T)])
        corners = np.stack(quad, axis=1)
        # Counter-clockwise seen from outside: turned where the inside lies at the far end of the edge.
        flip = inside[tuple(where.T)] ^ (axis == 1)
        corners[~flip] = corners[~flip, ::-1]
        faces += [corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]]
    return make(points, np.concatenate(faces), _gradient(distance, points, step / 2))


def _gradient(distance: Callable[[Floats], Floats], points: Floats, step: float) -> Floats:
    result = np.empty_like(points)
    for axis in range(3):
        shift = np.zeros(3, np.float32)
        shift[axis] = step
        result[:, axis] = distance(points + shift) - distance(points - shift)
    return result


def box(size: ArrayLike, divisions: int = 1) -> Mesh:
    """A box of that size (3,) around the origin, with sharp edges."""
    half: Floats = np.asarray(size, np.float32) / np.float32(2)
    grid = np.linspace(-1, 1, divisions + 1, dtype=np.float32)
    points: list[Floats] = []
    triangles: list[Ints] = []
    normals: list[Floats] = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for sign in (-1.0, 1.0):
            start = sum(len(p) for p in points)
            face = np.zeros((len(grid), len(grid), 3), np.float32)
            face[..., axis], face[..., u], face[..., v] = sign, grid[:, None], grid[None, :]
            points.append(face.reshape(-1, 3) * half)
            normals.append(np.tile(np.eye(3, dtype=np.float32)[axis] * sign, (face.shape[0] * face.shape[1], 1)))
            triangles.append(start + _grid_triangles(len(grid), len(grid), sign < 0))
    return make(np.concatenate(points), np.concatenate(triangles), np.concatenate(normals))


def sheet(points: Floats) -> Mesh:
    """A surface through a grid of points (H, W, 3), seen from both sides."""
    height, width = points.shape[:2]
    front = make(points.reshape(-1, 3), _grid_triangles(height, width, False))
    back = make(points.reshape(-1, 3), _grid_triangles(height, width, True))
    return join([front, back])


def _grid_triangles(height: int, width: int, flip: bool) -> Ints:
    index = np.arange(height * width, dtype=np.int32).reshape(height, width)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    quads = np.stack([a, b, c, d], axis=-1).reshape(-1, 4)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return triangles[:, ::-1] if flip else triangles


def ring(radius: float, thickness: float, segments: int = 40, around: int = 8) -> Mesh:
    """A torus about the y axis."""
    u = np.linspace(0, 2 * np.pi, segments, endpoint=False, dtype=np.float32)[:, None]
    v = np.linspace(0, 2 * np.pi, around, endpoint=False, dtype=np.float32)[None, :]
    normal = np.stack(np.broadcast_arrays(np.cos(v) * np.cos(u), np.sin(v), np.cos(v) * np.sin(u)), axis=-1)
    centre = np.stack(np.broadcast_arrays(radius * np.cos(u), 0 * v, radius * np.sin(u)), axis=-1)
    index = np.arange(segments * around).reshape(segments, around)
    right, down = np.roll(index, -1, axis=0), np.roll(index, -1, axis=1)
    across = np.roll(right, -1, axis=1)
    triangles = np.concatenate(
        [np.stack([index, across, right], -1).reshape(-1, 3), np.stack([index, down, across], -1).reshape(-1, 3)]
    )
    points = (centre + thickness * normal).reshape(-1, 3)
    return make(points, triangles, normal.reshape(-1, 3).astype(np.float32))


def lathe(profile: ArrayLike, segments: int = 14) -> Mesh:
    """A solid of revolution about the y axis; profile (K, 2): radius and height, from bottom to top."""
    radius, height = np.asarray(profile, np.float32).T
    angle = np.linspace(0, 2 * np.pi, segments + 1, dtype=np.float32)
    grid = np.stack(
        np.broadcast_arrays(
            radius[:, None] * np.cos(angle), height[:, None] + 0 * angle, radius[:, None] * np.sin(angle)
        ),
        axis=-1,
    )
    return make(grid.reshape(-1, 3), _grid_triangles(grid.shape[0], grid.shape[1], False))
