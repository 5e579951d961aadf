"""Telling of a fault once, and going on."""

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
