"""A z-buffer rasteriser for many small triangles, in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.simulated.body import Floats

_SIZES = (2, 3, 4, 6, 8, 12, 20, 36, 80, 200, 640, 2048)
_CHUNK = 1 << 20  # candidate pixels at a time, so that a large triangle does not take the memory


@dataclass(frozen=True)
class Fragments:
    """What is seen, one entry a covered pixel: pixel (P,) flat index into the picture, triangle (P,), weights (P, 3)
    of the triangle's corners, corrected for perspective, depth (P,) along the optical axis."""

    pixel: NDArray[np.int64]
    triangle: NDArray[np.int64]
    weights: Floats
    depth: Floats

    def interpolate(self, values: Floats, triangles: NDArray[np.int32]) -> Floats:
        """Values (N, C) of the corners -> (P, C)."""
        corners = triangles[self.triangle]
        result = self.weights[:, 0, None] * values[corners[:, 0]]
        for k in (1, 2):
            result += self.weights[:, k, None] * values[corners[:, k]]
        return result

    def only(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Fragments:
        return Fragments(self.pixel[keep], self.triangle[keep], self.weights[keep], self.depth[keep])


# As `rasterise`: screen, triangles, width, height.
Rasteriser = Callable[[Floats, NDArray[np.int32], int, int], Fragments]


def rasterise(screen: Floats, triangles: NDArray[np.int32], width: int, height: int, near: float = 0.05) -> Fragments:
    """screen (N, 3): column, row, depth of each point. Triangles that are turned away, or reach nearer than `near`,
    are left out. A triangle is seen from its front where its corners run clockwise in the picture (row down)."""
    x, y, z = screen.T
    corners = triangles
    cx, cy, cz = x[corners], y[corners], z[corners]
    area = (cx[:, 1] - cx[:, 0]) * (cy[:, 2] - cy[:, 0]) - (cx[:, 2] - cx[:, 0]) * (cy[:, 1] - cy[:, 0])
    left, right = np.ceil(_of_three(np.minimum, cx) - 0.5), np.floor(_of_three(np.maximum, cx) - 0.5)
    top, bottom = np.ceil(_of_three(np.minimum, cy) - 0.5), np.floor(_of_three(np.maximum, cy) - 0.5)
    left, right = np.maximum(left, 0), np.minimum(right, width - 1)
    top, bottom = np.maximum(top, 0), np.minimum(bottom, height - 1)
    seen = np.flatnonzero((area > 1e-9) & (_of_three(np.minimum, cz) > near) & (right >= left) & (bottom >= top))
    left, top = left[seen].astype(np.int32), top[seen].astype(np.int32)
    columns, rows = right[seen].astype(np.int32) - left + 1, bottom[seen].astype(np.int32) - top + 1
    # Each edge as a plane a*col + b*row + c, scaled so that the three are the corners' weights in the picture.
    sx, sy = cx[seen], cy[seen]
    inverse = 1 / area[seen]
    a = np.stack([sy[:, 1] - sy[:, 2], sy[:, 2] - sy[:, 0], sy[:, 0] - sy[:, 1]], axis=1) * inverse[:, None]
    b = np.stack([sx[:, 2] - sx[:, 1], sx[:, 0] - sx[:, 2], sx[:, 1] - sx[:, 0]], axis=1) * inverse[:, None]
    origin_x, origin_y = left + 0.5, top + 0.5
    c = np.stack(
        [a[:, k] * (origin_x - sx[:, (k + 1) % 3]) + b[:, k] * (origin_y - sy[:, (k + 1) % 3]) for k in range(3)],
        axis=1,
    )
    # 1/depth is linear in the picture.
    inv_z = 1 / cz[seen]
    za, zb, zc = (_of_three(np.add, plane * inv_z) for plane in (a, b, c))
    best = np.zeros(width * height, np.uint64)
    extent = np.maximum(columns, rows)
    lower = 0
    for size in _SIZES:
        group = np.flatnonzero((extent > lower) & (extent <= size))
        lower = size
        for start in range(0, len(group), max(_CHUNK // (size * size), 1)):
            part = group[start : start + max(_CHUNK // (size * size), 1)]
            du = np.arange(size, dtype=np.float32)
            covered = (np.arange(size) < rows[part, None])[:, :, None] & (np.arange(size) < columns[part, None])[
                :, None
            ]
            for k in range(3):
                plane = (c[part, k, None] + b[part, k, None] * du)[:, :, None] + (a[part, k, None] * du)[:, None, :]
                covered &= plane >= 0
            which, row, column = np.nonzero(covered)
            owner = part[which]
            depth = zc[owner] + zb[owner] * row + za[owner] * column
            # Nearer is larger: 1/depth in the high half, the triangle in the low half.
            key = ((depth * 1e8).astype(np.uint64) << np.uint64(32)) | owner.astype(np.uint64)
            np.maximum.at(best, (top[owner] + row) * width + left[owner] + column, key)
    pixel = np.flatnonzero(best)
    owner = (best[pixel] & np.uint64(0xFFFFFFFF)).astype(np.int64)
    column = (pixel % width - left[owner]).astype(np.float32)
    row = (pixel // width - top[owner]).astype(np.float32)
    flat = c[owner] + b[owner] * row[:, None] + a[owner] * column[:, None]
    weights = flat * inv_z[owner]
    depth = np.float32(1) / _of_three(np.add, weights)
    return Fragments(pixel, seen[owner], weights * depth[:, None], np.asarray(depth, np.float32))


def _of_three(function: np.ufunc, values: Floats) -> Floats:
    """function.reduce(values, axis=1) of (F, 3); NumPy is slow over so short an axis."""
    result: Floats = function(function(values[:, 0], values[:, 1]), values[:, 2])
    return result
