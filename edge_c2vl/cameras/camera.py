"""Frames with timestamps from a camera, a stream, a video or images, ready for the pose network.

    with open_camera("rtsp://192.168.1.10/stream", CameraOptions(crop=(0.5, 0, 0.5, 1))) as camera:
        while (frame := camera.read()) is not None:
            ...

What a URI may be stands in `edge_c2vl/cameras`. Each picture is resized, rotated, cropped to the driver's seat,
brightened if it is a dark infrared one, and mirrored, in this order, and only when it is read: pictures that a live
source delivers in the meantime cost nothing.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.cameras.base import Picture, PictureSource
from edge_c2vl.cameras.infrared import Brightener
from edge_c2vl.cameras.options import MIN_CROP_PX, CameraOptions, crop_pixels
from edge_c2vl.cameras.registry import kind_of, open_source
from edge_c2vl.names import printable
from edge_c2vl.utils.redact import redact

# How far the shape (width by height) may change before a crop no longer shows the same seat: some cameras and encoders
# round to 8 or 16 rows.
MAX_SHAPE_CHANGE = 0.02

log = logging.getLogger("edge_c2vl")


@dataclass(frozen=True)
class Frame:
    """image: uint8 BGR (H, W, 3). timestamp_s: time in the recording (files), monotonic capture time (live).
    captured_s: time.monotonic() when it was captured. index: counts the frames read, from 0."""

    image: NDArray[np.uint8]
    timestamp_s: float
    captured_s: float
    index: int


@dataclass(frozen=True)
class NoPicture:
    """Stands for a frame while there is none to be looked at."""

    timestamp_s: float
    captured_s: float
    image: None = None


class Camera:
    """Reads one source. `read` and `reopen` are for one thread; `interrupt` and the counters are for all."""

    def __init__(self, uri: str, options: CameraOptions, source: PictureSource) -> None:
        self._uri, self._options, self._source = uri, options, source
        self._brightener = Brightener(options.mode)
        self._due_s = -math.inf
        self._index = 0
        self._size = ""
        # Width and height of the first picture as it came (with square pixels), which a crop was given for, and of the
        # newest.
        self._first: tuple[int, int] | None = None
        self._newest: tuple[int, int] | None = None
        self.misfit = ""
        """Why pictures are not watched, though they come; empty where they are."""

    @property
    def live(self) -> bool:
        """Whether frames come at their own pace, so that a slow reader misses some (cameras, streams, realtime)."""
        return self._source.live

    @property
    def fps(self) -> float | None:
        """Nominal frames a second that `read` gives, where the source tells."""
        rates = [rate for rate in (self._source.fps, self._options.fps) if rate]
        return min(rates) if rates else None

    @property
    def source_fps(self) -> float | None:
        """Nominal frames a second of the source itself, where it tells."""
        return self._source.fps

    @property
    def frame_count(self) -> int | None:
        """About how many pictures a file has, before any are left out; None where it does not tell."""
        return self._source.frame_count

    @property
    def dropped(self) -> int:
        """Frames of a live source that were never read because newer ones came."""
        return self._source.dropped

    @property
    def damaged(self) -> int:
        """Pictures that could not be decoded and were left out."""
        return self._source.damaged

    def read(self) -> Frame | NoPicture | None:
        """The next frame of a file, or None at its end; of a live source the newest that was not read yet, for which
        it waits. A NoPicture while there is a `misfit`: the picture has another shape than the one that the crop was
        given for, so that the crop would show another seat. Raises CameraError when a live source ends, stops
        delivering, or a file is damaged."""
        while (picture := self._source.read()) is not None:
            if self._options.fps is None or self._is_due(picture.timestamp_s, 1 / self._options.fps):
                width, height = square_size(picture)
                self._look_at_size(width, height)
                if self.misfit:
                    return NoPicture(picture.timestamp_s, picture.captured_s)
                image = self._prepare(picture, width, height)
                frame = Frame(image, picture.timestamp_s, picture.captured_s, self._index)
                self._index += 1
                return frame
        return None

    def _is_due(self, timestamp_s: float, period_s: float) -> bool:
        """Thins a source to one frame a period. A quarter period early counts, because cameras' clocks jitter."""
        if timestamp_s < self._due_s - 0.25 * period_s and timestamp_s > self._due_s - 2 * period_s:
            return False
        late = not self._due_s - period_s < timestamp_s < self._due_s + period_s
        self._due_s = (timestamp_s if late else self._due_s) + period_s
        return True

    def _prepare(self, picture: Picture, width: int, height: int) -> NDArray[np.uint8]:
        """width, height: of the picture with square pixels."""
        import cv2

        options = self._options
        image = _scale(picture.image, *_scaled_size(width, height, options.width, options.height))
        if options.rotation:
            turn = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
            image = cv2.rotate(image, turn[options.rotation])
        if options.crop is not None:
            left, top, right, bottom = self._crop_box(image.shape[1], image.shape[0])
            image = image[top:bottom, left:right]
        bgr = self._brightener.apply(image, picture.timestamp_s, picture.white)
        if options.mirror:
            bgr = cv2.flip(bgr, 1).astype(np.uint8, copy=False)
        self._size = f"{bgr.shape[1]}x{bgr.shape[0]}"
        return np.ascontiguousarray(bgr)

    def _look_at_size(self, width: int, height: int) -> None:
        """Sets `misfit` by the size of a picture as it came, and tells of a change, as a camera that was plugged in
        again or a stream of another quality brings it."""
        first = self._first = self._first or (width, height)
        if self._newest in (None, (width, height)) or self._options.crop is None:
            self._newest = (width, height)
            return
        self._newest = (width, height)
        sizes = f"the picture is {width}x{height}, and the crop was given for {first[0]}x{first[1]}"
        left, top, right, bottom = self._crop_box(*self._upright_size(width, height))
        if abs(width * first[1] / (height * first[0]) - 1) > MAX_SHAPE_CHANGE:
            self.misfit = f"{sizes}, another shape"
        elif min(right - left, bottom - top) < MIN_CROP_PX:
            self.misfit = f"{sizes}: too few pixels are left"
        else:
            self.misfit = ""
        if self.misfit:
            log.error("%s; nothing is watched until the size comes back", self.misfit)
        else:
            log.warning("%s: %s", sizes, "watched" if (width, height) == first else "it is scaled with the picture")

    def _upright_size(self, width: int, height: int) -> tuple[int, int]:
        """The width and height that a picture of that size has when the crop's turn comes."""
        width, height = _scaled_size(width, height, self._options.width, self._options.height)
        return (width, height) if self._options.rotation in (0, 180) else (height, width)

    def _crop_box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) of the crop in an upright picture of that size: a crop in pixels goes with the
        picture that it was given for. Raises UsageError where it does not lie in that."""
        assert self._options.crop is not None
        assert self._first is not None
        given = self._upright_size(*self._first)
        left, top, right, bottom = crop_pixels(self._options.crop, *given)
        across, down = width / given[0], height / given[1]
        return round(left * across), round(top * down), round(right * across), round(bottom * down)

    def describe(self) -> str:
        """For a person: the kind, the URI without secrets, and what is known of its pictures."""
        rate = f"{self.fps:.4g} fps" if self.fps else ""
        mode = "infrared, brightened" if self._brightener.active else ""
        trouble = f"NOT WATCHED: {self.misfit}" if self.misfit else ""
        details = [part for part in (trouble, "" if trouble else self._size, rate, mode) if part]
        kind, name = kind_of(self._uri), printable(redact(self._uri))
        said = name == kind or name.startswith(f"{kind}:")
        return (name if said else f"{kind} {name}") + (f" ({', '.join(details)})" if details else "")

    def reopen(self) -> None:
        """Connects to a live source anew, or goes back to a file's beginning. Raises CameraError."""
        self._source.reopen()
        self._brightener = Brightener(self._options.mode)
        self._due_s = -math.inf

    def interrupt(self) -> None:
        """Makes a `read` that waits for a live source return None at once. Safe from every thread."""
        self._source.interrupt()

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> Camera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_camera(uri: str, options: CameraOptions | None = None) -> Camera:
    """Opens what the URI names. Raises UsageError (no camera URI) or CameraError (cannot be opened), within
    `open_timeout_s` and two seconds."""
    options = options or CameraOptions()
    return Camera(uri, options, open_source(uri, options))


def square_size(picture: Picture) -> tuple[int, int]:
    """Width and height that the picture has with square pixels, without any being lost. A body that is drawn twice as
    wide as it is leans and reaches otherwise."""
    rows, columns = picture.image.shape[:2]
    aspect = picture.pixel_aspect
    return (round(columns * aspect), rows) if aspect >= 1 else (columns, round(rows / aspect))


def _scaled_size(columns: int, rows: int, width: int | None, height: int | None) -> tuple[int, int]:
    """Width and height of a picture at `width` x `height`; what is None follows from the picture's proportions."""
    width = width or (max(1, round(columns * height / rows)) if height else columns)
    return width, height or max(1, round(rows * width / columns))


def _scale(image: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    rows, columns = image.shape[:2]
    if (width, height) == (columns, rows):
        return image
    import cv2

    shrinks = width * height < columns * rows
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
