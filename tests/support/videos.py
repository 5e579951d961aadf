"""Recordings for tests: drawn ones, which every machine can have, and the shared ones, where they are, as the further
check. And the program that encodes and streams them."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import pytest

from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions

_COMMON = "live=no&fps=10&size=320x240"
# What `Recordings` draws, by the simulated driver. The number of pictures is that of seconds times fps.
DRAWN = {
    "phoning.mp4": f"simulated:phoning?{_COMMON}&seconds=5",
    "attentive.mp4": f"simulated:attentive?{_COMMON}&seconds=4.7&driver=2",
    "story.mp4": f"simulated:story?{_COMMON}&seconds=8&each=4",
    # So dark that the pose network sees nobody, as in Drive&Act's own infrared pictures.
    "dark.png": "simulated:attentive?live=no&seconds=0.02&camera=inner_mirror&look=ir&exposure=0.02",
}


def ffmpeg() -> str:
    """The program of the wheel imageio-ffmpeg, for tests, benchmarks and tools: the same on every machine, whatever the
    system has."""
    import imageio_ffmpeg

    path: str = imageio_ffmpeg.get_ffmpeg_exe()
    return path


class Recordings:
    """Recordings by name: drawn into `folder` when they are first asked for, or lying in `shared`."""

    def __init__(self, folder: Path, shared: Path | None) -> None:
        self._folder, self._shared = folder, shared

    def __call__(self, name: str) -> Path:
        """The file; the test is skipped where it is a shared one and those are not here."""
        if name in DRAWN:
            return self._drawn(name)
        if self._shared is None:
            pytest.skip("needs the shared recordings: set EDGE_C2VL_DATA or put them at ../shared/data")
        return self._shared / name

    def _drawn(self, name: str) -> Path:
        path = self._folder / name
        if not path.exists():
            # Other processes of the same session may draw the same: whoever comes last wins, with the same pictures.
            part = path.with_name(f"{os.getpid()}-{name}")
            with open_camera(DRAWN[name], CameraOptions(mode="rgb")) as camera:
                write(part, [frame.image for frame in iter(camera.read, None)])
            part.replace(path)
        return path


def write(path: Path, pictures: list[cv2.typing.MatLike]) -> None:
    """Pictures (H, W, 3) as a video of ten a second, or the first as an image, by the file's suffix."""
    if path.suffix == ".png":
        assert cv2.imwrite(str(path), pictures[0])
        return
    height, width = pictures[0].shape[:2]
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (width, height))
    for picture in pictures:
        video.write(picture)
    video.release()
