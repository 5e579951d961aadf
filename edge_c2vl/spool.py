"""A queue with a journal on the disk: what has to be sent and was not acknowledged yet survives a crash and a broker
that is away."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

from edge_c2vl.errors import UsageError

log = logging.getLogger("edge_c2vl")


@dataclass(frozen=True)
class Message:
    """One message in order. `attempts`: how often it was sent without an acknowledgement."""

    number: int
    topic: str
    payload: str
    attempts: int


class Spool:
    """First in, first out, at most `limit` messages: beyond that the oldest go and are counted in `dropped`.

    path None keeps it in memory only. Else SQLite's write-ahead log makes each `put` durable; where the disk is full or
    fails, the queue goes on in memory. Usable from several threads.
    """

    def __init__(self, path: Path | None, limit: int = 10_000) -> None:
        self.dropped = 0
        self._limit = limit
        self._lock = threading.Lock()
        self._waiting: deque[Message] = deque()
        self._newest = 0
        self._complained = False
        self._journal: sqlite3.Connection | None = None
        if path is not None:
            self._open(path)

    def _open(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._journal = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._journal.execute("PRAGMA journal_mode=WAL")
            self._journal.execute("PRAGMA synchronous=FULL")
            self._journal.execute(
                "CREATE TABLE IF NOT EXISTS messages (number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, "
                "payload TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0)"
            )
            rows = self._journal.execute(
                "SELECT number, topic, payload, attempts FROM messages ORDER BY number DESC LIMIT ?", (self._limit,)
            ).fetchall()
        except (sqlite3.Error, OSError) as error:
            raise UsageError(f"{path}: no queue can be kept there ({error}); remove it or name another file") from None
        self._waiting.extend(Message(*row) for row in reversed(rows))
        self._newest = self._waiting[-1].number if self._waiting else 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, topic: str, payload: str) -> None:
        with self._lock:
            self._newest += 1
            message = Message(self._newest, topic, payload, 0)
            self._waiting.append(message)
            self._write("INSERT INTO messages VALUES (?, ?, ?, ?)", (message.number, topic, payload, 0))
            if len(self._waiting) > self._limit:
                self._forget(self._waiting.popleft())
                self.dropped += 1

    def first(self) -> Message | None:
        """The oldest message; None where there is none."""
        with self._lock:
            return self._waiting[0] if self._waiting else None

    def tried(self, message: Message) -> None:
        """It is about to be sent: if nothing is heard of it, it may have arrived."""
        with self._lock:
            if self._waiting and self._waiting[0].number == message.number:
                self._waiting[0] = replace(message, attempts=message.attempts + 1)
                self._write("UPDATE messages SET attempts = attempts + 1 WHERE number = ?", (message.number,))

    def done(self, message: Message) -> None:
        """It was acknowledged."""
        with self._lock:
            if self._waiting and self._waiting[0].number == message.number:
                self._forget(self._waiting.popleft())

    def close(self) -> None:
        with self._lock:
            if self._journal is not None:
                self._journal.close()
                self._journal = None

    def _forget(self, message: Message) -> None:
        # Also those before, whose removal a full disk may have refused.
        self._write("DELETE FROM messages WHERE number <= ?", (message.number,))

    def _write(self, statement: str, values: tuple[int | str, ...]) -> None:
        if self._journal is None:
            return
        try:
            self._journal.execute(statement, values)
            self._complained = False
        except sqlite3.Error as error:
            if not self._complained:
                log.warning("the queue on the disk cannot be written (%s); it goes on in memory", error)
            self._complained = True
