"""HTTP POST with one deadline for all of it, an answer of bounded size, and no redirect."""

from __future__ import annotations

import functools
import http.client
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any


@dataclass(frozen=True)
class Answer:
    """body: its first `max_bytes`; `cut`: there was more."""

    status: int
    reason: str
    headers: Message
    body: bytes
    cut: bool


def post(url: str, body: bytes, headers: Mapping[str, str], timeout_s: float, max_bytes: int = 0) -> Answer:
    """POSTs, and returns whatever the server answers, a redirect too: following one would carry a secret to another
    host. Raises TimeoutError when the answer is not whole after `timeout_s`, however slowly a server drips; OSError or
    http.client.HTTPException where there is none."""
    line = _Line(timeout_s)
    opener = urllib.request.build_opener(_NoRedirect, _Http(line), _Https(line))
    request = urllib.request.Request(url, body, dict(headers), method="POST")
    late = TimeoutError(f"timed out: no whole answer within {timeout_s:g} s")
    try:
        with line:
            try:
                response = opener.open(request, timeout=timeout_s)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                taken = response.read(max_bytes + 1) if max_bytes else b""
            answer = Answer(
                response.status, response.reason, response.headers, taken[:max_bytes], len(taken) > max_bytes
            )
    except (OSError, http.client.HTTPException) as error:
        # urllib wraps what the connection raised.
        reason = getattr(error, "reason", None)
        if line.cut or isinstance(error, TimeoutError) or isinstance(reason, TimeoutError):
            raise late from None
        raise (reason if isinstance(reason, OSError) else error) from None
    # A connection that was cut within the headers or the body looks like one that has come to its end.
    if line.cut:
        raise late
    return answer


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class _Line:
    """Opens the connection of one exchange, and cuts it at the deadline. A context manager."""

    def __init__(self, timeout_s: float) -> None:
        self.cut = False
        self._end_s = time.monotonic() + timeout_s
        self._handle: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(timeout_s, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._handle is not None:
                self._handle.close()
                self._handle = None

    def connect(self, address: tuple[str, int], *_: Any) -> socket.socket:
        """In place of socket.create_connection, which applies its time-out to each address of a name."""
        problem: OSError = OSError(f"{address[0]} has no address")
        for family, kind, number, _name, where in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
            left_s = self._end_s - time.monotonic()
            if left_s <= 0:
                self.cut = True
                break
            connection = socket.socket(family, kind, number)
            try:
                connection.settimeout(left_s)
                connection.connect(where)
                with self._lock:
                    # A separate handle, since TLS takes over the socket.
                    self._handle = connection.dup()
                if self.cut:
                    self._cut()
                return connection
            except OSError as error:
                connection.close()
                problem = error
        raise problem

    def _cut(self) -> None:
        self.cut = True
        with self._lock:
            if self._handle is not None:
                try:
                    self._handle.shutdown(socket.SHUT_RDWR)
                except OSError:
                    return  # it is gone already


def _make(kind: type[http.client.HTTPConnection], line: _Line, host: str, **more: Any) -> http.client.HTTPConnection:
    connection = kind(host, **more)
    connection._create_connection = line.connect  # type: ignore[attr-defined]
    return connection


class _Http(urllib.request.HTTPHandler):
    def __init__(self, line: _Line) -> None:
        super().__init__()
        self._line = line

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_make, http.client.HTTPConnection, self._line), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, line: _Line) -> None:
        super().__init__()
        self._line = line

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_make, http.client.HTTPSConnection, self._line), req)
