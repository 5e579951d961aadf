"""Alert policy: class probabilities over time -> the driver's state and alerts. Pure: no clock, no input or output.

Every call gives the time; what the policy answers depends on nothing but the observations so far. The limits follow
gaze rules (Regulation (EU) 2023/2590: 3.5 s at 50 km/h and above, 6 s from 20 to 50 km/h; Euro NCAP 2026: 10 s within
30 s), which body activity complements. Nothing here is certified to them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum


class State(str, Enum):
    """What can be said about the driver."""

    STARTING = "starting"
    NOBODY = "nobody"
    CANNOT_SEE = "cannot see"
    ATTENTIVE = "attentive"
    DISTRACTED = "distracted"


class Level(IntEnum):
    """How urgent an alert is."""

    NONE = 0
    NOTICE = 1
    WARNING = 2
    CRITICAL = 3


class Reason(str, Enum):
    """Why there is an alert."""

    LONG = "long distraction"
    CUMULATIVE = "cumulative distraction"
    CANNOT_SEE = "cannot see"
    ELSEWHERE = "another driver or camera"


@dataclass(frozen=True)
class PolicySettings:
    """Every setting, with its unit in its name.

    State. smoothing_s: time constant of the filter over the probability of distraction. distracted_above,
    attentive_below: the two thresholds on it, apart so that the state does not flicker (openpilot's driver monitoring
    uses 0.63 and 0.37). min_fill: a younger window, as a share of its length, is "starting". nobody_after_s: how long
    nobody must have been in view before the state is "nobody".

    Long distraction. warning_fast_s from fast_kmh on, warning_slow_s from slow_kmh on; below slow_kmh alerts pause.
    notice_share, critical_share: the other two levels, as shares of the warning's time. recovery: how many times faster
    awareness recovers than it falls.

    Cumulative distraction. A warning after cumulative_s of distraction within cumulative_window_s, which only
    cumulative_clear_s of unbroken attention clears.

    Cannot see. A notice after cannot_see_s without a driver whose arms can be seen.

    Time. max_step_s: what lies between two observations counts for no longer than this, since nobody looked.
    speed_stale_s: an older speed is unknown, and an unknown speed counts as fast.
    """

    smoothing_s: float = 0.75
    distracted_above: float = 0.63
    attentive_below: float = 0.37
    min_fill: float = 0.5
    nobody_after_s: float = 0.5
    fast_kmh: float = 50.0
    slow_kmh: float = 20.0
    warning_fast_s: float = 3.5
    warning_slow_s: float = 6.0
    notice_share: float = 0.6
    critical_share: float = 2.0
    recovery: float = 2.0
    cumulative_s: float = 10.0
    cumulative_window_s: float = 30.0
    cumulative_clear_s: float = 5.0
    cannot_see_s: float = 10.0
    max_step_s: float = 1.0
    speed_stale_s: float = 5.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf):
                raise ValueError(f"{name} is a number above 0, not {value!r}")
        if not self.attentive_below <= self.distracted_above < 1:
            raise ValueError("attentive_below is not above distracted_above, and both are below 1")
        if not self.notice_share <= 1 <= self.critical_share:
            raise ValueError("notice_share is at most 1, critical_share at least 1")
        if self.slow_kmh > self.fast_kmh or self.cumulative_s > self.cumulative_window_s:
            raise ValueError("slow_kmh is at most fast_kmh, cumulative_s at most cumulative_window_s")


@dataclass(frozen=True)
class Observation:
    """One look at the driver.

    unseen_s: time since somebody was last in view, infinite where nobody ever was. fill: how much of the window has
    passed since the start, 0 to 1. arms_seen: whether arms were seen often enough to judge. probabilities: label ->
    probability, None where there was nothing to judge by. speed_kmh: None where unknown; speed_age_s: how old it is.
    elsewhere: what was learnt of the driver is not of this one; alerts of distraction give way to asking to learn anew.
    """

    time_s: float
    unseen_s: float
    fill: float
    arms_seen: bool
    probabilities: Mapping[str, float] | None
    speed_kmh: float | None = None
    speed_age_s: float = 0.0
    elsewhere: bool = False


@dataclass(frozen=True)
class Status:
    """The state since `since_s`. label, probability: the most probable class, None where there is none. distraction:
    the filtered probability of all labels that count as distraction, None where nothing could be judged. awareness: 1
    fully aware, 0 where the critical alert stands. level, reason: the alert. paused: too slow for alerts."""

    state: State
    since_s: float
    label: str | None
    probability: float | None
    distraction: float | None
    awareness: float
    level: Level
    reason: Reason | None
    paused: bool


class Policy:
    """Filters the probability of distraction, holds the state between two thresholds, and raises alerts.

    >>> policy = Policy(["distracted"])
    >>> policy.update(Observation(0.0, 0.0, 1.0, True, {"attentive": 0.1, "distracted": 0.9})).state.value
    'distracted'
    """

    def __init__(self, distraction_labels: list[str], settings: PolicySettings | None = None) -> None:
        self.settings = settings or PolicySettings()
        self._labels = frozenset(distraction_labels)
        self._filtered: float | None = None
        self._state = State.STARTING
        self._since_s: float | None = None
        self._time_s: float | None = None
        self._alerts = _Alerts()

    def update(self, seen: Observation) -> Status:
        """The status after this observation. One that is not later than the last (a clock that was set back) is judged,
        but no time passes."""
        step_s = 0.0 if self._time_s is None else min(max(0.0, seen.time_s - self._time_s), self.settings.max_step_s)
        elapsed_s = 0.0 if self._time_s is None else max(0.0, seen.time_s - self._time_s)
        self._time_s = seen.time_s
        limit_s = self._warning_limit_s(seen)
        # What lies between two observations is counted as the state that the earlier one found.
        self._alerts.pass_time(step_s, self._state, limit_s, self.settings)
        state = self._judge(seen, elapsed_s)
        if state is not self._state or self._since_s is None:
            self._state, self._since_s = state, seen.time_s
        level, reason = self._alerts.alert(state, limit_s is None, self.settings)
        if seen.elsewhere and limit_s is not None:
            level, reason = Level.NOTICE, Reason.ELSEWHERE
        label = None
        if seen.probabilities is not None and state in (State.ATTENTIVE, State.DISTRACTED):
            label = max(seen.probabilities, key=seen.probabilities.__getitem__)
        return Status(
            state=state,
            since_s=self._since_s,
            label=label,
            probability=None if label is None or seen.probabilities is None else seen.probabilities[label],
            distraction=None if label is None else self._filtered,
            awareness=self._alerts.awareness,
            level=level,
            reason=reason,
            paused=limit_s is None,
        )

    def _warning_limit_s(self, seen: Observation) -> float | None:
        """Seconds of distraction until the warning at this speed; None where alerts pause."""
        settings = self.settings
        if seen.speed_kmh is None or not seen.speed_age_s <= settings.speed_stale_s:
            return settings.warning_fast_s
        if seen.speed_kmh >= settings.fast_kmh:
            return settings.warning_fast_s
        return settings.warning_slow_s if seen.speed_kmh >= settings.slow_kmh else None

    def _judge(self, seen: Observation, elapsed_s: float) -> State:
        settings = self.settings
        if seen.unseen_s > settings.nobody_after_s:
            self._filtered = None
            never = seen.fill < settings.min_fill and math.isinf(seen.unseen_s)
            return State.STARTING if never else State.NOBODY
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
            self._filtered += (1 - math.exp(-elapsed_s / settings.smoothing_s)) * (distraction - self._filtered)
        if self._filtered > settings.distracted_above:
            return State.DISTRACTED
        if self._filtered < settings.attentive_below:
            return State.ATTENTIVE
        # Between the thresholds the last judgement stands; the first one falls to the nearer side.
        if self._state in (State.ATTENTIVE, State.DISTRACTED):
            return self._state
        return State.DISTRACTED if self._filtered >= 0.5 else State.ATTENTIVE


class _Alerts:
    """Awareness, the sum of recent distraction, and how long the driver has not been seen."""

    def __init__(self) -> None:
        self.awareness = 1.0
        self._now_s = 0.0  # time that was observed, the policy's own
        self._spans: deque[tuple[float, float]] = deque()  # distracted from, to
        self._cumulative = False
        self._attentive_s = 0.0
        self._unseen_s = 0.0

    def pass_time(self, step_s: float, state: State, limit_s: float | None, settings: PolicySettings) -> None:
        """`step_s` went by in `state`."""
        self._now_s += step_s
        distracted = state is State.DISTRACTED and limit_s is not None
        if distracted and limit_s is not None:
            self.awareness = max(0.0, self.awareness - step_s / (settings.critical_share * limit_s))
            if self._spans and self._spans[-1][1] >= self._now_s - step_s - 1e-9:
                self._spans[-1] = (self._spans[-1][0], self._now_s)
            else:
                self._spans.append((self._now_s - step_s, self._now_s))
        elif state is State.ATTENTIVE or limit_s is None:
            fall_s = settings.critical_share * (limit_s or settings.warning_slow_s)
            self.awareness = min(1.0, self.awareness + settings.recovery * step_s / fall_s)
        calm = state is State.ATTENTIVE or limit_s is None
        # Not being seen is neither attention nor distraction: it breaks off the one and does not add to the other.
        self._attentive_s = self._attentive_s + step_s if calm else 0.0
        blind = state in (State.CANNOT_SEE, State.NOBODY) and limit_s is not None
        self._unseen_s = self._unseen_s + step_s if blind else 0.0
        self._add_up(settings)

    def _add_up(self, settings: PolicySettings) -> None:
        start_s = self._now_s - settings.cumulative_window_s
        while self._spans and self._spans[0][1] <= start_s:
            self._spans.popleft()
        total_s = sum(end - max(begin, start_s) for begin, end in self._spans)
        if self._attentive_s >= settings.cumulative_clear_s - 1e-9:
            self._cumulative = False
            self._spans.clear()
        elif total_s >= settings.cumulative_s - 1e-9:
            self._cumulative = True

    def alert(self, state: State, paused: bool, settings: PolicySettings) -> tuple[Level, Reason | None]:
        """The alert that stands now."""
        if paused:
            return Level.NONE, None
        level, reason = Level.NONE, None
        if state is State.DISTRACTED:
            # Awareness falls from 1 to 0 in critical_share times the warning's limit, whatever the limit is.
            fallen = (1 - self.awareness) * settings.critical_share + 1e-9
            for share, of_level in (
                (settings.critical_share, Level.CRITICAL),
                (1.0, Level.WARNING),
                (settings.notice_share, Level.NOTICE),
            ):
                if fallen >= share:
                    level, reason = of_level, Reason.LONG
                    break
        if self._cumulative and level < Level.WARNING and state in (State.DISTRACTED, State.ATTENTIVE):
            level, reason = Level.WARNING, Reason.CUMULATIVE
        if level is Level.NONE and self._unseen_s >= settings.cannot_see_s - 1e-9:
            level, reason = Level.NOTICE, Reason.CANNOT_SEE
        return level, reason
