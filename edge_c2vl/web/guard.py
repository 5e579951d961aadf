"""Who may talk to a server: Host and Origin against DNS rebinding, a token beyond this machine, headers."""

from __future__ import annotations

import ipaddress
import socket
from asyncio import TimeoutError as AsyncTimeoutError
from asyncio import wait_for
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from edge_c2vl.utils.listen_address import PublicUrl, allowed, is_loopback
from edge_c2vl.web.messages import parse

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

# Close codes of our own (4000 to 4999 are free for applications, RFC 6455 section 7.4.2).
NEEDS_TOKEN = 4401
TOKEN_TIMEOUT_S = 5.0

# Nothing but this server's own files runs or is shown, nobody may put the page into a frame, and neither browser cache
# nor another site learns what it shows.
HEADERS = {
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


class Guard:
    """ASGI middleware. A request whose Host header is not one of this server's names is refused (421): that is how a
    site whose name was pointed at this address would look. So is a WebSocket or a POST of a page from elsewhere (403).
    public: the address of a proxy before it, whose host and origin are this server's as well; its path is taken off
    where the proxy did not."""

    def __init__(self, app: App, host: str, public: PublicUrl | None = None) -> None:
        self._app = app
        self._public = public
        self._local = is_loopback(host)
        machine = socket.gethostname().lower()
        self._names = {"localhost"} if self._local else {"localhost", machine, f"{machine}.local", host.lower()}
        if public is not None:
            self._names.add(public.host)

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        headers = dict(pairs)
        if sum(name == "host" for name, _ in pairs) != 1 or not self._is_ours(headers["host"]):
            await refuse(scope, send, 421, "this server goes by another name: open it by its address or --public-url")
            return
        if "origin" in headers and not self._is_own_page(headers["origin"], headers["host"]):
            await refuse(scope, send, 403, "only this server's own page may do that")
            return
        path = "" if self._public is None else self._public.path
        if path and scope["path"] == path:
            await refuse(scope, send, 308, f"{path}/", (b"location", f"{path}/".encode()))
            return
        if path and scope["path"].startswith(f"{path}/"):
            scope = {**scope, "path": scope["path"][len(path) :]}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *extra]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _is_own_page(self, origin: str, host: str) -> bool:
        """Only browsers send Origin, and they always do with a WebSocket and a POST (at times "null")."""
        return origin.partition("://")[2] == host or (self._public is not None and origin == self._public.origin)

    def _is_ours(self, host: str) -> bool:
        name = _name(host)
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        # An address cannot be rebound; that takes a name.
        return address.is_loopback or not self._local


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower().rstrip(".")


async def refuse(scope: Message, send: Any, status: int, reason: str, *more: tuple[bytes, bytes]) -> None:
    """Answers with one line, and closes the connection."""
    kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close"), *more]
    await send({"type": f"{kind}.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.body", "body": f"{reason}\n".encode()})


async def admit(viewer: WebSocket, token: str | None) -> bool:
    """Accepts a WebSocket; True where it may see the run. The token comes as an Authorization header, or, since a
    browser cannot set one, as the first message {"kind": "open", "token": ...}: never in an address, which gets
    logged."""
    await viewer.accept()
    if allowed(token, viewer.headers.get("authorization")):
        return True
    try:
        first = await wait_for(viewer.receive_text(), TOKEN_TIMEOUT_S)
    except (KeyError, AsyncTimeoutError):  # a binary message, or none
        first = ""
    shown = parse(first).get("token")
    if isinstance(shown, str) and allowed(token, f"Bearer {shown}"):
        return True
    await viewer.close(NEEDS_TOKEN)
    return False
