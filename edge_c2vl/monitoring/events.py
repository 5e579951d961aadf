"""What the pipeline tells the outside: decisions, state changes, frames. Their JSON is docs/events.md's schema."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from edge_c2vl.monitoring.face_look import Angles, FaceLook
from edge_c2vl.monitoring.policy import State
from edge_c2vl.monitoring.standing import Aspect, Level, Reason, ReasonState
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.clock import iso_utc

if TYPE_CHECKING:
    from edge_c2vl.face.tracker import Face

# Bumped when a field is renamed, removed or changes its meaning; new fields do not count. In schema 1 one alert stood
# at a time, and its end named no reason. In schema 2 awareness was of the activity alone.
SCHEMA = 3

# Schema 1 had one alert at a time; it is read as if its alerts had stood side by side.
READABLE = (1, 2, SCHEMA)
_LEVELS = {level.name.lower() for level in Level}


class Missing(str, Enum):
    """What there is too little evidence of to judge the driver by."""

    PICTURE = "picture"
    DRIVER = "nobody"
    ARMS = "arms"
    FACE = "face"


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(float(value), digits)


def _all_rounded(values: dict[str, float] | None) -> dict[str, float] | None:
    return values and {name: round(value, 4) for name, value in values.items()}


def _standing(alerts: Mapping[Reason, Level]) -> list[dict[str, str]]:
    """Alerts as JSON: a list, because its order says which is the loudest."""
    return [{"reason": reason.value, "level": level.name.lower()} for reason, level in alerts.items()]


def _reasons(reasons: Mapping[Aspect, ReasonState]) -> dict[str, dict[str, Any]]:
    return {
        aspect.value: {
            "state": one.state.value,
            "level": one.level.name.lower(),
            "share": _rounded(one.share, 3),
            "seconds": _rounded(one.seconds, 2),
            "learnt": _rounded(one.learnt, 3),
        }
        for aspect, one in reasons.items()
    }


def _angles(angles: Angles | None) -> list[float] | None:
    return angles and [round(float(angle), 1) for angle in angles]


def _face(look: FaceLook | None) -> dict[str, Any] | None:
    if look is None:
        return None
    return {
        "seen": look.seen,
        "gaze": _angles(look.gaze),
        "head": _angles(look.head),
        "openness": _rounded(look.openness, 3),
        "closed_s": _rounded(look.closed_s, 2),
        "perclos": _rounded(look.perclos, 3),
        "blinks_a_minute": look.blinks_a_minute,
        "yawns": look.yawns,
        "mouth_mm": _rounded(look.mouth_mm, 1),
        "left_eye": _rounded(look.left_eye, 2),
        "right_eye": _rounded(look.right_eye, 2),
    }


@dataclass(frozen=True)
class Decision:
    """One judgement of the driver. timestamp_s: the newest frame's time in the recording or since the machine's start.
    wall_s: Unix time at which it was made. age_ms: how old that frame was then; encoder_ms: what the encoder took.
    words: the probability of each label in words; None where there are none, or no class is named. level: of the
    loudest alert; alerts: every one that stands, the loudest first. missing: in the states "nobody" and "cannot see"
    what is not seen, where that is known. learnt: the share of self-calibration that is done, offset: the log-odds of
    distraction that it takes off; None where there is none. reasons: what is known of each aspect that is watched.
    face: the newest look at the face; None where none was looked at since the last decision."""

    timestamp_s: float
    wall_s: float
    state: State
    label: str | None
    probability: float | None
    distraction: float | None
    probabilities: dict[str, float] | None
    arms: float
    pose_confidence: float
    age_ms: float
    encoder_ms: float | None
    awareness: float = 1.0
    level: Level = Level.NONE
    speed_kmh: float | None = None
    unusual: float | None = None
    words: dict[str, float] | None = None
    logits: Array | None = None
    alerts: Mapping[Reason, Level] = field(default_factory=dict)
    missing: Missing | None = None
    learnt: float | None = None
    offset: float | None = None
    reasons: Mapping[Aspect, ReasonState] = field(default_factory=dict)
    face: FaceLook | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "kind": "decision",
            "time": iso_utc(self.wall_s),
            "timestamp_s": _rounded(self.timestamp_s),
            "state": self.state.value,
            "label": self.label,
            "probability": _rounded(self.probability),
            "distraction": _rounded(self.distraction),
            "probabilities": _all_rounded(self.probabilities),
            "words": _all_rounded(self.words),
            "unusual": _rounded(self.unusual, 3),
            "learnt": _rounded(self.learnt, 3),
            "offset": _rounded(self.offset, 3),
            "awareness": _rounded(self.awareness, 3),
            "alert": self.level.name.lower(),
            "alerts": _standing(self.alerts),
            "reasons": _reasons(self.reasons),
            "face": _face(self.face),
            "speed_kmh": _rounded(self.speed_kmh, 1),
            "missing": self.missing and self.missing.value,
            "arms": _rounded(self.arms, 3),
            "pose_confidence": _rounded(self.pose_confidence, 3),
            "age_ms": _rounded(self.age_ms, 1),
            "encoder_ms": _rounded(self.encoder_ms, 2),
        }


@dataclass(frozen=True)
class StateChange:
    """A state has ended (start_s to end_s, in the decisions' timestamps) and the next has begun; `next_state` is None
    at the end of the run. Where nobody looked for a while it has ended with the last decision before. label,
    probability and pose_confidence are of the state that has ended: its most frequent label, the mean probability of
    that label, and the mean over its decisions. missing: what was not seen in most of its decisions. latency_ms: from
    the newest frame's capture to this line."""

    state: State
    start_s: float
    end_s: float
    label: str | None
    probability: float | None
    pose_confidence: float
    next_state: State | None
    wall_s: float
    latency_ms: float
    missing: Missing | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "kind": "state",
            "time": iso_utc(self.wall_s),
            "state": self.state.value,
            "start_s": _rounded(self.start_s),
            "end_s": _rounded(self.end_s),
            "label": self.label,
            "probability": _rounded(self.probability),
            "pose_confidence": _rounded(self.pose_confidence, 3),
            "next_state": self.next_state and self.next_state.value,
            "missing": self.missing and self.missing.value,
            "latency_ms": _rounded(self.latency_ms, 1),
        }


