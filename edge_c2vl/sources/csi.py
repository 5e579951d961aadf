"""CSI cameras of a Jetson: csi://0, through GStreamer's nvarguscamerasrc."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

import numpy as np

from edge_c2vl.errors import CameraError
from edge_c2vl.sources.base import Picture, Source
from edge_c2vl.sources.latest import Latest

if TYPE_CHECKING:
    from edge_c2vl.camera import CameraOptions

DEFAULT_WIDTH, DEFAULT_HEIGHT, DEFAULT_FPS = 1280, 720, 30


def open_csi(uri: str, options: CameraOptions) -> Source:
    """Through OpenCV where it was built with GStreamer, else through the program gst-launch-1.0: pip's OpenCV has
    none."""
    sensor = int(uri.removeprefix("csi://"))
    width, height = options.width or DEFAULT_WIDTH, options.height or DEFAULT_HEIGHT
    fps = options.fps or DEFAULT_FPS
    elements = pipeline(sensor, width, height, fps)

    def open_capture() -> Source:
        import cv2

        from edge_c2vl.sources.capture import Capture, timeouts

        if has_gstreamer():
            # One buffer, dropped when a newer picture comes: else the sink queues them and the delay grows.
            target = f"{elements} ! appsink drop=true max-buffers=1 sync=false"
            parameters = timeouts(options.open_timeout_s, options.read_timeout_s)
            return Capture(
                uri,
                target,
                cv2.CAP_GSTREAMER,
                parameters,
                {},
                "nvarguscamerasrc failed; see journalctl -u nvargus-daemon",
            )
        return GstLaunch(uri, elements, width, height, fps, options.read_timeout_s)

    if not has_gstreamer() and shutil.which("gst-launch-1.0") is None:
        raise CameraError(
            f"cannot open {uri}: this OpenCV has no GStreamer and there is no gst-launch-1.0; "
            "install it with: sudo apt-get install gstreamer1.0-tools gstreamer1.0-plugins-base"
        )
    return Latest(uri, open_capture, options.open_timeout_s + 1.5, options.read_timeout_s)


def pipeline(sensor: int, width: int, height: int, fps: float) -> str:
    """GStreamer elements from the sensor to BGR pictures in the CPU's memory."""
    return (
        f"nvarguscamerasrc sensor-id={sensor} ! "
        f"video/x-raw(memory:NVMM),width={width},height={height},framerate={round(fps)}/1 ! "
        "nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR"
    )


def has_gstreamer() -> bool:
    """Whether OpenCV was built with GStreamer."""
    import cv2

    return bool(cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER))


class GstLaunch(Source):
    """gst-launch-1.0 writing raw BGR pictures of a known size into a pipe."""

    live = True

    def __init__(self, name: str, elements: str, width: int, height: int, fps: float, read_timeout_s: float) -> None:
        self._name, self._shape, self.fps = name, (height, width, 3), fps
        self._read_timeout_s = read_timeout_s
        # GStreamer pads each row to a multiple of 4 bytes.
        self._stride = (width * 3 + 3) // 4 * 4
        # A pipe of its own, because nvarguscamerasrc writes messages to standard output.
        reading, writing = os.pipe()
        self._pipe = open(reading, "rb", buffering=0)  # noqa: SIM115
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115
        command = ["gst-launch-1.0", "-q", *elements.split(), "!", "fdsink", f"fd={writing}", "sync=false"]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self._messages, stderr=self._messages, pass_fds=[writing]
            )
        finally:
            os.close(writing)

    def read(self) -> Picture:
        height, width, _ = self._shape
        buffer = bytearray(height * self._stride)
        view, filled = memoryview(buffer), 0
        while filled < len(buffer):
            if not select.select([self._pipe], [], [], self._read_timeout_s)[0]:
                raise CameraError(f"{self._name} delivered no picture for {self._read_timeout_s:g} s")
            count = self._pipe.readinto(view[filled:])
            if not count:
                raise CameraError(f"{self._name} stopped: {self._last_words()}")
            filled += count
        captured_s = time.monotonic()
        rows = np.frombuffer(buffer, np.uint8).reshape(height, self._stride)
        return Picture(rows[:, : width * 3].reshape(self._shape), captured_s, captured_s)

    def _last_words(self) -> str:
        """What a gst-launch-1.0 that has ended said of it."""
        self._process.wait()
        self._messages.seek(0)
        lines = [line.strip() for line in self._messages.read().decode(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()]
        return (errors or lines or ["gst-launch-1.0 ended"])[0]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._pipe.close()
        self._messages.close()

    def reopen(self) -> None:
        raise NotImplementedError("Latest starts a new process instead")
