"""Which alerts stand: their levels and reasons, and what is known of each thing that is watched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, IntEnum


class Level(IntEnum):
    """How urgent an alert is."""

    NONE = 0
    NOTICE = 1
    WARNING = 2
    CRITICAL = 3


class Aspect(str, Enum):
    """What is watched, by the names of `--reasons`."""

    ACTIVITY = "activity"
    GAZE = "gaze"
    EYES = "eyes"
    DROWSY = "drowsy"
    UNRESPONSIVE = "unresponsive"


# Those that need the driver's face.
OF_THE_FACE = frozenset({Aspect.GAZE, Aspect.EYES, Aspect.DROWSY})


class Reason(str, Enum):
    """Why there is an alert. Of two at one level, outputs list the one first that comes first here."""

    UNRESPONSIVE = "unresponsive or out of view"
    EYES_CLOSED = "eyes closed"
    LOOKING_AWAY = "looking away"
    LONG = "long distraction"
    CUMULATIVE = "cumulative distraction"
    DROWSY = "drowsy"
    CANNOT_SEE = "cannot see"
    ELSEWHERE = "another driver or camera"

    @property
    def aspect(self) -> Aspect | None:
        """What is watched that this comes of; None where it is about the watching itself."""
        return _ASPECTS.get(self)


_ORDER = list(Reason)
_ASPECTS = {
    Reason.UNRESPONSIVE: Aspect.UNRESPONSIVE,
    Reason.EYES_CLOSED: Aspect.EYES,
    Reason.LOOKING_AWAY: Aspect.GAZE,
    Reason.LONG: Aspect.ACTIVITY,
    Reason.CUMULATIVE: Aspect.ACTIVITY,
    Reason.DROWSY: Aspect.DROWSY,
}
# The reasons that say that the driver is distracted.
OF_DISTRACTION = frozenset({Reason.UNRESPONSIVE, Reason.LONG, Reason.CUMULATIVE})


class Condition(str, Enum):
    """What is seen of an aspect. The first line of each is the calm one; the last three are of every aspect."""

    ATTENTIVE, DISTRACTED = "attentive", "distracted"
    AHEAD, GLANCE, AWAY = "ahead", "glance", "away"
    OPEN, CLOSED = "open", "closed"
    AWAKE, TIRED, DROWSY = "awake", "tired", "drowsy"
    UPRIGHT, HEAD_DOWN, SLUMPED, OUT_OF_VIEW = "upright", "head down", "slumped", "out of view"
    LEARNING = "learning"
    CANNOT_SEE = "cannot see"
    FAILED = "failed"


@dataclass(frozen=True)
class ReasonState:
    """What is known of an aspect now. seconds: for how long what `state` says has lasted. share: how much of the time
    to its loudest level is used up, 0 to 1. level: of its loudest alert. learnt: the share of what it learns of the
    driver that is known, 0 to 1; None where it learns nothing, or does not now."""

    state: Condition
    level: Level = Level.NONE
    share: float = 0.0
    seconds: float = 0.0
    learnt: float | None = None


def silent(reasons: Mapping[Aspect, ReasonState]) -> dict[Aspect, ReasonState]:
    """The same where no alert is ever raised."""
    return {aspect: replace(one, level=Level.NONE) for aspect, one in reasons.items()}


def loudest_first(alerts: Mapping[Reason, Level]) -> dict[Reason, Level]:
    """Alerts in the order in which outputs list them."""
    return {reason: alerts[reason] for reason in sorted(alerts, key=lambda one: (-alerts[one], _ORDER.index(one)))}
