"""From the pipeline to one sink: each sink has a queue and a thread, so that it delays nothing else.

A `Mailbox` hands the newest item from one thread to the next.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from edge_c2vl.errors import OutputError
from edge_c2vl.monitoring.events import Alert, Decision, SeenFrame, SeenSkeleton, StateChange
from edge_c2vl.outputs.base import Sink

Record = Decision | StateChange | Alert | SeenSkeleton

# A blocked sink may hold this many records: 10 minutes of decisions at 4 a second.
MAX_RECORDS = 2400
# How long a live run waits at its end for a sink that is still writing.
CLOSE_TIMEOUT_S = 3.0
# Failures of a sink are logged at most this often.
WARNING_INTERVAL_S = 60.0
# The pauses after which one that could not be opened is tried again: the first, and the longest.
REOPEN_BACKOFF_S = (1.0, 60.0)

log = logging.getLogger("edge_c2vl")

T = TypeVar("T")


class OutputQueue:
    """Hands records, in order, and the newest frame to `sink`.

    From a file (`lossless`) the giver waits for a sink that is behind, and a sink that fails ends the run: `failed` is
    called with its error. Live nobody waits: of a sink that is behind the oldest decisions are dropped (never alerts or
    changes of state, unless they alone fill the queue), and one that fails is told of and tried again with the next
    record. One that cannot be opened is tried again, after growing pauses; what comes meanwhile waits as for one that
    is behind.

    max_records: how many may wait. close_timeout_s: how long a live run waits at its end for a sink that is writing.
    reopen_backoff_s: the first and the longest pause before a sink that could not be opened is opened again.
    """

    def __init__(
        self,
        sink: Sink,
        lossless: bool,
        failed: Callable[[BaseException], None],
        max_records: int = MAX_RECORDS,
        close_timeout_s: float = CLOSE_TIMEOUT_S,
        reopen_backoff_s: tuple[float, float] = REOPEN_BACKOFF_S,
    ) -> None:
        self._max_records, self._close_timeout_s, self._reopen_backoff_s = (
            max_records,
            close_timeout_s,
            reopen_backoff_s,
        )
        self.sink = sink
        self.dropped = 0
        self.failures = 0
        self._lossless, self._failed = lossless, failed
        self._records: deque[Record] = deque()
        self._frame: SeenFrame | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._complained_s = float("-inf")
        # A daemon: a sink that hangs for ever (a pipe that nobody reads) must not keep the process alive.
        self._thread = threading.Thread(target=self._work, name=f"output {self.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def give(self, record: Record) -> None:
        with self._changed:
            while self._lossless and len(self._records) >= self._max_records and not self._closing:
                self._changed.wait()
            if len(self._records) >= self._max_records:
                self._drop_oldest()
            self._records.append(record)
            self._changed.notify_all()

    def give_frame(self, frame: SeenFrame) -> None:
        with self._changed:
            while self._lossless and self._frame is not None and not self._closing:
                self._changed.wait()
            self._frame = frame
            self._changed.notify_all()

    def close(self) -> None:
        """Hands over what is left and closes the sink. Live, a sink that hangs is given up after a while."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self.sink.interrupt()
        self._thread.join(None if self._lossless else self._close_timeout_s)
        if self._thread.is_alive():
            log.warning("%s did not finish in %.0f s and was given up", self.name, self._close_timeout_s)

    @property
    def name(self) -> str:
        return self.sink.name or type(self.sink).__name__

    def _drop_oldest(self) -> None:
        for index, record in enumerate(self._records):
            if isinstance(record, (Decision, SeenSkeleton)):
                del self._records[index]
                break
        else:
            self._records.popleft()
        self.dropped += 1

    def _open(self) -> bool:
        """Whether the sink is open; False once the run has ended before it could be opened, or failed because of it."""
        pause_s, longest_s = self._reopen_backoff_s
        while True:
            with self._changed:
                last = self._closing
            try:
                self.sink.open()
                return True
            except Exception as error:
                if self._lossless or self.sink.misused:
                    self._end(error)
                    return False
            with self._changed:
                if last:
                    self.dropped += len(self._records)
                    return False
                self._changed.wait_for(lambda: self._closing, pause_s)
            pause_s = min(2 * pause_s, longest_s)

    def _work(self) -> None:
        if not self._open():
            self._try(self.sink.close)
            return
        while True:
            with self._changed:
                while not self._records and self._frame is None and not self._closing:
                    self._changed.wait()
                if not self._records and self._frame is None:
                    break
                record = self._records.popleft() if self._records else None
                # Frames wait for the records before them, so that a frame is drawn with the decision it belongs to.
                frame = None
                if record is None:
                    frame, self._frame = self._frame, None
                self._changed.notify_all()
            self._try(lambda record=record, frame=frame: self._hand_over(record, frame))  # type: ignore[misc]
        self._try(self.sink.close)

    def _hand_over(self, record: Record | None, frame: SeenFrame | None) -> None:
        if frame is not None:
            self.sink.frame(frame)
        elif isinstance(record, Decision):
            self.sink.decision(record)
        elif isinstance(record, StateChange):
            self.sink.state(record)
        elif isinstance(record, SeenSkeleton):
            self.sink.skeleton(record)
        elif record is not None:
            self.sink.alert(record)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            self.failures += 1
            if self._lossless:
                self._end(error)
            elif time.monotonic() - self._complained_s >= WARNING_INTERVAL_S:
                self._complained_s = time.monotonic()
                log.warning("%s failed and will be tried again: %s", self.name, error)

    def _end(self, error: Exception) -> None:
        # What the system says names no file. A reader that has seen enough is no error: the command ends quietly.
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError) and self.sink.name:
            error = OutputError(f"--{self.sink.name}: cannot write: {error.strerror or error}")
        self._failed(error)
        with self._changed:
            self._closing = True
            self._records.clear()
            self._frame = None
            self._changed.notify_all()


class Mailbox(Generic[T]):
    """Holds one item. Live (`lossless=False`) a new item replaces one that nobody has taken; from a file
    (`lossless=True`) the giver waits until it has been taken."""

    def __init__(self, lossless: bool) -> None:
        self.dropped = 0
        self._lossless = lossless
        self._item: T | None = None
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: T) -> bool:
        """Leaves an item; False where the mailbox is closed."""
        with self._changed:
            while self._lossless and self._item is not None and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            if self._item is not None:
                self.dropped += 1
            self._item = item
            self._changed.notify_all()
            return True

    def take(self) -> T | None:
        """Waits for an item; None once the mailbox is closed and empty."""
        with self._changed:
            while self._item is None and not self._closed:
                self._changed.wait()
            item, self._item = self._item, None
            self._changed.notify_all()
            return item

    def close(self, discard: bool = False) -> None:
        """No item comes any more. An item that lies there can still be taken, unless discarded."""
        with self._changed:
            self._closed = True
            if discard:
                self._item = None
            self._changed.notify_all()
