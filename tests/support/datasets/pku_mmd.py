"""Small files in the form of PKU-MMD."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def frames(length: int, seed: int = 0, bodies: int = 2) -> np.ndarray:
    """(T, 2, 25, 3)"""
    result = np.random.default_rng(seed).normal(size=(length, 2, 25, 3)).round(4).astype(np.float32)
    result[:, bodies:] = 0
    return result


def write(folder: Path, video: str, values: np.ndarray, labels: str) -> None:
    for kind in ("Data", "Label"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    lines = [" ".join(str(number) for number in row) for row in values.reshape(len(values), -1)]
    (folder / "Data" / f"{video}.txt").write_text("\n".join(lines) + "\n")
    (folder / "Label" / f"{video}.txt").write_text(labels)


def write_clip(path: Path, values: np.ndarray) -> None:
    """As AimCLR's pku_part1_skeleton.py writes a clip: one header a frame, whether one body or two."""
    lines = [str(len(values))]
    for frame in values:
        count = 2 if frame[1].any() else 1
        lines += [str(count), "6 1 0 0 1 1 0 -0.437266 -0.117168 2", "25"]
        lines += [" ".join(str(number) for number in joint) for joint in frame[:count].reshape(-1, 3)]
    path.write_text("\n".join(lines) + "\n")
