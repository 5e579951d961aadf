"""What the terminal shows: one line that is rewritten (no terminal: a line a state change), and a line an alert."""

from __future__ import annotations

import sys
from typing import TextIO

from edge_c2vl.monitoring.events import Alert, Decision, Missing, StateChange
from edge_c2vl.monitoring.standing import Level
from edge_c2vl.outputs.base import Run, Sink
from edge_c2vl.utils.clock import time_of_day

_COLOURS = {"attentive": "32", "distracted": "31;1", "cannot see": "33", "nobody": "33", "starting": "2"}


class StatusLine(Sink):
    """Writes to stderr, so that standard output stays free for JSON lines. live: tells the time of day, since the
    timestamps of a camera count from the machine's start; else the seconds of the recording."""

    def __init__(self, stream: TextIO | None = None, live: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._live = live
        # Unix time at which a timestamp was 0, by the newest decision.
        self._zero_s = 0.0
        self._rewrites = self._stream.isatty()
        self._run: Run | None = None

    def attach(self, run: Run) -> None:
        self._run = run

    def decision(self, decision: Decision) -> None:
        self._zero_s = decision.wall_s - decision.timestamp_s
        if self._rewrites:
            self._stream.write("\r\033[K" + self._line(decision))
            self._stream.flush()

    def state(self, change: StateChange) -> None:
        if self._rewrites:
            return
        label = "" if change.label is None else f" ({change.label} {change.probability:.2f})"
        if self._live:
            # Not by the record's own time: a state that ended when the camera failed is told once it is back.
            when = f"{time_of_day(self._zero_s + change.start_s)} to {time_of_day(self._zero_s + change.end_s)}"
        else:
            when = f"{change.start_s:8.2f} to {change.end_s:8.2f} s"
        self._stream.write(f"{when}  {change.state.value}{label}\n")
        self._stream.flush()

    def alert(self, alert: Alert) -> None:
        reason = alert.reason.value
        what = f"ended: {reason}" if alert.level == Level.NONE else f"{alert.level.name}: {reason}"
        # The current line is rewritten with the next decision.
        self._stream.write(("\r\033[K" if self._rewrites else "") + f"{self._when(alert)}  {what}\n")
        self._stream.flush()

    def close(self) -> None:
        if self._rewrites:
            self._stream.write("\n")
            self._stream.flush()

    def _when(self, record: Decision | Alert) -> str:
        return time_of_day(record.wall_s) if self._live else f"{record.timestamp_s:8.1f} s"

    def _line(self, decision: Decision) -> str:
        state = decision.state.value
        missing = f" (no {decision.missing.value})" if decision.missing not in (None, Missing.DRIVER) else ""
        coloured = f"\033[{_COLOURS[state]}m{state:<11}\033[0m{missing}"
        label = "" if decision.label is None else f"{decision.label} {decision.probability:4.0%}"
        filled = round(10 * (decision.distraction or 0.0))
        bar = "" if decision.distraction is None else "distraction " + "█" * filled + "░" * (10 - filled)
        age = f"frame {decision.age_ms:4.0f} ms old"
        word, sure = max((decision.words or {}).items(), key=lambda item: item[1], default=("", 0.0))
        words = f"  {word} {sure:.0%}" if word not in ("", decision.label) else ""
        alerts = "".join(f"  {level.name} {reason.value}" for reason, level in decision.alerts.items())
        down = [name for name, why in self._run.outputs_down().items() if why is not None] if self._run else []
        lost = f"  down: {', '.join(down)}" if down else ""
        return f"{self._when(decision)}  {coloured} {label:<18} {bar:<23} {age}{words}{alerts}{lost}"
