"""Speed by lines on a Unix socket: `echo 87.5 | socat - UNIX-CONNECT:/run/edge-c2vl/speed.sock`."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from edge_c2vl.speed.base import Speed, parse_kmh
from edge_c2vl.utils.listen_address import connection_limit
from edge_c2vl.utils.once import Once
from edge_c2vl.utils.unix_socket import listen

# A line with a speed is shorter; a client that sends no line end must not fill the memory.
MAX_LINE = 64
MAX_CLIENTS = 16
# After accept() failed because the process has no free file descriptor, it is not tried again for this long.
ACCEPT_PAUSE_S = 1.0


@dataclass
class _Client:
    """rest: an unfinished line. told_s: when it last told a speed (monotonic), or came."""

    told_s: float
    speaks: bool = False
    rest: bytes = b""


class UnixSpeed(Speed):
    """Listens on `path` (mode 0660): each line is a speed in km/h, as "87.5" or "speed 87.5". What is no speed is
    counted and ignored. A socket that a dead process left behind is replaced, a living one's never. Of too many clients
    the one is closed that has told no speed, or none for the longest time."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._limit = connection_limit(MAX_CLIENTS)
        self._once = Once()
        self._path = Path(path)
        self._listener = listen(self._path, 0o660, MAX_CLIENTS, f"--speed unix:{path}")
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._clients: dict[socket.socket, _Client] = {}
        self._wake, wake_reader = socket.socketpair()
        self._wake_reader = wake_reader
        self._selector.register(wake_reader, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="speed", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._wake.close()
        self._thread.join()
        for client in (*self._clients, self._listener, self._wake_reader):
            client.close()
        self._selector.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def _serve(self) -> None:
        paused_until_s: float | None = None
        while True:
            for key, _ in self._selector.select(None if paused_until_s is None else ACCEPT_PAUSE_S):
                if key.fileobj is self._wake_reader:
                    return
                if key.fileobj is self._listener:
                    if not self._accept():
                        # The waiting connection would make `select` return at once again and again.
                        self._selector.unregister(self._listener)
                        paused_until_s = time.monotonic() + ACCEPT_PAUSE_S
                elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._clients:
                    self._receive(key.fileobj)
            if paused_until_s is not None and time.monotonic() >= paused_until_s:
                self._selector.register(self._listener, selectors.EVENT_READ)
                paused_until_s = None

    def _accept(self) -> bool:
        """False where no connection can be accepted for now."""
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError, InterruptedError):  # it has gone again
            return True
        except OSError as error:
            self._once.warn("accept", f"--speed unix:{self._path}: no further client for now: {error.strerror}")
            if self._clients:
                self._make_room()
            return False
        if len(self._clients) >= self._limit:
            self._make_room()
        client.setblocking(False)
        self._clients[client] = _Client(time.monotonic())
        self._selector.register(client, selectors.EVENT_READ)
        return True

    def _make_room(self) -> None:
        self._once.warn("full", f"--speed unix:{self._path}: more than {self._limit} clients; the idle ones are closed")
        self._drop(min(self._clients, key=lambda one: (self._clients[one].speaks, self._clients[one].told_s)))

    def _drop(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        del self._clients[client]
        client.close()

    def _receive(self, client: socket.socket) -> None:
        known = self._clients[client]
        try:
            data = client.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, known.rest = (known.rest + data).split(b"\n")
        for line in lines:
            kmh = parse_kmh(line)
            self.set(kmh)
            if kmh is not None:
                known.speaks, known.told_s = True, time.monotonic()
        too_long = len(known.rest) > MAX_LINE
        if too_long:
            self.set(None)
        if not data or too_long:
            self._drop(client)
