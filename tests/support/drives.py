"""Past drives for replay: decisions as a run writes them, and skeletons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_c2vl.monitoring.policy import State
from edge_c2vl.monitoring.standing import Level
from edge_c2vl.outputs.jsonl import JsonLines
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33, to_ntu25
from tests.support.records import DECISION
from tests.support.scripted import driver


def decision(time_s, state=State.ATTENTIVE, level=Level.NONE, wall_s=1772352000.0):
    share = 0.9 if state is State.DISTRACTED else 0.1
    probabilities = {"calm": 1 - share, "phone": share}
    label = max(probabilities, key=probabilities.get)
    return replace(
        DECISION, timestamp_s=time_s, wall_s=wall_s + time_s, state=state, level=level, label=label,
        probability=max(probabilities.values()), probabilities=probabilities,
    )  # fmt: skip


def write(path, records, kind="decision"):
    sink = JsonLines(str(path), kind)
    for record in records:
        (sink.decision if kind == "decision" else sink.alert)(record)
    sink.close()
    return str(path)


def drive_of(seconds=20.0, wall_s=1772352000.0):
    """Attentive, distracted from 5 to 10 s with two levels of alert, attentive."""
    decisions = []
    for time_s in np.arange(0, seconds, 0.25).tolist():
        state = State.DISTRACTED if 5 <= time_s < 10 else State.ATTENTIVE
        level = Level.NONE if not 7 <= time_s < 10 else Level.NOTICE if time_s < 8.5 else Level.WARNING
        decisions.append(decision(time_s, state, level, wall_s))
    return decisions


def skeletons(count=60):
    """ntu25 (T, 25, 4) of a driver who lifts the right hand."""
    return to_ntu25(np.stack([driver(index / count, 0.0) for index in range(count)]), MEDIAPIPE33)
