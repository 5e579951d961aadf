"""HTTP servers: uvicorn in a thread of its own, behind the guard (guard.py) and with connections that are looked after
(connections.py). The page's is one of them; its app is in app.py."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from edge_c2vl.errors import OutputError, UsageError
from edge_c2vl.utils.listen_address import (
    TOKEN_VARIABLE,
    PublicUrl,
    connection_limit,
    is_loopback,
    parse_address,
    parse_public_url,
    token_for,
)
from edge_c2vl.utils.once import Once
from edge_c2vl.web.connections import Connections
from edge_c2vl.web.guard import App, Guard, Message, refuse

if TYPE_CHECKING:
    from edge_c2vl.web.app import Session

DEFAULT_PORT = 8480
# Connections to the page at one time, of open pages and of requests. No more than half of them are open pages.
MAX_CONNECTIONS = 128
# What may lie in the kernel for one page: half a second of skeletons, so that a slow page is noticed and not fed with
# old news. And for how long it may lie there before the connection is cut.
SEND_BUFFER = 1 << 16
UNSENT_MS = 10_000


class HttpServer:
    """Listens at `address` (HOST:PORT, PORT or nothing) at once; `start` begins to answer.

    option: what the address was given by, for messages. public_url: where others find it behind a proxy. most:
    connections at one time. Raises UsageError where it cannot listen, or can be reached from beyond this machine
    without a token.
    """

    def __init__(self, address: str, default_port: int, option: str, public_url: str | None, most: int) -> None:
        self.host, port = parse_address(address, default_port)
        self.public: PublicUrl | None = parse_public_url(public_url) if public_url is not None else None
        self.token = token_for(self.host, option, self.public)
        self._socket = _listen(self.host, port, option)
        self.port: int = self._socket.getsockname()[1]
        self._once = Once()
        self._option = option
        self._connections = Connections(self._socket, connection_limit(most), option, self._once)
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._complain)
        self._background: list[Coroutine[Any, Any, None]] = []
        self._server: Any = None
        self._thread = threading.Thread(target=self._run, name=option.strip("-"), daemon=True)

    @property
    def max_connections(self) -> int:
        return self._connections.limit

    @property
    def url(self) -> str:
        """Where a browser on this machine, or on another where that is possible, finds the server."""
        if self.public is not None:
            return self.public.url
        host = socket.gethostname() if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def serve(self, app: App, websockets: bool = False) -> None:
        """What is to be served, from `start` on."""
        import uvicorn

        config = uvicorn.Config(
            self._looked_after(Guard(app, self.host, self.public)),
            log_config=None,
            # An address may hold a token, and so may a message, which is logged at the level "debug". What is logged at
            # other levels are clients' mistakes, in any number. Our own errors are logged by _looked_after.
            access_log=False,
            log_level="critical",
            lifespan="off",
            http="h11",
            ws="auto" if websockets else "none",
            # Connections are known by their address, which a header must not change.
            proxy_headers=False,
            server_header=False,
            # On this machine or a vehicle's network compression costs more than it saves.
            ws_per_message_deflate=False,
            ws_max_size=4096,
            ws_ping_interval=10.0,
            ws_ping_timeout=10.0,
            timeout_graceful_shutdown=1,
        )
        # Loaded here, where an import that fails ends in a message.
        config.load()
        self._server = uvicorn.Server(config)

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
        if self._server is not None:
            self._server.should_exit = True
        # Nobody has to say goodbye to them, which may take a second.
        self.call(self._connections.close_strangers)
        if self._thread.is_alive():
            self._thread.join(5.0)
        self._socket.close()

    def _run(self) -> None:
        server = self._server

        def protocol() -> asyncio.BaseProtocol:
            made: asyncio.BaseProtocol = server.config.http_protocol_class(
                config=server.config, server_state=server.server_state, app_state={}
            )
            return made

        async def serve() -> None:
            coroutines = (self._connections.accept(protocol), self._connections.look_after(), *self._background)
            tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
            # uvicorn itself would accept without end.
            await server.serve(sockets=[])
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._connections.close()

        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(serve())
        finally:
            self._loop.close()

    def _looked_after(self, app: App) -> App:
        """Notes on a connection when its request has been answered; tells once of an error of our own."""
        from uvicorn.protocols.utils import ClientDisconnected

        async def answer(scope: Message, receive: Any, send: Any) -> None:
            connection = self._connections.find(scope["client"])
            if connection is None:
                return
            connection.busy = scope["type"] == "http"
            begun = False

            async def noting(message: Message) -> None:
                nonlocal begun
                begun = True
                await send(message)

            try:
                await app({**scope, "connection": connection}, receive, noting)
            except ClientDisconnected:
                pass  # while it was being answered
            except Exception as error:
                self._complain(self._loop, {"message": "a request failed", "exception": error})
                if not begun:
                    await refuse(scope, send, 500, "this server has made a mistake, which its log tells of")
                else:
                    connection.close()
            finally:
                # A refused WebSocket gets no further time.
                if scope["type"] == "http":
                    connection.answered()

        return answer

    def _complain(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        text = " ".join(f"{type(error).__name__} {error}".split())[:200] if error is not None else ""
        self._once.warn(f"{context['message']} {type(error)}", f"{self._option}: {context['message']}: {text}")
        logging.getLogger("edge_c2vl").debug("%s", text, exc_info=error)


class PageServer(HttpServer):
    """The page's. session: called for each page that may see the run, and returns when that page is done with. healthy:
    called for /healthz. calibrate: see app.make_app."""

    def __init__(
        self,
        address: str,
        session: Session,
        healthy: Callable[[], bool],
        public_url: str | None = None,
        calibrate: Callable[[], bool] | None = None,
    ) -> None:
        from edge_c2vl.web.app import make_app

        super().__init__(address, DEFAULT_PORT, "--serve", public_url, MAX_CONNECTIONS)
        self.serve(
            make_app(self.token, session, healthy, max(1, self.max_connections // 2), calibrate), websockets=True
        )

    @property
    def invitation(self) -> str:
        """A line for the terminal. It never contains the token."""
        behind = f" (a proxy's, for http://127.0.0.1:{self.port}/)" if self.public is not None else ""
        return f"page at {self.url}{behind}" + (f" (asks for the token in {TOKEN_VARIABLE})" if self.token else "")


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
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise OutputError(f"{option} {shown}: {error.strerror}") from None
    except UnicodeError:
        raise UsageError(f"{option} {shown}: not the name of a host") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit these two.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNSENT_MS)
        listener.bind(where)
        listener.listen(128)
    except OSError as error:
        listener.close()
        next_port = shown.removesuffix(str(port)) + str(port + 1)
        other = "" if is_loopback(host) and port == 0 else f"; name another, such as {option} {next_port}"
        raise OutputError(f"{option} {shown}: cannot listen there: {error.strerror}{other}") from None
    return listener
