"""What is asked of a camera: size, rotation, crop, mode."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge_c2vl.errors import UsageError

Crop = tuple[float, float, float, float]
# A smaller crop is a mistake in its numbers: no pose can be found in it.
MIN_CROP_PX = 16
MODES = ("auto", "rgb", "ir")


@dataclass(frozen=True)
class CameraOptions:
    """Raises UsageError where a value makes no sense.

    width, height: pixels; a camera is asked for them, and pictures of another size are scaled to it (where only one is
    given, the other follows). fps: frames a second; a camera is asked for it, a folder of images plays at it, and of a
    video or stream with more the frames between are left out. rotation: clockwise degrees, 0, 90, 180 or 270. crop: (x,
    y, width, height) of the driver's seat in the upright picture, in pixels, or all as shares of it (none above 1).
    mirror: flips left and right. mode: "rgb", "ir" (brightened while dark) or "auto" (brightened while dark and gray).
    realtime: a file plays at its own speed, and whoever reads too slowly misses frames as with a camera.
    """

    width: int | None = None
    height: int | None = None
    fps: float | None = None
    rotation: int = 0
    mirror: bool = False
    crop: Crop | None = None
    mode: str = "auto"
    realtime: bool = False
    open_timeout_s: float = 6.0
    read_timeout_s: float = 5.0

    def __post_init__(self) -> None:
        for name in ("width", "height", "fps", "open_timeout_s", "read_timeout_s"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"camera {name} is {value:g}; it must be above 0")
        if self.rotation not in (0, 90, 180, 270):
            raise UsageError(f"camera rotation is {self.rotation}; it must be 0, 90, 180 or 270")
        if self.mode not in MODES:
            raise UsageError(f"camera mode is {self.mode!r}; it must be one of {', '.join(MODES)}")
        if self.crop is not None:
            check_crop(self.crop)


def parse_crop(text: str) -> Crop:
    """ "X,Y,W,H" in pixels, or in shares of the picture (none above 1). Raises UsageError."""
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"crop {text!r} is not X,Y,W,H, such as 320,0,320,480 or 0.5,0,0.5,1") from None
    check_crop((x, y, width, height))
    return x, y, width, height


def check_crop(crop: Crop) -> None:
    """Raises UsageError where a crop cannot lie in any picture."""
    x, y, width, height = crop
    shares = max(crop) <= 1
    if not all(math.isfinite(value) for value in crop) or min(x, y) < 0 or min(width, height) <= 0:
        raise UsageError(f"crop {_text(crop)} needs x and y of 0 or more, and a width and height above 0")
    if shares and (x + width > 1 + 1e-6 or y + height > 1 + 1e-6):
        raise UsageError(f"crop {_text(crop)} reaches beyond the picture: x + width and y + height may be 1 at most")


def crop_pixels(crop: Crop, width: int, height: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of a crop in a picture of that size. Raises UsageError where it does not lie in it."""
    x, y, w, h = crop
    if max(crop) <= 1:
        x, y, w, h = x * width, y * height, w * width, h * height
    left, top, right, bottom = round(x), round(y), round(x + w), round(y + h)
    if right > width or bottom > height:
        raise UsageError(f"crop {_text(crop)} reaches beyond the picture, which is {width}x{height}")
    if right - left < MIN_CROP_PX or bottom - top < MIN_CROP_PX:
        raise UsageError(f"crop {_text(crop)} leaves {right - left}x{bottom - top} pixels; {MIN_CROP_PX} are the least")
    return left, top, right, bottom


def _text(crop: Crop) -> str:
    return ",".join(f"{value:g}" for value in crop)
