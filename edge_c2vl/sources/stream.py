"""Network streams that OpenCV's FFmpeg opens: rtsp://, http://, udp://, tcp:// and relatives, and named pipes."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edge_c2vl.errors import CameraError
from edge_c2vl.redact import ENCODE, is_ambiguous, redact
from edge_c2vl.sources.base import Source
from edge_c2vl.sources.latest import Latest

if TYPE_CHECKING:
    from edge_c2vl.camera import CameraOptions

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935, "rtmps": 443}


def open_stream(uri: str, options: CameraOptions) -> Source:
    """A stream by its URL. FFmpeg's own options may stand behind a question mark (`udp://...?fifo_size=50000`)."""

    def open_capture() -> Source:
        import cv2

        from edge_c2vl.sources.capture import Capture, timeouts

        parameters = timeouts(options.open_timeout_s, options.read_timeout_s) | {
            # Decoding in several threads holds back as many pictures as there are threads.
            cv2.CAP_PROP_N_THREADS: 1
        }
        try:
            return Capture(redact(uri), uri, cv2.CAP_FFMPEG, parameters, {}, "no video")
        except CameraError:
            raise CameraError(f"cannot open {redact(uri)}: {why_unreachable(uri)}") from None

    # FFmpeg gives up after open_timeout_s; the rest is for a name that does not resolve, and for asking why.
    return Latest(redact(uri), open_capture, options.open_timeout_s + 1.5, options.read_timeout_s)


def why_unreachable(uri: str) -> str:
    """Why a stream could not be opened, which OpenCV does not say: asked of the host after the attempt, because a
    server that takes one connection (`ffmpeg -listen 1`) would take this one for it."""
    if is_ambiguous(uri):
        return f"there is an @ behind its host; {ENCODE}"
    try:
        parts = urlsplit(uri)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme.lower())
        host = parts.hostname
    except ValueError:
        return "this is no valid URL"
    if parts.scheme.lower() not in {*DEFAULT_PORTS, "tcp"}:
        return "nothing arrived in time; check the address, the port, and that the sender runs"
    if not host or not port:
        return "the URL lacks a host or a port"
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except socket.gaierror:
        return f"there is no host {host}"
    except TimeoutError:
        return f"{host} does not answer on port {port}"
    except OSError as error:
        return f"{host} port {port}: {error.strerror or error}"
    return f"{host} answers on port {port}, but sends no video under this address"
