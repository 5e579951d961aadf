"""Serves a drive on the live page."""

from __future__ import annotations

import threading
import uuid
from typing import Any

from edge_c2vl.replay.player import Player
from edge_c2vl.replay.recording import Drive
from edge_c2vl.web import messages
from edge_c2vl.web.server import PageServer, first_of


class ReplayServer:
    """Every page plays for itself. A context manager; raises UsageError where it cannot listen at `address`."""

    def __init__(self, drive: Drive, address: str, first: int = 0, public_url: str | None = None) -> None:
        self._drive, self._first = drive, first
        self._boot = uuid.uuid4().hex
        self._server = PageServer(address, self._show, lambda: True, public_url)
        self.url, self.port, self.invitation = self._server.url, self._server.port, self._server.invitation

    def __enter__(self) -> ReplayServer:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def wait(self) -> None:
        """Until Ctrl-C, which is raised."""
        threading.Event().wait()

    async def _show(self, socket: Any) -> None:
        player = Player(self._drive, socket.send_text, self._first)
        await socket.send_text(messages.hello_replay(self._boot, self._drive.title))

        async def listen() -> None:
            while (message := await socket.receive())["type"] != "websocket.disconnect":
                player.command(message.get("text") or "")

        await first_of(player.run(), listen())
