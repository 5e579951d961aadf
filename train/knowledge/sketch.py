"""A clip's skeletons as a sketch for the terminal."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_c2vl.plots import bones, extent, moments
from edge_c2vl.skeletons.skeleton import Array

_BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # dots of a Unicode braille cell, (row, column)


def sketch(sequence: ArrayLike, frames: int = 5, width: int = 16, height: int = 9) -> str:
    """The skeletons of `frames` moments in braille characters, `height` lines, each moment `width` columns wide."""
    poses = np.asarray(sequence, np.float32)
    middle, half = extent(poses)
    cells = [_cells(poses[index], middle, half, width, height) for index in moments(len(poses), frames)]
    lines = np.concatenate(cells, axis=1)
    return "\n".join("".join(chr(0x2800 + value) for value in line).rstrip("\u2800") for line in lines)


def _cells(pose: Array, middle: NDArray[np.float64], half: float, width: int, height: int) -> NDArray[np.int64]:
    # A terminal's cell is twice as high as wide and braille is 4 by 2 dots, so that dots are square.
    scale = min(2 * width, 4 * height) / (2 * half)
    cells = np.zeros((height, width), np.int64)
    for _, (start, end) in bones(pose):
        for share in np.linspace(0, 1, 4 * height):
            x, y = (1 - share) * start + share * end
            column = int((x - middle[0]) * scale + width)
            row = int((middle[1] - y) * scale + 2 * height)
            if 0 <= column < 2 * width and 0 <= row < 4 * height:
                cells[row // 4, column // 2] |= _BRAILLE[row % 4][column % 2]
    return cells
