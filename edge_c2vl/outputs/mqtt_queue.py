"""A queue with a journal on the disk: what has to be sent and was not acknowledged yet survives a crash and a broker
that is away."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

from edge_c2vl.errors import OutputError
from edge_c2vl.utils.files import open_held, set_aside

log = logging.getLogger("edge_c2vl")


@dataclass(frozen=True)
class Message:
    """One message in order. `attempts`: how often it was sent without an acknowledgement."""

    number: int
    topic: str
    payload: str
    attempts: int


class MqttQueue:
    """First in, first out, at most `limit` messages: beyond that the oldest go and are counted in `dropped`.

    It is in memory, and after `open` on the disk as well. There SQLite's write-ahead log makes each `put` durable;
    where the disk is full or fails, the queue goes on in memory. Usable from several threads.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self.dropped = 0
        # Set when there is something new to send; the sender clears it.
        self.arrived = threading.Event()
        self._limit = limit
        self._lock = threading.Lock()
        self._waiting: deque[Message] = deque()
        self._newest = 0
        self._complained = False
        self._journal: sqlite3.Connection | None = None
        self._file = -1

    def open(self, path: Path, replace_damaged: bool = False) -> None:
        """Keeps the queue in that file from now on: what the file holds comes first, what has come so far is added.
        replace_damaged: a file that is no queue is set aside and a new one begun. Raises OutputError where none can be
        kept there, UsageError where another run has it."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # SQLite gives the files that it makes beside this one the same mode.
            file = open_held(path, os.O_RDWR)
        except OSError as error:
            raise OutputError(f"{path}: no queue can be kept there: {error.strerror}") from None
        journal = None
        try:
            journal = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            with self._lock:
                self._take(_messages(journal, self._limit), journal)
        except sqlite3.Error as error:
            if journal is not None:
                journal.close()
            # SQLite's way of saying that the bytes are no database; what the disk refuses is an OperationalError.
            damaged = type(error) is sqlite3.DatabaseError
            if not (damaged and replace_damaged):
                os.close(file)
                what = "name another file" if damaged else "see to the disk, or name another file"
                raise OutputError(f"{path}: no queue can be kept there ({error}); {what}") from None
            set_aside(path, str(error))
            for name in (f"{path}-wal", f"{path}-shm"):
                if os.path.exists(name):
                    set_aside(Path(name), "it belongs to that queue")
            os.close(file)
            self.open(path)
            return
        self._file = file
        self.arrived.set()

    def _take(self, kept: list[Message], journal: sqlite3.Connection) -> None:
        """Puts the messages of a journal before those in memory, and these into the journal."""
        newest = kept[-1].number if kept else 0
        fresh = [replace(message, number=newest + 1 + index) for index, message in enumerate(self._waiting)]
        rows = [(message.number, message.topic, message.payload, message.attempts) for message in fresh]
        journal.execute("BEGIN")
        journal.executemany("INSERT INTO messages VALUES (?, ?, ?, ?)", rows)
        journal.execute("COMMIT")
        self._waiting = deque([*kept, *fresh])
        self._newest = newest + len(fresh)
        self._journal = journal

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, topic: str, payload: str) -> None:
        with self._lock:
            self._newest += 1
            message = Message(self._newest, topic, payload, 0)
            self._waiting.append(message)
            self._write("INSERT INTO messages VALUES (?, ?, ?, ?)", (message.number, topic, payload, 0))
            while len(self._waiting) > self._limit:
                self._forget(self._waiting.popleft())
                self.dropped += 1
        self.arrived.set()

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
                os.close(self._file)

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


def _messages(journal: sqlite3.Connection, limit: int) -> list[Message]:
    """What a journal holds, the oldest first, of more than `limit` the newest. Raises sqlite3.DatabaseError where these
    are no messages."""
    journal.execute("PRAGMA journal_mode=WAL")
    journal.execute("PRAGMA synchronous=FULL")
    journal.execute(
        "CREATE TABLE IF NOT EXISTS messages (number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, "
        "payload TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0)"
    )
    rows = journal.execute(
        "SELECT number, topic, payload, attempts FROM messages ORDER BY number DESC LIMIT ?", (limit,)
    ).fetchall()
    try:
        for _, topic, payload, attempts in rows:
            if not (isinstance(topic, str) and isinstance(json.loads(payload), dict) and isinstance(attempts, int)):
                raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise sqlite3.DatabaseError("it holds something other than messages") from None
    return [Message(*row) for row in reversed(rows)]
