"""A small video."""

from __future__ import annotations

import cv2
import numpy as np
import pytest


@pytest.fixture
def clip(tmp_path):
    """A second of 25 fps in which frame i is gray 10 * i."""
    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (64, 48))
    for index in range(25):
        writer.write(np.full((48, 64, 3), 10 * index, np.uint8))
    writer.release()
    return path
