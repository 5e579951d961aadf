"""Draws the simulated driver's triangles by compiled loops (numba, which training needs anyway) instead of by NumPy:
the same pictures in less than half the time, for benchmarks that draw hours of film. The vehicle's package does
without numba.

    python benchmarks/fast_raster.py        # how much faster, and how much of the pictures is the same
"""

from __future__ import annotations

import time

import numba
import numpy as np
from numpy.typing import NDArray

from edge_c2vl.simulated.body import Floats
from edge_c2vl.simulated.raster import Fragments


class FastFragments(Fragments):
    def interpolate(self, values: Floats, triangles: NDArray[np.int32]) -> Floats:
        mixed: Floats = _interpolate(np.ascontiguousarray(values, np.float32), triangles, self.triangle, self.weights)
        return mixed

    def only(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> FastFragments:
        return FastFragments(self.pixel[keep], self.triangle[keep], self.weights[keep], self.depth[keep])


def rasterise(screen: Floats, triangles: NDArray[np.int32], width: int, height: int, near: float = 0.05) -> Fragments:
    """As edge_c2vl.simulated.raster.rasterise."""
    owner = _owners(np.ascontiguousarray(screen, np.float32), triangles, width, height, np.float32(near))
    pixel = np.flatnonzero(owner >= 0)
    weights, depth = _weights(screen, triangles, owner, pixel, width)
    return FastFragments(pixel, owner[pixel], weights, depth)


@numba.njit(cache=True)
def _owners(screen, triangles, width, height, near):  # type: ignore[no-untyped-def]
    """The nearest triangle of each pixel, -1 where there is none."""
    owner = np.full(width * height, -1, np.int64)
    nearest = np.zeros(width * height, np.float32)  # 1 / depth
    for number in range(len(triangles)):
        a, b, c = triangles[number]
        x0, y0, z0 = screen[a]
        x1, y1, z1 = screen[b]
        x2, y2, z2 = screen[c]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area <= 1e-9 or min(z0, z1, z2) <= near:
            continue
        left = max(np.ceil(min(x0, x1, x2) - 0.5), 0)
        right = min(np.floor(max(x0, x1, x2) - 0.5), width - 1)
        top = max(np.ceil(min(y0, y1, y2) - 0.5), 0)
        bottom = min(np.floor(max(y0, y1, y2) - 0.5), height - 1)
        for row in range(int(top), int(bottom) + 1):
            y = row + 0.5
            for column in range(int(left), int(right) + 1):
                x = column + 0.5
                first = ((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)) / area
                second = ((x0 - x2) * (y - y2) - (y0 - y2) * (x - x2)) / area
                third = ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) / area
                if first < 0 or second < 0 or third < 0:
                    continue
                near_by = np.float32(first / z0 + second / z1 + third / z2)
                pixel = row * width + column
                if near_by > nearest[pixel]:
                    nearest[pixel], owner[pixel] = near_by, number
    return owner


@numba.njit(cache=True)
def _weights(screen, triangles, owner, pixels, width):  # type: ignore[no-untyped-def]
    """Corrected for perspective, and the depth."""
    weights, depths = np.empty((len(pixels), 3), np.float32), np.empty(len(pixels), np.float32)
    for number in range(len(pixels)):
        a, b, c = triangles[owner[pixels[number]]]
        x0, y0, z0 = screen[a]
        x1, y1, z1 = screen[b]
        x2, y2, z2 = screen[c]
        x, y = pixels[number] % width + 0.5, pixels[number] // width + 0.5
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        first = ((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)) / area / z0
        second = ((x0 - x2) * (y - y2) - (y0 - y2) * (x - x2)) / area / z1
        third = ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) / area / z2
        depth = 1 / (first + second + third)
        depths[number] = depth
        weights[number, 0], weights[number, 1], weights[number, 2] = first * depth, second * depth, third * depth
    return weights, depths


@numba.njit(cache=True)
def _interpolate(values, triangles, owners, weights):  # type: ignore[no-untyped-def]
    mixed = np.empty((len(owners), values.shape[1]), np.float32)
    for number in range(len(owners)):
        a, b, c = triangles[owners[number]]
        for k in range(values.shape[1]):
            mixed[number, k] = (
                weights[number, 0] * values[a, k]
                + weights[number, 1] * values[b, k]
                + weights[number, 2] * values[c, k]
            )
    return mixed


def main() -> None:
    from edge_c2vl.cameras.simulated import make_film, parse
    from edge_c2vl.simulated.cameras import VIEWS

    print("| camera | NumPy, ms | compiled, ms | pixels that differ by more than 2 of 255 |\n|---|---|---|---|")
    for camera in VIEWS:
        settings = parse(f"simulated:commuting?camera={camera}&driver=3&detail=0.3")
        times = [0.25 * k for k in range(8)]
        slow, slow_ms = _drawn(make_film(settings), times)
        film = make_film(settings, rasteriser=rasterise)
        film.image(0.0)  # compiles
        fast, fast_ms = _drawn(film, times)
        differ = np.mean(np.abs(np.subtract(slow, fast, dtype=np.int16)).max(axis=-1) > 2)
        print(f"| {camera} | {slow_ms:.0f} | {fast_ms:.0f} | {differ:.4%} |")


def _drawn(film, times):  # type: ignore[no-untyped-def]
    started_s = time.thread_time()
    pictures = [film.image(time_s) for time_s in times]
    return pictures, 1000 * (time.thread_time() - started_s) / len(times)


if __name__ == "__main__":
    main()
