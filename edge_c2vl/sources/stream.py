"""Network streams that OpenCV's FFmpeg opens: rtsp://, http://, udp://, tcp:// and relatives, and named pipes."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edge_c2vl.errors import CameraError
from edge_c2vl.redact import ENCODE, is_ambiguous, redact
from edge_c2vl.sources.base import Source
from edge_c2vl.sources.latest import Latest

if TYPE_CHECKING:
    from edge_c2vl.camera import CameraOptions

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935, "rtmps": 443}
SILENT = "nothing arrived in time; check the address, the port, and that the sender runs"


def open_stream(uri: str | Path, options: CameraOptions) -> Source:
    """A stream by its URL, or a named pipe by its path. FFmpeg's own options may stand behind a question mark (`udp://...?fifo_size=50000`)."""
    name = str(uri) if isinstance(uri, Path) else redact(uri)

    limits = (options.open_timeout_s, options.read_timeout_s)

    def open_capture() -> Source:
        import cv2

        from edge_c2vl.sources.capture import Capture, timeouts

        parameters = timeouts(*limits) | {
            # Decoding in several threads holds back as many pictures as there are threads.
            cv2.CAP_PROP_N_THREADS: 1
        }
        try:
            with writer_at(uri, options.open_timeout_s) if isinstance(uri, Path) else nullcontext():
                return Capture(name, uri, cv2.CAP_FFMPEG, parameters, {}, "no video", limits)
        except (CameraError, OSError):
            why = "no answer: nothing was written into it" if isinstance(uri, Path) else why_unreachable(uri)
            raise CameraError(f"cannot open {name}: {why}") from None

    # FFmpeg gives up after open_timeout_s; the rest is for a name that does not resolve, and for asking why.
    return Latest(name, open_capture, options.open_timeout_s + 1.5, options.read_timeout_s)


@contextmanager
def writer_at(pipe: Path, timeout_s: float) -> Iterator[None]:
    """Waits until something was written into a named pipe. FFmpeg would wait for it for ever, and OpenCV opens nothing
    else meanwhile. Raises CameraError where nothing comes."""
    descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not select.select([descriptor], [], [], timeout_s)[0]:
            raise CameraError("no answer")
        yield
    finally:
        os.close(descriptor)


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
        return SILENT
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
