"""What the fault runs watch."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from edge_c2vl.camera import CameraOptions, open_camera


@pytest.fixture(scope="session")
def film(tmp_path_factory) -> Path:
    """Eight seconds of a drawn driver, attentive and on the phone, ten pictures a second."""
    path = tmp_path_factory.mktemp("film") / "driver.mp4"
    with open_camera("simulated:story?live=no&fps=10&seconds=8&each=4", CameraOptions()) as camera:
        pictures = [frame.image for frame in iter(camera.read, None)]
    height, width = pictures[0].shape[:2]
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (width, height))
    for picture in pictures:
        video.write(picture)
    video.release()
    return path
