"""One message to every open page; a page that is slow is dropped, never waited for. For the server's thread only."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

from edge_c2vl.web import messages

Message = str | bytes

# What may wait for one page: a minute of decisions at four a second.
MAX_QUEUED = 256
# A page that has not taken one message for so long will not take the next ones either.
SEND_TIMEOUT_S = 5.0
HEARTBEAT_INTERVAL_S = 2.0


class Viewer:
    """One open page. Lines wait in a queue; of skeletons and pictures only the newest one waits. `given_up` is set
    when the queue is full or a message is not taken."""

    def __init__(self, send: Callable[[Message], Awaitable[None]]) -> None:
        self.given_up = asyncio.Event()
        self._send = send
        self._queue: deque[Message] = deque()
        self._newest: dict[str, Message] = {}
        self._wake = asyncio.Event()
        self._sending_since_s: float | None = None

    def offer(self, message: Message, replaces: str | None = None) -> None:
        """Puts a message on its way. replaces: a kind of which an older message that still waits is left out."""
        if replaces is not None:
            self._newest[replaces] = message
        elif len(self._queue) < MAX_QUEUED:
            self._queue.append(message)
        else:
            self.given_up.set()
        self._wake.set()

    def check(self, now_s: float) -> None:
        """Gives up a page that has been taking one message for too long."""
        if self._sending_since_s is not None and now_s - self._sending_since_s > SEND_TIMEOUT_S:
            self.given_up.set()

    async def pump(self) -> None:
        """Sends messages until it is cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue or self._newest:
                message = self._queue.popleft() if self._queue else self._newest.pop(next(iter(self._newest)))
                self._sending_since_s = time.monotonic()
                await self._send(message)
                self._sending_since_s = None


class Hub:
    """The open pages."""

    def __init__(self) -> None:
        self.dropped = 0
        self._viewers: set[Viewer] = set()

    def __len__(self) -> int:
        return len(self._viewers)

    def add(self, viewer: Viewer) -> None:
        self._viewers.add(viewer)

    def remove(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)
        self.dropped += viewer.given_up.is_set()

    def publish(self, message: Message, replaces: str | None = None) -> None:
        for viewer in self._viewers:
            viewer.offer(message, replaces)

    async def look_after(self) -> None:
        """Disconnects slow pages and sends a heartbeat to all, until it is cancelled."""
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL_S)
            now_s = time.monotonic()
            for viewer in self._viewers:
                viewer.check(now_s)
            self.publish(messages.beat(), "beat")
