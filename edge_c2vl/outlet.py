"""The way from the pipeline to one sink: a queue and a thread of its own, so that no sink delays anything."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from edge_c2vl.records import Alert, Decision, SeenFrame, SeenSkeleton, StateChange
from edge_c2vl.sinks import Sink

Record = Decision | StateChange | Alert | SeenSkeleton

# A blocked sink may hold this many records: 10 minutes of decisions at 4 a second.
LIMIT = 2400
# How long a live run waits at its end for a sink that is still writing.
PATIENCE_S = 3.0
# A sink that fails is told of at most this often.
COMPLAINT_INTERVAL_S = 60.0
# The pauses after which one that could not be opened is tried again: the first, and the longest.
REOPEN_S = (1.0, 60.0)

log = logging.getLogger("edge_c2vl")


class Outlet:
    """Hands records, in order, and the newest frame to `sink`.

    From a file (`lossless`) the giver waits for a sink that is behind, and a sink that fails ends the run: `failed` is
    called with its error. Live nobody waits: of a sink that is behind the oldest decisions are dropped (never alerts or
    changes of state, unless they alone fill the queue), and one that fails is told of and tried again with the next
    record. One that cannot be opened is tried again, after growing pauses; what comes meanwhile waits as for one that
    is behind.
    """

    def __init__(self, sink: Sink, lossless: bool, failed: Callable[[BaseException], None]) -> None:
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
        self._thread = threading.Thread(target=self._work, name=f"outlet {self.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def give(self, record: Record) -> None:
        with self._changed:
            while self._lossless and len(self._records) >= LIMIT and not self._closing:
                self._changed.wait()
            if len(self._records) >= LIMIT:
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
        self._thread.join(None if self._lossless else PATIENCE_S)
        if self._thread.is_alive():
            log.warning("%s did not finish in %.0f s and was given up", self.name, PATIENCE_S)

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
        pause_s = REOPEN_S[0]
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
            pause_s = min(2 * pause_s, REOPEN_S[1])

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
            elif time.monotonic() - self._complained_s >= COMPLAINT_INTERVAL_S:
                self._complained_s = time.monotonic()
                log.warning("%s failed and will be tried again: %s", self.name, error)

    def _end(self, error: Exception) -> None:
        self._failed(error)
        with self._changed:
            self._closing = True
            self._records.clear()
            self._frame = None
            self._changed.notify_all()