@dataclass(frozen=True)
class Alert:
    """The alert of `reason` has begun, changed its level, or (level 0) ended. number: counts the alerts of a run from
    1, so that a receiver sees repeats and gaps. run: names the run. alerts: every one that stands now, the loudest
    first. reasons: as in the decision that it came of."""

    number: int
    run: str
    level: Level
    reason: Reason
    state: State
    label: str | None
    awareness: float
    speed_kmh: float | None
    timestamp_s: float
    wall_s: float
    latency_ms: float
    alerts: Mapping[Reason, Level] = field(default_factory=dict)
    missing: Missing | None = None
    reasons: Mapping[Aspect, ReasonState] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "kind": "alert",
            "time": iso_utc(self.wall_s),
            "run": self.run,
            "number": self.number,
            "level": self.level.name.lower(),
            "reason": self.reason.value,
            "alerts": _standing(self.alerts),
            "reasons": _reasons(self.reasons),
            "state": self.state.value,
            "label": self.label,
            "missing": self.missing and self.missing.value,
            "awareness": _rounded(self.awareness, 3),
            "speed_kmh": _rounded(self.speed_kmh, 1),
            "timestamp_s": _rounded(self.timestamp_s),
            "latency_ms": _rounded(self.latency_ms, 1),
        }


@dataclass(frozen=True)
class SeenFrame:
    """A frame and what was found in it: image uint8 BGR (H, W, 3), landmarks (33, 4) or None. face: the newest look at
    the face, which may be of a frame shortly before; None where there is none. wall_s: of a live camera the Unix time
    at which it was looked at; None in a recording."""

    image: NDArray[Any]
    landmarks: Array | None
    timestamp_s: float
    decision: Decision | None
    face: Face | None = None
    wall_s: float | None = None


