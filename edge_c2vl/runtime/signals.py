"""Signals of a run, from its first moment on: nothing heavy is imported here."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Stopped(BaseException):
    """A signal, which it names, asked to end before there was anything to end."""


class Signals:
    """SIGTERM ends the run, and SIGINT. So does SIGHUP, which is what a terminal that closes sends; where there are
    settings it reads them again instead, which is what `systemctl reload` wants.

    rereads: whether there are settings. Until `connect` names the run, SIGTERM and SIGHUP raise Stopped, SIGINT raises
    KeyboardInterrupt, and a wish to read the settings is kept.
    """

    def __init__(self, rereads: bool) -> None:
        self._rereads = rereads
        self._stop: Callable[[], None] | None = None
        self._reread: Callable[[], None] | None = None
        self._stopped = self._waiting = False

    def connect(self, stop: Callable[[], None], reread: Callable[[], None]) -> None:
        """What the signals call from now on. `reread` runs in a separate thread, because reading may take a while."""
        self._reread, self._stop = reread, stop
        if self._waiting:
            self._start_rereading()

    def end(self, number: int, _frame: FrameType | None) -> None:
        if self._stop is not None:
            self._stop()
        elif not self._stopped:
            # Once: what is open is being closed by then.
            self._stopped = True
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            raise Stopped(signal.Signals(number).name)

    def hang_up(self, number: int, frame: FrameType | None) -> None:
        if not self._rereads:
            self.end(number, frame)
        elif self._reread is None:
            self._waiting = True
        else:
            self._start_rereading()

    def _start_rereading(self) -> None:
        threading.Thread(target=self._reread, name="settings", daemon=True).start()


@contextmanager
def handled(rereads: bool) -> Iterator[Signals]:
    """Sets the handlers, and puts back what was there. SIGHUP that was ignored (nohup) stays ignored. Only a main
    thread may set handlers; in another one nothing is set."""
    signals = Signals(rereads)
    previous: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, signals.end)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            previous[signal.SIGHUP] = signal.signal(signal.SIGHUP, signals.hang_up)
    try:
        yield signals
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
