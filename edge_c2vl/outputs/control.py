"""A Unix socket through which other programs ask a run for something: `edge-c2vl calibrate`."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from pathlib import Path

from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.outputs.base import Run, Sink
from edge_c2vl.utils.once import Once
from edge_c2vl.utils.unix_socket import listen

log = logging.getLogger("edge_c2vl")

# One client after the other is served; one that has not sent its line by then is closed.
CLIENT_TIMEOUT_S = 1.0
# After accept() failed because the process has no free file descriptor, it is not tried again for this long.
ACCEPT_PAUSE_S = 1.0
MAX_LINE = 64
CALIBRATE = b"calibrate"


class Control(Sink):
    """Listens on `path` (mode 0600). A client writes the line "calibrate" and reads the line "ok"; to anything else the
    answer is "unknown"."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._listener = listen(self._path, 0o600, 4, f"--control {path}")
        self._wake, self._wake_reader = socket.socketpair()
        self._once = Once()
        self._run: Run | None = None
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def attach(self, run: Run) -> None:
        self._run = run

    def close(self) -> None:
        self._wake.close()
        self._thread.join()
        for one in (self._listener, self._wake_reader):
            one.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake_reader, selectors.EVENT_READ)
            while True:
                if any(key.fileobj is self._wake_reader for key, _ in selector.select()):
                    return
                try:
                    client, _ = self._listener.accept()
                except (BlockingIOError, ConnectionError, InterruptedError):  # it has gone again
                    continue
                except OSError as error:
                    self._once.warn("accept", f"--control {self._path}: no client for now: {error.strerror}")
                    # The waiting connection would make `select` return at once again and again.
                    selector.unregister(self._listener)
                    if selector.select(ACCEPT_PAUSE_S):
                        return
                    selector.register(self._listener, selectors.EVENT_READ)
                    continue
                # A client that leaves in the middle is no fault of the run.
                with contextlib.suppress(OSError), client:
                    client.sendall(self._answer(_line(client, CLIENT_TIMEOUT_S)))

    def _answer(self, line: bytes) -> bytes:
        if line != CALIBRATE or self._run is None:
            return b"unknown\n"
        self._run.calibrate()
        log.warning("asked over %s: what was learnt of the driver is learnt anew", self._path)
        return b"ok\n"


def _line(client: socket.socket, timeout_s: float) -> bytes:
    """Raises TimeoutError where it is not there in time, however slowly it comes."""
    data, end_s = b"", time.monotonic() + timeout_s
    while b"\n" not in data and len(data) <= MAX_LINE:
        client.settimeout(max(end_s - time.monotonic(), 0.001))
        more = client.recv(MAX_LINE)
        if not more:
            break
        data += more
    return data.split(b"\n")[0].strip()


def ask(path: str | Path, line: bytes = CALIBRATE, timeout_s: float = 5.0) -> None:
    """Asks the run that listens at `path`. Raises EdgeC2VLError where there is none, or it does not do it."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(timeout_s)
            client.connect(str(path))
            client.sendall(line + b"\n")
            answer = _line(client, timeout_s)
    except OSError as error:
        why = error.strerror or "no answer"
        raise EdgeC2VLError(f"{path}: {why}; start the run with --control {path}") from None
    if answer != b"ok":
        raise EdgeC2VLError(f"{path}: the program that listens there does not do that; it answered {answer!r}")
