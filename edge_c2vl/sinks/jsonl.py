"""JSON lines: decisions, or state changes and alerts, one object a line, to a file or standard output."""

from __future__ import annotations

import json
import sys
from typing import TextIO

from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.records import Alert, Decision, StateChange
from edge_c2vl.sinks import Sink


class JsonLines(Sink):
    """Appends to `target` ("-": standard output); every line is flushed, so that a reader sees it at once and a cut of
    power loses at most the line being written. kind: "decision" or "state"."""

    def __init__(self, target: str, kind: str) -> None:
        self._kind = kind
        self._target = target
        try:
            self._file: TextIO = sys.stdout if target == "-" else open(target, "a", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise EdgeC2VLError(f"{target}: cannot write there: {error.strerror}") from error

    def decision(self, decision: Decision) -> None:
        if self._kind == "decision":
            self._write(decision.to_json())

    def state(self, change: StateChange) -> None:
        if self._kind == "state":
            self._write(change.to_json())

    def alert(self, alert: Alert) -> None:
        if self._kind == "state":
            self._write(alert.to_json())

    def _write(self, record: dict[str, object]) -> None:
        # One write a line: a line is there whole or not at all, also for a reader that follows the file.
        self._file.write(json.dumps(record, allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        if self._target != "-":
            self._file.close()
