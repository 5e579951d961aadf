"""What goes over the WebSocket beside decisions, changes of state and alerts (docs/page.md's table)."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.monitoring.events import SeenFrame, SeenSkeleton
from edge_c2vl.skeletons.skeleton import Array, Layout

# Grows when a page that was loaded before would misread what is sent now.
VERSION = 2
PICTURE_WIDTH = 640
JPEG_QUALITY = 70

Box = tuple[float, float, float, float]


def line(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":"), allow_nan=False)


def parse(text: str | None) -> dict[str, Any]:
    """The JSON object in what a client sent; an empty one where there is none, whatever it sent instead."""
    try:
        record = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def layout_of(layout: Layout, min_confidence: float) -> dict[str, Any]:
    """How the points of a skeleton are joined, and from which confidence on they are drawn."""
    return {"joints": layout.joints, "bones": layout.bones, "min_confidence": min_confidence}


def skeleton(landmarks: Array | None, timestamp_s: float, view: Box | None, label: str | None = None) -> str:
    """landmarks: (V, 4), y up. view: (left, top, width, height) of what the camera sees, y down; None: no picture.
    label: the recording's label at this moment, where it has such labels.

    The points are sent as x, y (down), confidence, x, y, ... to three places, which is under a pixel or a millimetre.
    """
    points = None
    if landmarks is not None:
        flat = landmarks[:, [0, 1, 3]].astype(np.float64) * (1, -1, 1)
        points = np.round(flat, 1 if np.abs(flat).max() > 100 else 3).ravel().tolist()
    message = {"kind": "skeleton", "timestamp_s": round(timestamp_s, 3), "view": view, "points": points}
    return line(message if label is None else message | {"label": label})


def seen_skeleton(seen: SeenSkeleton) -> str:
    view = None if seen.size is None else (0.0, 0.0, float(seen.size[0]), float(seen.size[1]))
    return skeleton(seen.landmarks, seen.timestamp_s, view)


def picture(frame: SeenFrame) -> bytes:
    """A frame's skeleton and the frame itself, as one message: length of the skeleton's JSON (uint32, little-endian),
    that JSON, and a JPEG at most 640 pixels wide."""
    import cv2

    height, width = frame.image.shape[:2]
    header = skeleton(frame.landmarks, frame.timestamp_s, (0.0, 0.0, float(width), float(height))).encode()
    image: NDArray[Any] = frame.image
    if width > PICTURE_WIDTH:
        size = (PICTURE_WIDTH, max(1, round(height * PICTURE_WIDTH / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return struct.pack("<I", len(header)) + header + jpeg.tobytes()
