"""V4L2 cameras: 0, /dev/video0, /dev/v4l/by-id/..., and links to them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from edge_c2vl.cameras.base import PictureSource
from edge_c2vl.cameras.live import Latest
from edge_c2vl.errors import CameraError

if TYPE_CHECKING:
    from edge_c2vl.cameras.options import CameraOptions

# Shown where no camera is connected: the sources that need none.
WITHOUT_CAMERA = "--camera simulated:story (a drawn driver) or --camera sample (a recorded one)"
# Where udev names cameras by what they are, and by where they are plugged in.
STABLE_NAMES = ("v4l/by-id", "v4l/by-path")


def open_device(uri: str, options: CameraOptions) -> PictureSource:
    """A camera by number, device file or a link to one; its driver is asked for the width, height and frame rate.

    A link is followed at each opening: after the camera was plugged in again it may lead to another number.
    """
    name = f"/dev/video{int(uri)}" if uri.isdigit() else uri
    check_device(name)
    first: dict[int, float] = {}

    def open_capture() -> PictureSource:
        import cv2

        from edge_c2vl.cameras.opencv import Capture

        check_device(name)
        asked = {
            cv2.CAP_PROP_FRAME_WIDTH: options.width,
            cv2.CAP_PROP_FRAME_HEIGHT: options.height,
            cv2.CAP_PROP_FPS: options.fps,
        }
        settings = first | {key: float(value) for key, value in asked.items() if value is not None}
        hint = "it is no camera, or another program uses it"
        capture = Capture(name, os.path.realpath(name), cv2.CAP_V4L2, {}, settings, hint)
        # One that comes back is asked for the size that it had, which a crop was given for.
        first.update(first or capture.size())
        return capture

    # OpenCV's V4L2 backend waits this long for a picture before it gives up; its own default is 10 s.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(max(1, round(options.read_timeout_s))))
    return Latest(name, open_capture, options.open_timeout_s, options.read_timeout_s)


def check_device(name: str) -> None:
    """Raises CameraError where there is no camera of that name, or not for this user."""
    try:
        mode = os.stat(name).st_mode
    except FileNotFoundError:
        found = ", ".join(str(stable_name(path)) for path in devices())
        advice = "" if found else f", or see it at work without one: {WITHOUT_CAMERA}"
        raise CameraError(
            f"no camera {name} (cameras here: {found or 'none'}); check that it is plugged in{advice}"
        ) from None
    except OSError as error:
        raise CameraError(f"cannot open {name}: {error.strerror}") from None
    if not stat.S_ISCHR(mode):
        raise CameraError(f"cannot open {name}: it is no video device")
    if not os.access(name, os.R_OK | os.W_OK):
        raise CameraError(f"no permission to open {name}; add yourself to its group: sudo usermod -aG video $USER")


def devices(root: Path = Path("/dev")) -> list[Path]:
    """The V4L2 device files of this machine, by number."""
    found = [path for path in root.glob("video[0-9]*") if path.name[5:].isdecimal()]
    return sorted(found, key=lambda path: int(path.name[5:]))


def stable_name(device: Path, root: Path = Path("/dev")) -> Path:
    """udev's name of a camera, which it keeps over a restart and in another order of plugging in: by what it is, else
    by where it is plugged in; the device file itself where udev gives none."""
    for folder in STABLE_NAMES:
        for link in sorted((root / folder).glob("*")):
            if os.path.realpath(link) == os.path.realpath(device):
                return link
    return device
