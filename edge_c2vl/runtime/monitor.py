"""`edge_c2vl.Monitor`: the live run of `edge-c2vl run` inside a Python program."""

from __future__ import annotations

import atexit
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.cameras.pushed import PushedCamera
from edge_c2vl.errors import UsageError
from edge_c2vl.monitoring.events import Alert, Decision, StateChange
from edge_c2vl.monitoring.monitor import MonitorRecord
from edge_c2vl.monitoring.stats import Summary
from edge_c2vl.outputs.base import Sink
from edge_c2vl.runtime.run import OpenRun, opened
from edge_c2vl.runtime.settings import RunSettings
from edge_c2vl.settings.config_file import read_settings

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from edge_c2vl.runtime.keywords import RunKeywords


class Monitor:
    """Watches a driver and tells what the driver does: `edge-c2vl run` for a Python program.

        for decision in Monitor("0"):                       # a camera, a stream or a file: any URI of --camera
            print(decision.state, decision.distraction)

        with Monitor(on_alert=print) as monitor:            # frames of a camera loop of your own
            decision = monitor.push(frame, timestamp_s)

    camera: what --camera takes; None where frames come by `push`. bundle: a folder, or "default". config: a file as of
    `edge-c2vl run --config`; keywords count before it. settings: the options of `edge-c2vl run` by their names, such as
    hop=0.2, speed_kmh=80.0, mqtt="mqtt://broker/car" (see RunKeywords; `show` needs the command). on_alert, on_state:
    called with each alert that begins, changes or ends, and with each state that has ended; in the thread that iterates
    or pushes, and what they raise is raised there. sinks: further outputs (edge_c2vl.outputs.base.Sink), each in a
    thread of its own.

    Nothing is opened before the first use: `with`, iterating, or `push`. Closed once, it stays closed. For one thread;
    `close` and `calibrate` may come from every thread.

    Raises UsageError where a setting makes no sense; when it is opened also BundleError, CameraError and OutputError.
    All are EdgeC2VLError.
    """

    def __init__(
        self,
        camera: str | None = None,
        *,
        on_alert: Callable[[Alert], None] | None = None,
        on_state: Callable[[StateChange], None] | None = None,
        sinks: Sequence[Sink] = (),
        config: str | Path | None = None,
        **settings: Unpack[RunKeywords],
    ) -> None:
        given = {"camera": camera, "quiet": True, **settings}
        RunSettings.of(**dict.fromkeys(settings))  # so that a name that there is not is told
        self._asked: RunSettings = read_settings(given, None if config is None else Path(config), RunSettings)[0]
        if self._asked.outputs.show:
            raise UsageError("show=True needs the main thread of `edge-c2vl run --show`; draw in your own loop instead")
        self._pushes = camera is None and not self._asked.source.camera
        self._on_alert, self._on_state, self._sinks = on_alert, on_state, list(sinks)
        self._stack = ExitStack()
        self._run: OpenRun | None = None
        self._handover = _Handover()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._closing = threading.Lock()
        self._closed = False

    def __enter__(self) -> Monitor:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def labels(self) -> list[str]:
        """The names of the classes, the keys of `Decision.probabilities`. Opens the monitor."""
        return (self._run or self._open()).model.labels

    @property
    def distraction(self) -> list[str]:
        """Those of `labels` that count as distraction. Opens the monitor."""
        return (self._run or self._open()).model.distraction

    @property
    def summary(self) -> Summary:
        """What was seen and decided up to now; complete once the monitor is closed. Opens the monitor."""
        return (self._run or self._open()).pipeline.summary

    def __iter__(self) -> Iterator[Decision]:
        """The decisions, one every `hop` seconds of recording, until the camera ends or the loop is left.

        From a file every decision comes, as fast as they are taken. Live the newest comes: who takes longer than `hop`
        misses decisions, never alerts or states. Raises CameraError where the camera fails and `reconnect` is not set.
        """
        return (record for record in self._records() if isinstance(record, Decision))

    def alerts(self) -> Iterator[Alert]:
        """The alerts alone, as they begin, change their level and end; instead of iterating over decisions."""
        return (record for record in self._records() if isinstance(record, Alert))

    def run(self) -> Summary:
        """Runs to the end and returns the totals: for those who have callbacks or outputs only."""
        for _ in self._records():
            pass
        return self.summary

    def push(self, frame: NDArray[np.uint8] | NDArray[np.uint16], timestamp_s: float) -> Decision | None:
        """Judges one frame of a camera loop of your own, in this thread; returns the decision that was due, or None.

        frame: BGR (H, W, 3) or gray (H, W), uint8 or uint16; it is not changed, nor kept. timestamp_s: when it was
        taken, in seconds of any clock that rises, such as time.monotonic() or a recording's own; time between two
        frames is what all limits are measured in. It takes what the pose network takes, and once in `hop` seconds the
        encoder as well. `duration`, and doing less under heat or load, are for a camera that the monitor reads, not for
        frames that are pushed. Raises ValueError for another frame, UsageError where this monitor has a camera.
        """
        if not self._pushes:
            raise UsageError("this monitor reads its camera: leave the camera out to push frames, or iterate over it")
        run = self._open()
        assert isinstance(run.camera, PushedCamera)
        seen = run.camera.push(frame, timestamp_s)
        records = [] if seen is None else run.pipeline.step(seen)
        self._tell(records)
        return next((record for record in records if isinstance(record, Decision)), None)

    def calibrate(self) -> None:
        """What was learnt of the driver in this run is learnt anew, from the next decision on: for somebody who has
        taken the seat, or a camera that was moved. The file of `normal` stays as it is; of what it holds the face alone
        is learnt anew. May come from every thread. Opens the monitor."""
        (self._run or self._open()).pipeline.calibrate()

    def close(self) -> None:
        """Ends the run, writes what was decided to the outputs, and closes everything. May be called again."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        atexit.unregister(self.close)
        last: Sequence[MonitorRecord] = ()
        with self._stack:
            if self._run is not None:
                self._run.pipeline.stop()
                self._handover.stop()
                if self._thread is not None:
                    self._thread.join()
                else:
                    if not self._pushes:
                        self._run.pipeline.start()  # never iterated over; outputs are closed by their own threads
                    last = self._run.pipeline.finish()
            if self._error is not None:
                raise self._error
        self._tell(last)

    def _open(self) -> OpenRun:
        if self._closed:
            raise UsageError("this monitor is closed; make another one")
        if self._run is None:
            sinks = [*self._sinks, *([] if self._pushes else [self._handover])]
            with ExitStack() as stack:
                run = stack.enter_context(opened(self._asked, sinks, self._pushes))
                self._stack = stack.pop_all()
            self._handover.lossless = not run.pipeline.live
            self._run = run
            # A program that ends without closing it, as by Ctrl-C, still has its outputs written.
            atexit.register(self.close)
            if self._pushes:
                run.pipeline.start()
        return self._run

    def _records(self) -> Iterator[MonitorRecord]:
        if self._pushes:
            raise UsageError("this monitor has no camera to iterate over: name one, or push frames")
        run = self._open()
        if self._thread is not None:
            raise UsageError("this monitor is being iterated over already")
        self._thread = threading.Thread(target=self._work, args=(run,), name="monitor", daemon=True)
        self._thread.start()
        try:
            while (record := self._handover.take()) is not None:
                self._tell([record])
                yield record
        finally:
            self.close()  # which raises what ended the run

    def _work(self, run: OpenRun) -> None:
        try:
            run.pipeline.run(self._asked.console.duration)
        except BaseException as error:
            self._error = error
        finally:
            self._handover.end()

    def _tell(self, records: Sequence[MonitorRecord]) -> None:
        for record in records:
            if isinstance(record, Alert) and self._on_alert is not None:
                self._on_alert(record)
            elif isinstance(record, StateChange) and self._on_state is not None:
                self._on_state(record)


class _Handover(Sink):
    """From the pipeline to the thread that iterates. From a file (`lossless`) the pipeline waits until a decision was
    taken; live a newer one replaces it."""

    def __init__(self) -> None:
        self.lossless = True
        self._records: deque[MonitorRecord] = deque()
        self._ended = False
        self._changed = threading.Condition()

    def decision(self, decision: Decision) -> None:
        with self._changed:
            if not self.lossless:
                self._records = deque(record for record in self._records if not isinstance(record, Decision))
            self._put(decision)
            while self.lossless and self._records and not self._ended:
                self._changed.wait()

    def state(self, change: StateChange) -> None:
        with self._changed:
            self._put(change)

    def alert(self, alert: Alert) -> None:
        with self._changed:
            self._put(alert)

    def take(self) -> MonitorRecord | None:
        """Waits for a record; None once there are no more."""
        with self._changed:
            while not self._records and not self._ended:
                self._changed.wait()
            record = self._records.popleft() if self._records else None
            self._changed.notify_all()
            return record

    def end(self) -> None:
        """No record comes any more; those that are there can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Nobody takes records any more."""
        with self._changed:
            self._ended = True
            self._records.clear()
            self._changed.notify_all()

    def _put(self, record: MonitorRecord) -> None:
        self._records.append(record)
        self._changed.notify_all()
