"""Recordings from the JSON lines that `edge-c2vl run --decisions` and `--events` wrote."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.monitoring.events import check_record, record_unix_s
from edge_c2vl.replay.recording import ReplayRecording, spans_of
from edge_c2vl.utils.texts import read_text

# Decisions farther apart than this, or that go back in time, belong to different runs, which share a file.
NEW_RUN_GAP_S = 10.0
# How far an alert may lie outside its run's decisions by the wall clock: it is made just after its decision.
CLOCK_SLACK_S = 2.0


class DecisionFile:
    """Every run that was appended to `path` is one recording. Alerts come from `events`; without it they are read off
    the decisions (of schema 1: the level and no reason). Raises EdgeC2VLError."""

    def __init__(self, path: Path, events: str | None = None) -> None:
        self.title = path.name
        decisions = _read(path, "decision")
        if not decisions:
            raise UsageError(f"{path} holds no decisions; write some with edge-c2vl run --decisions FILE")
        alerts = None if events is None else _side_by_side([record for _, record in _read(Path(events), "alert")])
        self._recordings = [_recording(run, alerts) for run in _runs(decisions)]

    def __len__(self) -> int:
        return len(self._recordings)

    def recording(self, index: int) -> ReplayRecording:
        return self._recordings[index]

    def find(self, name: str) -> int | None:
        return next((index for index, one in enumerate(self._recordings) if one.name == name), None)


Line = tuple[str, dict[str, Any]]


def _read(path: Path, kind: str) -> list[Line]:
    """The lines of that kind, each as text and parsed. A last line that a power cut left unfinished is left out."""
    try:
        lines = read_text(path).split("\n")
    except OSError as error:
        raise EdgeC2VLError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} holds no JSON lines of edge-c2vl run") from None
    found = []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            record = json.loads(text, parse_constant=_refuse)
            check_record(record)
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                break
            raise EdgeC2VLError(f"{path} line {number} is no record of edge-c2vl run: {error}") from None
        if record["kind"] == kind:
            found.append((text.strip(), record))
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _runs(decisions: list[Line]) -> list[list[Line]]:
    runs: list[list[Line]] = []
    before = None
    for line in decisions:
        now = line[1]["timestamp_s"]
        if before is None or not before <= now <= before + NEW_RUN_GAP_S:
            runs.append([])
        runs[-1].append(line)
        before = now
    return runs


def _recording(run: list[Line], alerts: list[dict[str, Any]] | None) -> ReplayRecording:
    records = [record for _, record in run]
    times_s = np.array([record["timestamp_s"] for record in records], np.float64)
    if alerts is None:
        mine = _alerts_of(records)
    else:
        first, last = record_unix_s(records[0]) - CLOCK_SLACK_S, record_unix_s(records[-1]) + CLOCK_SLACK_S
        within = [alert for alert in alerts if first <= record_unix_s(alert) <= last]
        mine = [alert for alert in within if times_s[0] <= alert["timestamp_s"] <= times_s[-1]]
    labels, distraction = _labels_of(records)
    return ReplayRecording(
        name=f"{datetime.fromtimestamp(record_unix_s(records[0]), timezone.utc):%Y-%m-%d %H:%M:%S} UTC",
        start_s=float(times_s[0]),
        end_s=float(times_s[-1]),
        decisions=[text for text, _ in run],
        times_s=times_s,
        alerts=sorted(mine, key=lambda alert: alert["timestamp_s"]),
        spans=spans_of(times_s, [record["state"] for record in records], float(times_s[-1])),
        labels=labels,
        distraction=distraction,
    )


def _alerts_of(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An alert wherever the level of one that stands changes in the decisions."""
    alerts: list[dict[str, Any]] = []
    before: dict[str | None, str] = {}
    for record in records:
        standing: dict[str | None, str] = {alert["reason"]: alert["level"] for alert in record.get("alerts") or ()}
        if not standing and record["alert"] != "none":
            standing = {None: record["alert"]}
        changed = [(reason, level) for reason, level in standing.items() if before.get(reason) != level]
        changed += [(reason, "none") for reason in before if reason not in standing]
        before = standing
        kept = {key: record.get(key) for key in ("time", "state", "label", "awareness", "timestamp_s")}
        for reason, level in changed:
            alerts.append({"kind": "alert", "number": len(alerts) + 1, "level": level, "reason": reason} | kept)
    return alerts


def _side_by_side(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Alerts of schema 1, in which one took the place of another and the end named no reason, each with its own end."""
    told: list[dict[str, Any]] = []
    standing: dict[Any, Any] = {}
    for alert in alerts:
        if alert["schema"] == 1:
            before = standing.get(alert.get("run"))
            if before is not None and alert.get("reason") != before:
                told.append(alert | {"level": "none", "reason": before})
            standing[alert.get("run")] = alert.get("reason")
        if alert["schema"] != 1 or alert["level"] != "none":
            told.append(alert)
    return told


def _labels_of(records: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """The classes, and those that were named more often while the driver was distracted than while attentive: the file
    does not say which count as distraction."""
    labels = list(dict.fromkeys(label for record in records for label in record.get("probabilities") or ()))
    named = Counter((record.get("label"), record["state"]) for record in records)
    return labels, [one for one in labels if named[one, "distracted"] > named[one, "attentive"]]
