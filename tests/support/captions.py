"""A server and videos for captions."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np

Answer = tuple[int, dict[str, str], bytes]


def completion(text: str) -> Answer:
    return 200, {}, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


class Server:
    """Speaks the chat completions protocol; `answer(number, request)` says what is answered to the n-th request."""

    def __init__(self) -> None:
        self.requests: list[dict] = []
        self.raw: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Callable[[int, dict], Answer] = lambda number, _: completion(f"Caption {number}.")
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    number = len(outer.requests)
                    outer.requests.append(json.loads(body))
                    outer.raw.append(self.path.encode() + body + str(self.headers).encode())
                    outer.headers.append(dict(self.headers))
                status, headers, answer = outer.answer(number, outer.requests[number])
                if status == 0:  # the connection breaks
                    self.connection.close()
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # a connection broken on purpose
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def write_video(path: Path, frames: int = 30) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 15, (64, 48))
    for index in range(frames):
        writer.write(np.full((48, 64, 3), (index * 8, 0, 0), np.uint8))  # blue grows
    writer.release()
    return path
