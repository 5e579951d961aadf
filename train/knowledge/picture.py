"""A clip's skeletons as pictures: a film strip (PNG), and a sketch for the terminal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.skeleton import NTU25, Array

_COLOURS = {"left": "#d1495b", "right": "#2e86ab", "middle": "#444444"}
_BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # dots of a Unicode braille cell, (row, column)


def _side(bone: tuple[int, int]) -> str:
    sides = [NTU25.joints[joint].partition("_")[0] for joint in bone]
    return next((side for side in sides if side in ("left", "right")), "middle")


def _chosen(count: int, frames: int) -> NDArray[np.int64]:
    return np.linspace(0, count - 1, min(frames, count)).round().astype(np.int64)


def _limits(sequence: Array) -> tuple[NDArray[np.float64], float]:
    """Middle (2,) and half-width of what is seen over the clip, in x and y."""
    seen = sequence[..., 3] > 0
    if not seen.any():
        return np.zeros(2), 1.0
    low, high = np.percentile(sequence[seen][:, :2], [0.5, 99.5], axis=0)
    return (low + high) / 2, max(float((high - low).max()) / 2 * 1.1, 1e-6)


def film_strip(sequence: ArrayLike, timestamps_s: ArrayLike, path: Path, title: str = "", frames: int = 8) -> None:
    """Draws `frames` skeletons of an ntu25 sequence (T, 25, 4) side by side into `path` (PNG, PDF or SVG, by its
    suffix), left side red, right side blue, the title under them. Raises EdgeC2VLError."""
    import textwrap

    from matplotlib.figure import Figure

    poses, stamps = np.asarray(sequence, np.float32), np.asarray(timestamps_s, np.float64)
    chosen = _chosen(len(poses), frames)
    middle, half = _limits(poses)
    figure = Figure(figsize=(1.7 * len(chosen) + 0.4, 3.4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(chosen), sharey=True))
    for panel, index in zip(panels, chosen, strict=True):
        pose = poses[index]
        for bone in NTU25.bones:
            if (pose[list(bone), 3] > 0).all():
                panel.plot(*pose[list(bone), :2].T, color=_COLOURS[_side(bone)], linewidth=2, solid_capstyle="round")
        panel.set(
            xlim=(middle[0] - half, middle[0] + half),
            ylim=(middle[1] - half, middle[1] + half),
            title=f"{stamps[index] - stamps[0]:.2f} s",
            aspect="equal",
            xticks=[],
            yticks=[],
        )
    figure.supxlabel("\n".join(textwrap.wrap(title, 22 * len(chosen) + 10)), fontsize=8)
    temporary = path.with_name(f".{path.name}")
    try:
        figure.savefig(temporary, dpi=110, format=path.suffix.removeprefix(".") or "png")
        temporary.replace(path)
    except (OSError, ValueError) as error:
        temporary.unlink(missing_ok=True)
        raise EdgeC2VLError(f"no picture could be written to {path}: {error}") from None


def sketch(sequence: ArrayLike, frames: int = 5, width: int = 16, height: int = 9) -> str:
    """The skeletons of `frames` moments in braille characters, `height` lines, each moment `width` columns wide."""
    poses = np.asarray(sequence, np.float32)
    middle, half = _limits(poses)
    cells = [_cells(poses[index], middle, half, width, height) for index in _chosen(len(poses), frames)]
    lines = np.concatenate(cells, axis=1)
    return "\n".join("".join(chr(0x2800 + value) for value in line).rstrip("\u2800") for line in lines)


def _cells(pose: Array, middle: NDArray[np.float64], half: float, width: int, height: int) -> NDArray[np.int64]:
    # A terminal's cell is twice as high as wide and braille is 4 by 2 dots, so that dots are square.
    scale = min(2 * width, 4 * height) / (2 * half)
    cells = np.zeros((height, width), np.int64)
    for bone in NTU25.bones:
        if not (pose[list(bone), 3] > 0).all():
            continue
        for share in np.linspace(0, 1, 4 * height):
            x, y = (1 - share) * pose[bone[0], :2] + share * pose[bone[1], :2]
            column = int((x - middle[0]) * scale + width)
            row = int((middle[1] - y) * scale + 2 * height)
            if 0 <= column < 2 * width and 0 <= row < 4 * height:
                cells[row // 4, column // 2] |= _BRAILLE[row % 4][column % 2]
    return cells
