"""Speed by lines on a Unix socket: `echo 87.5 | socat - UNIX-CONNECT:/run/edge-c2vl/speed.sock`."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import stat
import threading
from pathlib import Path

from edge_c2vl.errors import UsageError
from edge_c2vl.speed import Speed, parse_kmh

# A line with a speed is shorter; a client that sends no line end must not fill the memory.
MAX_LINE = 64
MAX_CLIENTS = 16


class UnixSpeed(Speed):
    """Listens on `path` (mode 0660): each line is a speed in km/h, as "87.5" or "speed 87.5". What is no speed is
    counted and ignored. A socket that a dead process left behind is replaced, a living one's never."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = Path(path)
        self._listener = self._listen()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._rest: dict[socket.socket, bytes] = {}
        self._wake, wake_reader = socket.socketpair()
        self._wake_reader = wake_reader
        self._selector.register(wake_reader, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="speed", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._wake.close()
        self._thread.join()
        for client in (*self._rest, self._listener, self._wake_reader):
            client.close()
        self._selector.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if self._path.exists():
                self._remove_stale()
            listener.bind(str(self._path))
            os.chmod(self._path, 0o660)
            listener.listen(MAX_CLIENTS)
            listener.setblocking(False)
        except OSError as error:
            listener.close()
            raise UsageError(f"--speed unix:{self._path}: {error.strerror or error}") from None
        except UsageError:
            listener.close()
            raise
        return listener

    def _remove_stale(self) -> None:
        if not stat.S_ISSOCK(self._path.stat().st_mode):
            raise UsageError(f"--speed unix:{self._path}: a file that is no socket stands there")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(str(self._path)) == 0:
                raise UsageError(f"--speed unix:{self._path}: another process listens there")
        self._path.unlink()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake_reader:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._receive(key.fileobj)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            if len(self._rest) >= MAX_CLIENTS:
                client.close()
                return
            client.setblocking(False)
            self._rest[client] = b""
            self._selector.register(client, selectors.EVENT_READ)

    def _receive(self, client: socket.socket) -> None:
        try:
            data = client.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, rest = (self._rest[client] + data).split(b"\n")
        for line in lines:
            self.set(parse_kmh(line))
        if len(rest) > MAX_LINE:
            self.set(None)
        if not data or len(rest) > MAX_LINE:
            self._selector.unregister(client)
            del self._rest[client]
            client.close()
        else:
            self._rest[client] = rest
