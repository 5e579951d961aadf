"""An output that may have to wait until it can be opened: for a disk, a port, a screen."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from edge_c2vl.errors import OutputError, UsageError
from edge_c2vl.monitoring.events import Alert, Decision, SeenFrame, SeenSkeleton, StateChange
from edge_c2vl.outputs.base import Run, Sink

# How long the start of a live run waits for an output to open: a disk that hangs must not keep it from watching.
OPEN_TIMEOUT_S = 10.0

log = logging.getLogger("edge_c2vl")


class Deferred(Sink):
    """Stands for the sink that `build` opens. `name`: the option that asks for it, without dashes. wants_skeletons:
    whether it is given skeletons while it is not open yet, too.

    `open_first` is for the start of a run. While that fails the queue calls `open` again and again, and keeps what
    comes meanwhile.
    """

    # For the sink, which may turn out to need it.
    on_main_thread = True

    def __init__(self, name: str, build: Callable[[], Sink], wants_skeletons: bool = False) -> None:
        self.name, self.wants_skeletons = name, wants_skeletons
        self._build = build
        self._sink: Sink | None = None
        self._run: Run | None = None
        self._opening = threading.Lock()
        self._closed = self._gone = self._may_wait = False

    def open_first(self, may_wait: bool, timeout_s: float = OPEN_TIMEOUT_S) -> None:
        """Opens it. may_wait: a failure, or an opening that takes longer than `timeout_s`, is logged and stands in
        `problem`. Raises UsageError in every case, other errors only where it may not wait."""
        self._may_wait = may_wait
        raised: list[Exception] = []

        def attempt() -> None:
            try:
                self.open()
            except Exception as error:
                # It may be known only after the time is over.
                self.misused = isinstance(error, (UsageError, ModuleNotFoundError))
                raised.append(error)

        if may_wait:
            thread = threading.Thread(target=attempt, name=f"open {self.name}", daemon=True)
            thread.start()
            thread.join(timeout_s)
            if thread.is_alive():
                self._failed(OutputError(f"--{self.name} did not open in {timeout_s:.0f} s"))
        else:
            attempt()
        if raised and (not may_wait or self.misused):
            raise raised[0]

    def open(self) -> None:
        with self._opening:
            if self._sink is not None or self._closed:
                return
            try:
                sink = self._build()
            except Exception as error:
                self._failed(error)
                raise
            if self._run is not None:
                sink.attach(self._run)
            self.wants_frames, self.wants_skeletons = sink.wants_frames, sink.wants_skeletons
            self._sink = sink
            if self.problem is not None:
                self.problem = None
                log.warning("--%s works again", self.name)

    def attach(self, run: Run) -> None:
        self._run = run
        if self._sink is not None:
            self._sink.attach(run)

    def decision(self, decision: Decision) -> None:
        self._opened().decision(decision)

    def state(self, change: StateChange) -> None:
        self._opened().state(change)

    def alert(self, alert: Alert) -> None:
        self._opened().alert(alert)

    def frame(self, frame: SeenFrame) -> None:
        if not self._gone:
            self._opened().frame(frame)

    def skeleton(self, skeleton: SeenSkeleton) -> None:
        self._opened().skeleton(skeleton)

    def poll(self) -> bool:
        if self._sink is None or self._gone or not self._sink.on_main_thread:
            return True
        try:
            return self._sink.poll()
        except Exception as error:
            if not self._may_wait:
                raise
            self._gone, self.wants_frames = True, False
            self.problem = str(error)
            log.warning("%s; the run goes on without --%s", error, self.name)
            return True

    def interrupt(self) -> None:
        if self._sink is not None:
            self._sink.interrupt()

    def close(self) -> None:
        self._closed = True
        if self._sink is not None:
            self._sink.close()

    def _opened(self) -> Sink:
        if self._sink is None:
            raise OutputError(f"--{self.name} is not open: {self.problem}")
        return self._sink

    def _failed(self, error: Exception) -> None:
        if self._may_wait and self.problem is None and not isinstance(error, (UsageError, ModuleNotFoundError)):
            log.warning("%s; the run goes on without --%s and tries it again", error, self.name)
        self.problem = " ".join(str(error).split()) or type(error).__name__