@dataclass(frozen=True)
class SeenSkeleton:
    """What was found in a frame, without the frame: landmarks mediapipe33 (33, 4) or None. size: the frame's (width,
    height) in pixels, None where the camera gave no picture. face: as in SeenFrame; its points (478, 3) are in pixels
    of the picture, y downwards."""

    landmarks: Array | None
    timestamp_s: float
    size: tuple[int, int] | None = None
    face: Face | None = None


class Episode:
    """Gathers the decisions of one state until it ends."""

    def __init__(self, first: Decision) -> None:
        self.state = first.state
        self._decisions = 0
        self._confidence = 0.0
        self._labels: dict[str, list[float]] = {}
        self._missing: Counter[Missing | None] = Counter()
        self.start_s = self.end_s = first.timestamp_s
        self.add(first)

    def add(self, decision: Decision) -> None:
        self._decisions += 1
        self._confidence += decision.pose_confidence
        self.end_s = decision.timestamp_s
        self._missing[decision.missing] += 1
        if decision.label is not None and decision.probability is not None:
            count_and_sum = self._labels.setdefault(decision.label, [0, 0.0])
            count_and_sum[0] += 1
            count_and_sum[1] += decision.probability

    def ended(self, end_s: float, next_state: State | None, wall_s: float, latency_ms: float) -> StateChange:
        label = max(self._labels, key=lambda name: self._labels[name][0], default=None)
        count, total = self._labels[label] if label is not None else (0, 0.0)
        return StateChange(
            state=self.state,
            start_s=self.start_s,
            end_s=end_s,
            label=label,
            probability=total / count if count else None,
            pose_confidence=self._confidence / self._decisions,
            next_state=next_state,
            wall_s=wall_s,
            latency_ms=latency_ms,
            missing=self._missing.most_common(1)[0][0],
        )


def check_record(record: Any) -> None:
    """Raises ValueError where what the page and the time line read is not there."""
    if not isinstance(record, dict) or record.get("kind") not in ("decision", "state", "alert"):
        raise ValueError("not a decision, state or alert")
    if isinstance(record.get("schema"), bool) or record.get("schema") not in READABLE:
        raise ValueError(f"schema {record.get('schema')}, but this version reads {' and '.join(map(str, READABLE))}")
    if record["kind"] == "state":
        return
    level = record.get("alert" if record["kind"] == "decision" else "level")
    if record.get("state") not in {state.value for state in State} or level not in _LEVELS:
        raise ValueError("an unknown state or level")
    _check_alerts(record.get("alerts"))
    numbers = [record.get("timestamp_s"), record.get("awareness")]
    probabilities = record.get("probabilities")
    if probabilities is not None:
        if not isinstance(probabilities, dict):
            raise ValueError("probabilities are no object")
        numbers += probabilities.values()
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in numbers):
        raise ValueError("a number is missing")
    if not all(math.isfinite(value) for value in numbers if value is not None):
        raise ValueError("a number is out of range")
    record_unix_s(record)


def _check_alerts(alerts: Any) -> None:
    """The alerts that stand; schema 1 has none."""
    if alerts is None:
        return
    if not isinstance(alerts, list) or not all(isinstance(alert, dict) for alert in alerts):
        raise ValueError("alerts are no list of objects")
    if any(not isinstance(alert.get("reason"), str) or alert.get("level") not in _LEVELS for alert in alerts):
        raise ValueError("an alert without reason or level")


def record_unix_s(record: dict[str, Any]) -> float:
    time = record.get("time")
    if not isinstance(time, str):
        raise ValueError("no time")
    # Python 3.10 does not read the Z of RFC 3339.
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()
