"""Alert policy: class probabilities over time -> the driver's state. Pure: no clock, no input or output.

Every call gives the time; what the policy answers depends on nothing but the observations so far.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """What can be said about the driver."""

    STARTING = "starting"
    NOBODY = "nobody"
    CANNOT_SEE = "cannot see"
    ATTENTIVE = "attentive"
    DISTRACTED = "distracted"


@dataclass(frozen=True)
class PolicySettings:
    """smoothing_s: time constant of the filter over the probability of distraction. distracted_above, attentive_below:
    the two thresholds on the filtered probability, apart so that the state does not flicker (openpilot's driver
    monitoring uses 0.63 and 0.37). min_fill: a younger window, as a share of its length, is "starting". nobody_after_s:
    how long nobody must have been in view before the state is "nobody"."""

    smoothing_s: float = 0.75
    distracted_above: float = 0.63
    attentive_below: float = 0.37
    min_fill: float = 0.5
    nobody_after_s: float = 0.5


@dataclass(frozen=True)
class Observation:
    """One look at the driver. `unseen_s`: time since somebody was last in view, infinite where nobody ever was. `fill`:
    how much of the window has passed since the start, 0 to 1. `arms_seen`: whether arms were seen often enough to
    judge. `probabilities`: label -> probability, None where there was nothing to judge by."""

    time_s: float
    unseen_s: float
    fill: float
    arms_seen: bool
    probabilities: Mapping[str, float] | None


@dataclass(frozen=True)
class Status:
    """The state since `since_s`. `label`: the most probable class, None where there is none. `distraction`: the
    filtered probability of all labels that count as distraction, None where nothing could be judged."""

    state: State
    since_s: float
    label: str | None
    probability: float | None
    distraction: float | None


class Policy:
    """Filters the probability of distraction and holds the state between two thresholds.

    >>> policy = Policy(["distracted"])
    >>> policy.update(Observation(0.0, 0.0, 1.0, True, {"attentive": 0.1, "distracted": 0.9})).state.value
    'distracted'
    """

    def __init__(self, distraction_labels: list[str], settings: PolicySettings | None = None) -> None:
        self.settings = settings or PolicySettings()
        self._labels = frozenset(distraction_labels)
        self._filtered: float | None = None
        self._judged_s = -math.inf
        self._state: State | None = None
        self._since_s = 0.0

    def update(self, seen: Observation) -> Status:
        """The status after this observation. Observations come in order of time; an earlier one changes nothing but is
        judged as if it came at the time of the last."""
        state = self._judge(seen)
        if state is not self._state:
            self._state, self._since_s = state, seen.time_s
        if seen.probabilities is None or state not in (State.ATTENTIVE, State.DISTRACTED):
            return Status(state, self._since_s, None, None, None)
        label = max(seen.probabilities, key=lambda name: seen.probabilities[name])  # type: ignore[index]
        return Status(state, self._since_s, label, seen.probabilities[label], self._filtered)

    def _judge(self, seen: Observation) -> State:
        settings = self.settings
        if seen.unseen_s > settings.nobody_after_s:
            self._filtered = None
            return State.NOBODY if seen.fill >= settings.min_fill or math.isfinite(seen.unseen_s) else State.STARTING
        if seen.fill < settings.min_fill:
            return State.STARTING
        if not seen.arms_seen or seen.probabilities is None:
            self._filtered = None
            return State.CANNOT_SEE
        distraction = sum(p for label, p in seen.probabilities.items() if label in self._labels)
        if self._filtered is None:
            self._filtered = distraction
        else:
            # An exponential filter in time, not in steps: the decision rate does not change what it settles on.
            elapsed = max(0.0, seen.time_s - self._judged_s)
            self._filtered += (1 - math.exp(-elapsed / settings.smoothing_s)) * (distraction - self._filtered)
        self._judged_s = seen.time_s
        if self._filtered > settings.distracted_above:
            return State.DISTRACTED
        if self._filtered < settings.attentive_below:
            return State.ATTENTIVE
        # Between the thresholds the last judgement stands; the first one falls to the nearer side.
        if self._state in (State.ATTENTIVE, State.DISTRACTED):
            return self._state
        return State.DISTRACTED if self._filtered >= 0.5 else State.ATTENTIVE
