"""Alert policy: what was seen over time -> the driver's state and alerts. Pure: no clock, no input or output.

Every call gives the time; what the policy answers depends on nothing but the observations so far. The limits follow
gaze rules (Regulation (EU) 2023/2590: 3.5 s at 50 km/h and above, 6 s from 20 to 50 km/h; Euro NCAP 2026: 10 s within
30 s). Nothing here is certified to them. Each reason for an alert is a machine of its own in reasons/.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from edge_c2vl.monitoring.face_look import FaceLook
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.reasons.activity import Activity
from edge_c2vl.monitoring.reasons.watched import Watched
from edge_c2vl.monitoring.standing import Aspect, Condition, Level, Reason, ReasonState, loudest_first
from edge_c2vl.utils.scores import shift_odds


class State(str, Enum):
    """What can be said about the driver."""

    STARTING = "starting"
    NOBODY = "nobody"
    CANNOT_SEE = "cannot see"
    ATTENTIVE = "attentive"
    DISTRACTED = "distracted"


@dataclass(frozen=True)
class Observation:
    """One look at the driver.

    unseen_s: time since somebody was last in view, infinite where nobody ever was. fill: how much of the window has
    passed since the start, 0 to 1. arms_seen: whether arms were seen often enough to judge. probabilities: label ->
    probability, None where there was nothing to judge by. speed_kmh: None where unknown; speed_age_s: how old it is.
    elsewhere: what was learnt of the driver is not of this one, who is to be asked to learn anew. looks: the newest
    looks at the face; those that an earlier observation had are passed over. face_failed: the face is not looked at,
    though it should be. slumped: whether the head is far below its own place, and still; None where that cannot be
    told. hands_on_wheel: both hands are where they are while this driver drives attentively. learnt: of each aspect the
    share of what it learns of the driver.
    """

    time_s: float
    unseen_s: float
    fill: float
    arms_seen: bool
    probabilities: Mapping[str, float] | None
    speed_kmh: float | None = None
    speed_age_s: float = 0.0
    elsewhere: bool = False
    looks: tuple[FaceLook, ...] = ()
    face_failed: bool = False
    slumped: bool | None = None
    hands_on_wheel: bool = False
    learnt: Mapping[Aspect, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Status:
    """The state since `since_s`. label, probability: the most probable class, among those that distract while the state
    is distracted; None where there is none. distraction: the filtered probability of all labels that count as
    distraction, None where nothing could be judged. awareness: the least of all aspects; 1 fully aware, 0 where a
    critical alert's time is used up. alerts: every one that stands, the loudest first. paused: too slow for alerts.
    speed_known: whether the speed was told and is not stale. reasons: what is known of each aspect that is watched."""

    state: State
    since_s: float
    label: str | None
    probability: float | None
    distraction: float | None
    awareness: float
    alerts: Mapping[Reason, Level]
    paused: bool
    speed_known: bool = False
    reasons: Mapping[Aspect, ReasonState] = field(default_factory=dict)

    @property
    def level(self) -> Level:
        """Of the loudest alert."""
        return next(iter(self.alerts.values()), Level.NONE)

    @property
    def reason(self) -> Reason | None:
        """Of the loudest alert."""
        return next(iter(self.alerts), None)


class Policy:
    """Filters the probability of distraction, holds the state between two thresholds, and raises alerts. aspects: what
    is watched; without the activity there is a state, and no alert of it.

    >>> policy = Policy(["distracted"])
    >>> policy.update(Observation(0.0, 0.0, 1.0, True, {"attentive": 0.1, "distracted": 0.9})).state.value
    'distracted'
    """

    def __init__(
        self,
        distraction_labels: list[str],
        settings: PolicySettings | None = None,
        aspects: Iterable[Aspect] = (Aspect.ACTIVITY,),
    ) -> None:
        self.settings = settings or PolicySettings()
        self._labels = frozenset(distraction_labels)
        self._filtered: float | None = None
        self._newest: float | None = None  # the newest window's probability of distraction
        self._state = State.STARTING
        # What could be judged at the last observation; the state may outlast a moment in which nothing could.
        self._distracted: bool | None = None
        self._judged_s = -math.inf
        self._since_s: float | None = None
        self._time_s: float | None = None
        self._fast = self._moving = False
        self._activity = Activity()
        self._watches_activity = Aspect.ACTIVITY in (aspects := frozenset(aspects))
        self._watched = Watched(aspects)

    def update(self, seen: Observation) -> Status:
        """The status after this observation. One that is not later than the last (a clock that was set back) is judged,
        but no time passes."""
        settings = self.settings
        elapsed_s = 0.0 if self._time_s is None else max(0.0, seen.time_s - self._time_s)
        if self._time_s is not None and seen.time_s < self._time_s:
            self._judged_s += seen.time_s - self._time_s
        self._time_s = seen.time_s
        speed_known = self._knows_speed(seen)
        limit_s = self._warning_limit_s(seen.speed_kmh if speed_known else None)
        if self._watched.any:
            nobody = seen.unseen_s > settings.nobody_after_s
            self._watched.update(seen.time_s, seen.looks, seen.slumped, nobody, seen.face_failed, limit_s, settings)
        distraction = self._distraction(seen)
        # What lies between two observations is counted as the state that the earlier one found. Of a long time that is
        # known for its beginning alone.
        step_s = min(elapsed_s, settings.max_step_s)
        self._activity.pass_time(step_s, self._distracted, self._doubted(distraction), limit_s, settings)
        self._activity.pass_time(elapsed_s - step_s, None, False, limit_s, settings)
        self._newest = distraction
        # The state outlasts a drop-out, and what was in doubt with it.
        was = self._state is State.DISTRACTED if self._judged else None
        state = self._judge(seen, distraction)
        self._distracted = None if distraction is None else state is State.DISTRACTED
        if self._distracted is not None and self._distracted is not was:
            self._activity.turn(self._distracted, was, limit_s, settings)
        if state is not self._state or self._since_s is None:
            self._state, self._since_s = state, seen.time_s
        label = None
        if distraction is not None and seen.probabilities is not None:
            # A distracted driver is said to do what is most probable of what distracts, also where no single activity
            # is as probable as attentive driving.
            told = [name for name in seen.probabilities if state is not State.DISTRACTED or name in self._labels]
            label = max(told or seen.probabilities, key=seen.probabilities.__getitem__)
        alerts = self._alerts(seen.elsewhere, limit_s is None)
        return Status(
            state=state,
            since_s=self._since_s,
            label=label,
            probability=None if label is None or seen.probabilities is None else seen.probabilities[label],
            distraction=None if label is None else self._filtered,
            awareness=self._awareness,
            alerts=alerts,
            paused=limit_s is None,
            speed_known=speed_known,
            reasons=self._reasons(seen, alerts),
        )

    def _alerts(self, elsewhere: bool, paused: bool) -> dict[Reason, Level]:
        """Every alert that stands now, the loudest first."""
        if paused:
            return {}
        levels = self._watched.alerts()
        for reason, level in self._activity.alerts().items():
            if self._watches_activity or reason is Reason.CANNOT_SEE:
                levels[reason] = max(level, levels.get(reason, Level.NONE))
        levels[Reason.ELSEWHERE] = Level.NOTICE if elsewhere else Level.NONE
        return loudest_first({reason: level for reason, level in levels.items() if level > Level.NONE})

    @property
    def _awareness(self) -> float:
        of_activity = self._activity.ladder.awareness if self._watches_activity else 1.0
        return min(of_activity, self._watched.awareness)

    def _reasons(self, seen: Observation, alerts: Mapping[Reason, Level]) -> dict[Aspect, ReasonState]:
        told: dict[Aspect, ReasonState] = {}
        if self._watches_activity:
            known = {State.ATTENTIVE: Condition.ATTENTIVE, State.DISTRACTED: Condition.DISTRACTED}
            state = known.get(self._state, Condition.CANNOT_SEE)
            since_s = seen.time_s if self._since_s is None else self._since_s
            told[Aspect.ACTIVITY] = ReasonState(
                state, share=self._activity.ladder.share, seconds=max(0.0, seen.time_s - since_s)
            )
        told |= self._watched.states(seen.time_s)
        for aspect, one in told.items():
            level = max((level for reason, level in alerts.items() if reason.aspect is aspect), default=Level.NONE)
            told[aspect] = replace(one, level=level, learnt=seen.learnt.get(aspect))
        return told

    @property
    def _judged(self) -> bool:
        return self._state in (State.ATTENTIVE, State.DISTRACTED)

    def _knows_speed(self, seen: Observation) -> bool:
        kmh = seen.speed_kmh
        return kmh is not None and math.isfinite(kmh) and seen.speed_age_s <= self.settings.speed_stale_s

    def _warning_limit_s(self, kmh: float | None) -> float | None:
        """Seconds of distraction until the warning at this speed; None where alerts pause."""
        settings = self.settings
        if kmh is None:
            self._fast = self._moving = False
            return settings.warning_fast_s
        slack = settings.speed_hysteresis_kmh
        self._moving = kmh >= settings.slow_kmh - (slack if self._moving else 0.0)
        self._fast = kmh >= settings.fast_kmh - (slack if self._fast else 0.0)
        if self._fast:
            return settings.warning_fast_s
        return settings.warning_slow_s if self._moving else None

    def _distraction(self, seen: Observation) -> float | None:
        """The probability of all classes that count as distraction; None where there is nothing to judge by."""
        settings = self.settings
        if seen.unseen_s > settings.nobody_after_s or seen.fill < settings.min_fill or not seen.arms_seen:
            return None
        if seen.probabilities is None:
            return None
        probabilities = seen.probabilities
        if seen.hands_on_wheel and self._watched.looks_ahead:
            # A phone at the ear keeps a hand from the wheel, and stays a distraction.
            probabilities = shift_odds(probabilities, self._labels, -settings.ahead_odds)
        return sum(p for label, p in probabilities.items() if label in self._labels)

    def _doubted(self, distraction: float | None) -> bool:
        """Whether the newest window contradicts the state."""
        newest = self._newest if distraction is None else distraction
        if newest is None or self._distracted is None:
            return False
        return (newest >= self.settings.attentive_below) is not self._distracted

    def _judge(self, seen: Observation, distraction: float | None) -> State:
        settings = self.settings
        since_judged_s = max(0.0, seen.time_s - self._judged_s)
        if distraction is None:
            # A new window is no drop-out: the previous knowledge belongs to another time.
            if self._judged and since_judged_s <= settings.dropout_s and seen.fill >= settings.min_fill:
                return self._state
            self._filtered = None
            if seen.unseen_s > settings.nobody_after_s:
                never = seen.fill < settings.min_fill and math.isinf(seen.unseen_s)
                return State.STARTING if never else State.NOBODY
            return State.STARTING if seen.fill < settings.min_fill else State.CANNOT_SEE
        self._judged_s = seen.time_s
        if self._filtered is None:
            self._filtered = distraction
        else:
            # An exponential filter in time, not in steps: the decision rate does not change what it settles on.
            self._filtered += (1 - math.exp(-since_judged_s / settings.smoothing_s)) * (distraction - self._filtered)
        if self._filtered > settings.distracted_above:
            return State.DISTRACTED
        if self._filtered < settings.attentive_below:
            return State.ATTENTIVE
        # Between the thresholds the last judgement stands; the first one falls to the nearer side.
        if self._judged:
            return self._state
        return State.DISTRACTED if self._filtered >= 0.5 else State.ATTENTIVE
