"""The page's server: FastAPI (app.py) on uvicorn, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from edge_c2vl.errors import OutputError
from edge_c2vl.listen import TOKEN_VARIABLE, is_loopback, parse_address, token_for

if TYPE_CHECKING:
    from edge_c2vl.web.app import Session

DEFAULT_PORT = 8480
# Connections at one time, of open pages and of requests; further ones are answered with 503.
MAX_CONNECTIONS = 256
# What may lie in the kernel for one page: half a second of skeletons, so that a slow page is noticed and not fed with
# old news. And for how long it may lie there before the connection is cut.
SEND_BUFFER = 1 << 16
UNSENT_MS = 10_000


class PageServer:
    """Listens at `address` (HOST:PORT, PORT or nothing) at once; `start` begins to answer.

    session: called for each page that may see the run, and returns when that page is done with. healthy: called for
    /healthz. option: what the address was given by, for messages. Raises UsageError where it cannot listen, or listens
    beyond this machine without a token.
    """

    def __init__(self, address: str, session: Session, healthy: Callable[[], bool], option: str = "--serve") -> None:
        import uvicorn

        from edge_c2vl.web.app import make_app

        self._host, port = parse_address(address, DEFAULT_PORT)
        self._token = token_for(self._host, option)
        self._socket = _listen(self._host, port, option)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            make_app(self._host, self._token, session, healthy),
            log_config=None,
            # An address may hold a token, and so may a message, which is logged at the level "debug".
            access_log=False,
            log_level="warning",
            lifespan="off",
            server_header=False,
            # On this machine or a vehicle's network compression costs more than it saves.
            ws_per_message_deflate=False,
            ws_max_size=4096,
            ws_ping_interval=10.0,
            ws_ping_timeout=10.0,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._loop = asyncio.new_event_loop()
        self._background: list[Coroutine[Any, Any, None]] = []
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)

    @property
    def url(self) -> str:
        """Where a browser on this machine, or on another where that is possible, finds the page."""
        host = socket.gethostname() if self._host in ("0.0.0.0", "::") else self._host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    @property
    def invitation(self) -> str:
        """A line for whoever started it. The token itself is never printed."""
        return f"page at {self.url}" + (f" (asks for the token in {TOKEN_VARIABLE})" if self._token else "")

    def start(self, *background: Coroutine[Any, Any, None]) -> None:
        """Answers from now on. background: coroutines to run beside, until `close`."""
        self._background.extend(background)
        self._thread.start()

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Calls a function in the server's thread, soon, and does not wait for it."""
        # Once the server is closed there is nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    def close(self) -> None:
        """Ends every connection and the thread."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(5.0)
        self._socket.close()

    def _run(self) -> None:
        async def serve() -> None:
            tasks = [asyncio.ensure_future(coroutine) for coroutine in self._background]
            await self._server.serve(sockets=[self._socket])
            for task in tasks:
                task.cancel()

        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(serve())
        finally:
            self._loop.close()


async def first_of(*coroutines: Coroutine[Any, Any, Any]) -> None:
    """Runs coroutines side by side until the first of them ends, and ends the others. Raises what that one raised."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def _listen(host: str, port: int, option: str) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise OutputError(f"{option} {host}:{port}: {error.strerror}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit these two.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNSENT_MS)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        other = "" if is_loopback(host) and port == 0 else f"; name another, such as {option} {host}:{port + 1}"
        raise OutputError(f"{option} {host}:{port}: cannot listen there: {error.strerror}{other}") from None
    return listener
