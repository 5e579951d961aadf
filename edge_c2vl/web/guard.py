"""Who may talk to the page: Host and Origin against DNS rebinding, a token beyond this machine, headers."""

from __future__ import annotations

import ipaddress
import json
import socket
from asyncio import TimeoutError as AsyncTimeoutError
from asyncio import wait_for
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from edge_c2vl.listen import allowed, is_loopback

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
    site whose name was pointed at this address would look. So is a WebSocket that a page from elsewhere opens (403)."""

    def __init__(self, app: App, host: str) -> None:
        self._app = app
        self._local = is_loopback(host)
        machine = socket.gethostname().lower()
        self._names = {"localhost"} if self._local else {"localhost", machine, f"{machine}.local", host.lower()}

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        headers = dict(pairs)
        if sum(name == "host" for name, _ in pairs) != 1 or not self._is_ours(headers["host"]):
            await _refuse(scope, send, 421, "this server goes by another name: open it by its address")
            return
        # Only browsers send Origin, and they always do with a WebSocket.
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers["host"]:
            await _refuse(scope, send, 403, "only this server's own page may do that")
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *extra]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _is_ours(self, host: str) -> bool:
        name = _name(host)
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        # An address cannot be rebound; that takes a name.
        return address.is_loopback or not self._local


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower().rstrip(".")


async def _refuse(scope: Message, send: Any, status: int, reason: str) -> None:
    kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
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
        first = json.loads(await wait_for(viewer.receive_text(), TOKEN_TIMEOUT_S))
        shown = first.get("token") if isinstance(first, dict) else None
    except (ValueError, KeyError, AsyncTimeoutError):
        shown = None
    if isinstance(shown, str) and allowed(token, f"Bearer {shown}"):
        return True
    await viewer.close(NEEDS_TOKEN)
    return False
