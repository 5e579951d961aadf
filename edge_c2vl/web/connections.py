"""Limits the connections of a server, and closes those that only hold a place. For the server's loop only.

A connection counts as a stranger's until it has shown the token. A stranger has REQUEST_TIMEOUT_S for a whole request,
its answer and the token. Where the limit is reached, one stranger's connection is closed: of the address that has the
most, the one that has been idle for the longest. So neither silent nor slow clients keep others out.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from edge_c2vl.utils.once import Once

REQUEST_TIMEOUT_S = 10.0
CHECK_INTERVAL_S = 0.5
# What accept() says where the process or the system has run out of something.
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass(eq=False)
class Connection:
    """One that was accepted. idle_since_s: since when it has brought no whole request (monotonic). busy: one
    is being answered."""

    socket: socket.socket
    transport: asyncio.Transport
    address: str
    idle_since_s: float
    admitted: bool = False
    busy: bool = False

    @property
    def open(self) -> bool:
        return self.socket.fileno() != -1

    def answered(self) -> None:
        """A request was answered, or an open page has ended: it is a stranger's again, with time for another one."""
        self.admitted, self.busy, self.idle_since_s = False, False, time.monotonic()

    def close(self) -> None:
        """At once, whatever there was still to send."""
        self.transport.abort()


class Connections:
    """Accepts what comes to `listener`. what: the server, for messages."""

    def __init__(self, listener: socket.socket, limit: int, what: str, once: Once) -> None:
        self.limit = limit
        self._listener, self._what, self._once = listener, what, once
        self._open: dict[tuple[str, int], Connection] = {}
        listener.setblocking(False)

    def find(self, client: tuple[str, int] | None) -> Connection | None:
        """The connection from an address and port; None where it has been closed."""
        return None if client is None else self._open.get((client[0], client[1]))

    async def accept(self, make_protocol: Callable[[], asyncio.BaseProtocol]) -> None:
        """Accepts connections until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, peer = await loop.sock_accept(self._listener)
            except OSError as error:
                if error.errno in EXHAUSTED:
                    self._once.warn("exhausted", f"{self._what}: no further connection: {error.strerror}")
                    await self._make_room()
                    await asyncio.sleep(0.1)
                elif error.errno == errno.EBADF:
                    return
                continue
            self._open = {name: kept for name, kept in self._open.items() if kept.open}
            if len(self._open) >= self.limit:
                await self._make_room()
            try:
                transport, _ = await loop.connect_accepted_socket(make_protocol, client)
            except OSError:  # it has gone again
                client.close()
                continue
            self._open[peer[0], peer[1]] = Connection(client, transport, peer[0], time.monotonic())

    async def look_after(self) -> None:
        """Closes strangers' connections that have timed out, until it is cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            now_s = time.monotonic()
            for connection in self._strangers():
                if now_s - connection.idle_since_s > REQUEST_TIMEOUT_S:
                    connection.close()

    def close_strangers(self) -> None:
        for connection in self._strangers():
            connection.close()

    async def close(self) -> None:
        """Closes all of them."""
        for connection in self._open.values():
            connection.close()
        # The loop closes the sockets in its next round.
        await asyncio.sleep(0)

    def _strangers(self) -> list[Connection]:
        return [connection for connection in self._open.values() if connection.open and not connection.admitted]

    async def _make_room(self) -> None:
        strangers = self._strangers()
        if not strangers:
            return
        crowds = Counter(connection.address for connection in strangers)
        most = max(crowds.values())
        crowd = [connection for connection in strangers if crowds[connection.address] == most]
        victim = min(crowd, key=lambda connection: (connection.busy, connection.idle_since_s))
        self._once.warn(
            "full",
            f"{self._what}: more than {self.limit} connections; the idle ones are closed ({most} of them from "
            f"{victim.address})",
        )
        victim.close()
        # The loop closes the socket in its next round.
        await asyncio.sleep(0)
