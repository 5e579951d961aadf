"""Camera kinds: one file each, and one line each in KINDS.

`open_source` finds the kind that a URI belongs to. A kind's function takes the URI and the CameraOptions, and returns
an opened Source or raises CameraError.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

from edge_c2vl.errors import UsageError
from edge_c2vl.redact import redact
from edge_c2vl.sources.base import Picture, Source

if TYPE_CHECKING:
    from edge_c2vl.camera import CameraOptions

# name, which URIs belong to it (the first match counts), and the function that opens it
KINDS = (
    ("sample", r"sample", "video:open_sample"),
    ("simulated", r"simulated([:?].*)?", "simulated:open_simulated"),
    ("device", r"\d{1,4}|/dev/video\d{1,4}|/dev/v4l/.+", "device:open_device"),
    ("csi", r"csi://\d{1,2}", "csi:open_csi"),
    ("video over http", r"https?://[^?#]+\.(mp4|mkv|webm|avi|mov|gif|m4v)([?#].*)?", "video:open_video"),
    ("stream", r"(rtsps?|https?|udp|tcp|rtp|srt|rtmps?)://\S+", "stream:open_stream"),
    ("file", r"(?!.*://).+|file://.+", "path:open_path"),
)

__all__ = ["KINDS", "Picture", "Source", "kind_of", "open_source", "redact"]


def kind_of(uri: str) -> str:
    """The name of the kind that a URI belongs to. Raises UsageError where it belongs to none."""
    return _find(uri)[0]


def open_source(uri: str, options: CameraOptions) -> Source:
    """Opens a camera, stream or file. Raises UsageError (not a camera URI) or CameraError (cannot be opened)."""
    module, _, function = _find(uri)[1].partition(":")
    source: Source = getattr(importlib.import_module(f"edge_c2vl.sources.{module}"), function)(uri, options)
    return source


def _find(uri: str) -> tuple[str, str]:
    for name, pattern, opener in KINDS:
        if re.fullmatch(pattern, uri, re.IGNORECASE | re.DOTALL) and "\0" not in uri:
            return name, opener
    raise UsageError(
        f"{redact(uri)!r} is no camera: use 0, /dev/video0, csi://0, rtsp://, http://, udp://, tcp://, a video file, "
        "a folder or glob of images, sample, or simulated"
    )
