"""Small files in the form of NTU RGB+D."""

from __future__ import annotations

from pathlib import Path

import numpy as np

NAME = "S001C002P003R001A050"


def standing(length: int, seed: int = 0, motion: float = 0.1) -> np.ndarray:
    """(T, 25, 3): a body taller than wide that sways by `motion` metres."""
    rng = np.random.default_rng(seed)
    body = rng.uniform((-0.2, -0.9, 2.8), (0.2, 0.9, 3.2), (25, 3))
    return (body + motion * rng.normal(size=(length, 1, 3))).astype(np.float32)


def skeleton_text(frames: list[dict[str, np.ndarray]], state: int = 2) -> str:
    """The .skeleton format: for each frame its bodies, id -> joints (25, 3)."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body, joints in bodies.items():
            lines += [f"{body} 0 1 1 1 1 0 0.02764709 0.05745083 2", "25"]
            lines += [f"{x} {y} {z} 277.41 191.82 1036.23 519.16 -0.21 0.07 0.97 -0.09 {state}" for x, y, z in joints]
    return "\n".join(lines) + "\n"


def write(folder: Path, tracks: dict[str, tuple[int, np.ndarray]], length: int, name: str = NAME) -> Path:
    """tracks: body id -> (first frame, joints (n, 25, 3))."""
    frames: list[dict[str, np.ndarray]] = [{} for _ in range(length)]
    for body, (start, joints) in tracks.items():
        for offset, joint in enumerate(joints):
            frames[start + offset][body] = joint
    path = folder / f"{name}.skeleton"
    path.write_text(skeleton_text(frames))
    return path
