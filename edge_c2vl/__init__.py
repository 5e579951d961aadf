"""Edge-C2VL: driver monitoring that runs on the device in the vehicle."""

import os

from edge_c2vl import telemetry

__version__ = "0.1.0"

telemetry.switch_off()
# An image file may state any size: OpenCV takes 1 Gpixel (3 GB) unless it is told less before it is first imported.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 27))
