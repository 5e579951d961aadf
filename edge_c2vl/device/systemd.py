"""Telling systemd how the process does: sd_notify(3), without a library."""

from __future__ import annotations

import contextlib
import os
import socket


class Notifier:
    """Sends to the socket that NOTIFY_SOCKET names; does nothing where it names none.

    `watchdog_s`: how often systemd wants to hear of progress (WatchdogSec=), None where it does not.
    """

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        interval = os.environ.get("WATCHDOG_USEC", "")
        mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(interval) / 1e6 if interval.isdigit() and mine and self._address else None

        self._channel: socket.socket | None = None

    def send(self, *lines: str) -> None:
        """Such as "READY=1", "WATCHDOG=1", "STATUS=...". What cannot be delivered is not worth ending for."""
        if not self._address:
            return
        with contextlib.suppress(OSError, ValueError):
            if self._channel is None:
                # Kept open: a process that may open no further file is alive nevertheless, and has to say so.
                self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                # A manager that does not listen must not stop the run that reports to it.
                self._channel.setblocking(False)
            self._channel.sendto("\n".join(lines).encode(), self._address)

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
