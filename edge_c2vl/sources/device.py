"""V4L2 cameras: 0, /dev/video0."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from edge_c2vl.errors import CameraError
from edge_c2vl.sources.base import Source
from edge_c2vl.sources.latest import Latest

if TYPE_CHECKING:
    from edge_c2vl.camera import CameraOptions

# For whoever has none: what needs nothing plugged in.
WITHOUT_CAMERA = "--camera simulated:story (a drawn driver) or --camera sample (a recorded one)"


def open_device(uri: str, options: CameraOptions) -> Source:
    """A camera by number or device file; its driver is asked for the width, height and frame rate."""
    device = Path(f"/dev/video{int(uri)}" if uri.isdigit() else uri)
    if not device.exists():
        found = ", ".join(str(path) for path in devices())
        advice = "" if found else f", or see it at work without one: {WITHOUT_CAMERA}"
        raise CameraError(f"no camera {device} (cameras here: {found or 'none'}); check that it is plugged in{advice}")
    if not os.access(device, os.R_OK | os.W_OK):
        raise CameraError(f"no permission to open {device}; add yourself to its group: sudo usermod -aG video $USER")

    def open_capture() -> Source:
        import cv2

        from edge_c2vl.sources.capture import Capture

        asked = {
            cv2.CAP_PROP_FRAME_WIDTH: options.width,
            cv2.CAP_PROP_FRAME_HEIGHT: options.height,
            cv2.CAP_PROP_FPS: options.fps,
        }
        settings = {key: float(value) for key, value in asked.items() if value is not None}
        hint = "it is no camera, or another program uses it"
        return Capture(str(device), str(device), cv2.CAP_V4L2, {}, settings, hint)

    # OpenCV's V4L2 backend waits this long for a picture before it gives up; its own default is 10 s.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(max(1, round(options.read_timeout_s))))
    return Latest(str(device), open_capture, options.open_timeout_s, options.read_timeout_s)


def devices() -> list[Path]:
    """The V4L2 device files of this machine, by number."""
    return sorted(Path("/dev").glob("video[0-9]*"), key=lambda path: int(path.name[5:]))
