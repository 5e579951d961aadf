"""What every camera kind gives: pictures with the time they were taken."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Picture:
    """A picture as the source delivers it: gray (H, W) or BGR (H, W, 3), uint8 or uint16.

    timestamp_s: where in the recording it lies (files), or when it was taken by the monotonic clock (live).
    captured_s: time.monotonic() when it came. white: of 16-bit pictures the value of white, where the layout tells.
    pixel_aspect: width of a pixel by its height.
    """

    image: NDArray[Any]
    timestamp_s: float
    captured_s: float
    white: float | None = None
    pixel_aspect: float = 1.0


class PictureSource(ABC):
    """One opened camera, stream or file. Used by one thread at a time; only `interrupt` may come from another."""

    live = False
    """Whether pictures come at their own rate, so that a slow reader misses some."""
    fps: float | None = None
    """Nominal frames a second, where the source tells."""
    frame_count: int | None = None
    """About how many pictures a file has, where it tells."""

    @abstractmethod
    def read(self) -> Picture | None:
        """The next picture; None at the end of a file. Raises CameraError."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of the device or file. May be called again."""

    @abstractmethod
    def reopen(self) -> None:
        """Connects again (live), or goes back to the beginning (a file). Raises CameraError."""

    @property
    def dropped(self) -> int:
        """Pictures that came but were never read, because newer ones did."""
        return 0

    @property
    def damaged(self) -> int:
        """Pictures that could not be decoded and were left out."""
        return 0

    def interrupt(self) -> None:  # noqa: B027
        """Wakes a `read` that waits for a live picture; it then returns None. Safe from every thread."""
