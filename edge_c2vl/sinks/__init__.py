"""Outputs: one file a kind. A sink is given decisions, changes of state, alerts and frames, and takes those
it is for. All but `poll` are called from one thread of the sink's own."""

from __future__ import annotations

from edge_c2vl.records import Alert, Decision, SeenFrame, StateChange


class Sink:
    """The interface: each method does nothing unless a sink overrides it. `wants_frames`: whether `frame` is to be
    called; pictures are handed to nobody else. `on_main_thread`: whether `poll` is to be called from the main thread,
    which windows need."""

    wants_frames = False
    on_main_thread = False

    def decision(self, decision: Decision) -> None: ...

    def state(self, change: StateChange) -> None: ...

    def alert(self, alert: Alert) -> None: ...

    def frame(self, frame: SeenFrame) -> None: ...

    def poll(self) -> bool:
        """Called from the main thread about 30 times a second; False asks the run to end."""
        return True

    def close(self) -> None: ...
