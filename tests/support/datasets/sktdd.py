"""Small files in the form of sktDD."""

from __future__ import annotations

from pathlib import Path

import numpy as np

HEADER = "FrameNumber,PersonID," + ",".join(f"x{j},y{j}" for j in range(25))


def row(frame: int, view: int, neck: tuple[float, float] = (0.0, 0.0)) -> str:
    points = np.zeros((25, 2))
    points[1] = neck  # BODY-25's joint 1
    return ",".join(str(value) for value in (frame, view, *points.ravel()))


def write(path: Path, rows: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *rows]) + "\n")
