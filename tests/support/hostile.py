"""HTTP servers that never come to an end, and clients that never begin."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HEAD = b"HTTP/1.1 200 OK\r\n"
# What is sent once, and what again and again.
DRIPS = {
    "silence": (b"", b""),
    "headers": (HEAD, b"X-Drip: drip\r\n"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (HEAD + b"Content-Length: 100000000\r\n\r\n", b"x"),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
}


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A TCP server on 127.0.0.1 that calls `answer` with each connection, in a thread each. Yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    clients = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                clients.append(client)
                threading.Thread(target=attend, args=(client,), daemon=True).start()

    def attend(client):
        with contextlib.suppress(OSError):
            answer(client)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()


def dripping(kind: str, seconds: float = 60.0) -> Callable[[socket.socket], None]:
    first, again = DRIPS[kind]

    def answer(client):
        client.sendall(first)
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            client.sendall(again)
            time.sleep(0.05)

    return answer


def connect(port: int, text: str = "", host: str = "127.0.0.1") -> socket.socket:
    """A client that has said `text` and says nothing more."""
    client = socket.create_connection((host, port), timeout=20)
    client.sendall(text.encode())
    return client


def closed(client: socket.socket) -> bool:
    """Whether the other side closes the connection, within the socket's time-out."""
    try:
        while client.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def websocket(port: int, headers: str = "") -> str:
    """The request that opens the page's WebSocket."""
    return (
        f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
