"""A video file with skeleton and state drawn on every frame. The one sink that keeps pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from edge_c2vl.errors import EdgeC2VLError, OutputError, UsageError
from edge_c2vl.monitoring.events import SeenFrame
from edge_c2vl.names import for_ffmpeg, short
from edge_c2vl.outputs.base import Sink
from edge_c2vl.outputs.overlay import draw
from edge_c2vl.utils.files import open_held


class VideoFile(Sink):
    """Writes MP4 (MPEG-4 part 2: OpenCV's wheels hold no H.264 encoder) at a constant rate: each frame is shown until
    the next one's timestamp, so that the file's time is the recording's. It takes its name only when it is whole.

    Raises OutputError where none can be written, UsageError where another run writes it."""

    wants_frames = True

    def __init__(self, path: str, fps: float) -> None:
        self._path = Path(path)
        if self._path.suffix.lower() != ".mp4":
            raise UsageError(f"--output {path}: give a name that ends in .mp4")
        if not self._path.parent.is_dir():
            raise OutputError(f"--output {path}: there is no folder {self._path.parent}")
        self._part = self._path.with_name(f".{short(self._path.stem)}.part.mp4")
        try:
            if self._path.is_dir():
                raise UsageError(f"--output {path}: that is a folder")
            # FFmpeg writes into this file, which only this user can read; the rest of a killed run is overwritten.
            self._held = open_held(self._part, os.O_RDWR, stands_for=self._path)
        except OSError as error:
            raise OutputError(f"--output {path}: cannot write there: {error.strerror}") from None
        self._fps = fps if 1 <= fps <= 240 else 30.0
        self._writer: Any = None
        self._size = (0, 0)
        self._start_s = 0.0
        self._written = 0

    def frame(self, frame: SeenFrame) -> None:
        import cv2

        image = draw(frame)
        if self._writer is None:
            self._size = (image.shape[1], image.shape[0])
            code = cv2.VideoWriter.fourcc(*"mp4v")
            with for_ffmpeg(self._part) as name:
                self._writer = cv2.VideoWriter(name, cv2.CAP_FFMPEG, code, self._fps, self._size)
            if not self._writer.isOpened():
                self._writer = None
                raise EdgeC2VLError(
                    f"{self._path}: OpenCV cannot write a video of {self._size[0]}x{self._size[1]} there"
                )
            self._start_s = frame.timestamp_s
        if (image.shape[1], image.shape[0]) != self._size:
            image = cv2.resize(image, self._size)
        due = round((frame.timestamp_s - self._start_s) * self._fps) + 1
        for _ in range(max(0, min(due - self._written, int(10 * self._fps)))):
            self._writer.write(image)
            self._written += 1

    def close(self) -> None:
        whole = self._writer is not None and self._finish()
        if whole:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)
        os.close(self._held)
        if self._writer is not None and not whole:
            raise OutputError(
                f"--output {self._path}: the video could not be finished, and is removed: is the disk full?"
            )

    def _finish(self) -> bool:
        """Whether the video can be read: OpenCV does not tell where a disk was full."""
        import cv2

        self._writer.release()
        with for_ffmpeg(self._part) as name:
            return bool(cv2.VideoCapture(name, cv2.CAP_FFMPEG).isOpened())
