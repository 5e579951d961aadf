"""A queue on the disk: what has to be sent and was not acknowledged yet survives a crash and a broker that is away."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

from edge_c2vl.errors import UsageError


@dataclass(frozen=True)
class Message:
    """One message in order. `attempts`: how often it was sent without an acknowledgement."""

    number: int
    topic: str
    payload: str
    attempts: int


class Spool:
    """First in, first out, at most `limit` messages: beyond that the oldest go and are counted in `dropped`.

    path None keeps it in memory. SQLite's write-ahead log makes each `put` durable. Usable from several threads.
    """

    def __init__(self, path: Path | None, limit: int = 10_000) -> None:
        self.dropped = 0
        self._limit = limit
        self._lock = threading.Lock()
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS messages (number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, "
                "payload TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0)"
            )
            self._count = self._database.execute("SELECT COUNT(*) FROM messages").fetchone()[0]
        except (sqlite3.Error, OSError) as error:
            raise UsageError(f"{path}: no queue can be kept there ({error}); remove it or name another file") from None

    def __len__(self) -> int:
        return self._count

    def put(self, topic: str, payload: str) -> None:
        with self._lock:
            self._database.execute("INSERT INTO messages (topic, payload) VALUES (?, ?)", (topic, payload))
            self._count += 1
            if self._count > self._limit:
                self._database.execute("DELETE FROM messages WHERE number = (SELECT MIN(number) FROM messages)")
                self._count -= 1
                self.dropped += 1

    def first(self) -> Message | None:
        """The oldest message; None where there is none."""
        with self._lock:
            row = self._database.execute(
                "SELECT number, topic, payload, attempts FROM messages ORDER BY number LIMIT 1"
            ).fetchone()
        return None if row is None else Message(*row)

    def tried(self, message: Message) -> None:
        """It is about to be sent: if nothing is heard of it, it may have arrived."""
        with self._lock:
            self._database.execute("UPDATE messages SET attempts = attempts + 1 WHERE number = ?", (message.number,))

    def done(self, message: Message) -> None:
        """It was acknowledged."""
        with self._lock:
            self._count -= self._database.execute("DELETE FROM messages WHERE number = ?", (message.number,)).rowcount

    def close(self) -> None:
        with self._lock:
            self._database.close()
