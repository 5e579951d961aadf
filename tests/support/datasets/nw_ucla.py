"""Small files in the form of NW-UCLA."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def write(folder: Path, name: str = "a08_s02_e03_v03", **change: object) -> Path:
    points = np.arange(2 * 20 * 3).reshape(2, 20, 3) + 1.0
    values = {"file_name": name, "skeletons": points.tolist(), "label": 7}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(values | change))
    return path
