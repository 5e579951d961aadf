"""Telling of a fault once, or once each time that it comes back, and going on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger("edge_c2vl")


class Once:
    """Logs each kind of message once, however often it comes."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def warn(self, kind: str, message: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            log.warning("%s", message)

    @contextmanager
    def guard(self, what: str) -> Iterator[None]:
        """Logs the first exception within the block and suppresses all: for work that must not end a run."""
        try:
            yield
        except Exception as error:
            text = " ".join(str(error).split()) or type(error).__name__
            self.warn(what, f"{what} failed, and the run goes on without it: {text}")


class Fault:
    """A fault that comes and goes, to be told each time that it begins. It is over after `steady` attempts in a row
    that worked, so that one of every other attempt is told once."""

    def __init__(self, steady: int = 50) -> None:
        self._steady = steady
        self._lasts, self._worked = False, 0

    def came(self) -> bool:
        """An attempt failed: whether the fault begins."""
        begins, self._lasts, self._worked = not self._lasts, True, 0
        return begins

    def worked(self) -> bool:
        """An attempt worked: whether the fault is over now."""
        self._worked += 1
        over = self._lasts and self._worked >= self._steady
        self._lasts = self._lasts and not over
        return over
