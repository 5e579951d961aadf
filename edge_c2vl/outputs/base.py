"""Outputs: one file a kind. A sink is given decisions, changes of state, alerts, frames, and takes those it is for."""

from __future__ import annotations

from typing import Protocol

from edge_c2vl.monitoring.events import Alert, Decision, SeenFrame, SeenSkeleton, StateChange
from edge_c2vl.monitoring.stats import RunFigures


class Run(RunFigures, Protocol):
    """What a sink may look at while the run goes on (pipeline.Pipeline), and the one thing that it may ask for."""

    @property
    def damaged_pictures(self) -> int: ...

    @property
    def misfit(self) -> bool: ...

    @property
    def reduced(self) -> int: ...

    @property
    def refused_speeds(self) -> int: ...

    def sink_failures(self) -> dict[str, int]: ...

    def calibrate(self) -> None:
        """Has what was learnt of the driver learnt anew; see Monitor.calibrate. From every thread."""


class Sink:
    """The interface: each method does nothing unless a sink overrides it.

    All are called from one thread of the sink's own, but for `attach` and `poll` (main thread) and `interrupt` (any).
    name: what messages and metrics call it. problem: why it is not open; None where it is.
    misused: whether it was asked for in a way in which it never opens.
    wants_frames, wants_skeletons: whether `frame` and `skeleton` are to be called; pictures are handed to nobody else.
    on_main_thread: whether `poll` is to be called, which windows need.
    """

    wants_frames = False
    wants_skeletons = False
    on_main_thread = False
    name = ""
    problem: str | None = None
    misused = False

    def open(self) -> None:
        """Before the first record. Raises what stands in the way; live it is called again later."""

    def attach(self, run: Run) -> None:
        """Before the run starts."""

    def decision(self, decision: Decision) -> None: ...

    def state(self, change: StateChange) -> None: ...

    def alert(self, alert: Alert) -> None: ...

    def frame(self, frame: SeenFrame) -> None: ...

    def skeleton(self, skeleton: SeenSkeleton) -> None: ...

    def poll(self) -> bool:
        """About 30 times a second; False asks the run to end."""
        return True

    def interrupt(self) -> None:
        """The run is ending: waits in this sink are cut short."""

    def close(self) -> None: ...
