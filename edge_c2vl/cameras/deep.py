"""Video of more than 8 bits, of which OpenCV gives 8 alone unless it is gray16le. Through PyAV."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.names import for_ffmpeg


class DeepVideo:
    """As much of cv2.VideoCapture as sources use: gray (H, W) or BGR (H, W, 3) pictures as uint16; gray has
    the file's own values.

    quarter_turns: clockwise, by which pictures are turned. white: the value of white, where the file's layout tells
    (1023 of 10 bits, ...); None for 16 bits. Raises
    ImportError without PyAV, OSError or ValueError where the target cannot be opened or holds no such video.
    """

    def __init__(
        self, target: str | Path, open_timeout_s: float, read_timeout_s: float, quarter_turns: int = 0
    ) -> None:
        import av

        with for_ffmpeg(target) if isinstance(target, Path) else nullcontext(target) as name:
            self._container: Any = av.open(name, timeout=(open_timeout_s, read_timeout_s))
        self._errors = av.FFmpegError
        try:
            stream: Any = self._container.streams.video[0]
            gray = re.fullmatch(r"gray(\d+)(le|be)", stream.format.name)
            if gray is None and stream.format.components[0].bits <= 8:
                raise ValueError(f"{stream.format.name} has 8 bits")
        except BaseException:
            self._container.close()
            raise
        bits = int(gray[1]) if gray else None
        # Colour is converted to the whole of 16 bits.
        self.white = None if bits == 16 else float(2 ** (bits or 16) - 1)
        self._type = np.dtype(">u2" if gray and gray[2] == "be" else "<u2") if gray else None
        self._start_s = float(stream.start_time * stream.time_base) if stream.start_time is not None else 0.0
        self._quarter_turns = quarter_turns
        self._packets = self._container.demux(stream)
        self._waiting: list[Any] = []
        self._frame: Any = None

    def grab(self) -> bool:
        """Goes on to the next picture. False where it cannot be decoded, and at the end."""
        try:
            while not self._waiting:
                self._waiting = list(next(self._packets).decode())
        except (self._errors, StopIteration):
            return False
        self._frame = self._waiting.pop(0)
        return True

    def retrieve(self) -> tuple[bool, NDArray[np.uint16]]:
        return True, np.ascontiguousarray(np.rot90(self._image(), -self._quarter_turns))

    def _image(self) -> NDArray[np.uint16]:
        if self._type is None:
            # With PyAV's own choice, bilinear, swscale empties most of red and green.
            rgb: NDArray[np.uint16] = self._frame.to_ndarray(format="rgb48le", interpolation="BICUBIC")
            return rgb[..., ::-1]
        plane = self._frame.planes[0]
        rows = np.frombuffer(plane, self._type).reshape(plane.height, plane.line_size // 2)
        return rows[:, : plane.width].astype(np.uint16)

    def read(self) -> tuple[bool, NDArray[np.uint16] | None]:
        return self.retrieve() if self.grab() else (False, None)

    def timestamp_s(self) -> float:
        """Of the newest picture, from the stream's start; NaN where the container tells none."""
        time_s = self._frame.time
        return float("nan") if time_s is None else float(time_s) - self._start_s

    def release(self) -> None:
        self._container.close()
