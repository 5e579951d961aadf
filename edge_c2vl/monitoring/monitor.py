"""Clip -> decision, and what follows from it: changes of state and alerts."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge_c2vl.inference.model import ClipModel
from edge_c2vl.monitoring.apply_baseline import Attention, Personal, Personaliser
from edge_c2vl.monitoring.events import Alert, Decision, Episode, Missing, StateChange
from edge_c2vl.monitoring.face_reader import SeenFace
from edge_c2vl.monitoring.own_driver import OwnDriver
from edge_c2vl.monitoring.policy import Observation, Policy, State, Status
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.standing import Aspect, Level, Reason, loudest_first, silent
from edge_c2vl.monitoring.stats import Summary, Timings
from edge_c2vl.skeletons.clip import Clip
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.speed.base import Speed
from edge_c2vl.utils.once import Fault
from edge_c2vl.utils.scores import log_odds, softmax

log = logging.getLogger("edge_c2vl")

# The share of a window in which the head must have been seen. Below it what hands do there is not known.
MIN_HEAD = 0.25


MonitorRecord = Decision | StateChange | Alert


@dataclass(frozen=True)
class MonitorInput:
    """A clip to judge, and what was known when it was cut. unseen_s: time since somebody was last in view. fill: how
    much of the window had passed, 0 to 1. blind: the camera gives no picture, or the same one for ever. driver: whether
    the body that is seen is known to be the driver's (see body_watch). faces: of the last seconds' pictures;
    face_failed: they are not looked at, though they should be."""

    clip: Clip
    timestamp_s: float
    captured_s: float
    unseen_s: float
    fill: float
    blind: bool = False
    driver: bool = True
    faces: tuple[SeenFace, ...] = ()
    face_failed: bool = False


class DriverMonitor:
    """Runs the encoder and the policy, and keeps the thread of states and alerts. For one thread at a time.

    alerts=False: no alert is ever raised. aspects: what is watched.
    """

    def __init__(
        self,
        model: ClipModel,
        policy: PolicySettings | None,
        speed: Speed,
        personaliser: Personaliser,
        timings: Timings,
        summary: Summary,
        alerts: bool = True,
        aspects: frozenset[Aspect] = frozenset({Aspect.ACTIVITY}),
    ) -> None:
        self.policy = Policy(model.distraction, policy, aspects)
        self._own, self._begun = OwnDriver(aspects), personaliser.begun
        self.run_id = uuid.uuid4().hex[:12]
        self._model, self._speed = model, speed
        self._personaliser, self._distraction = personaliser, frozenset(model.distraction)
        self._timings, self._summary, self._raises = timings, summary, alerts
        self._episode: Episode | None = None
        self._newest: Decision | None = None
        self._standing: Mapping[Reason, Level] = {}
        self._alerts = 0
        self._elsewhere = False
        self._no_number, self._far_apart = Fault(), Fault()
        self._anew = threading.Event()

    def calibrate(self) -> None:
        """What was learnt of the driver in this run is learnt anew, from the next decision on. From every thread."""
        self._anew.set()

    def decide(self, job: MonitorInput) -> list[MonitorRecord]:
        """The decision first, then what it changes."""
        if self._anew.is_set():
            self._anew.clear()
            self._personaliser.begin_anew()
            self._own.begin_anew()
        missing = self._missing(job)
        encoded, encoder_ms = self._encode(job.clip) if missing is None else (None, None)
        personal, words, odds = Personal({}), None, 0.0
        if encoded is not None:
            logits, embedding = encoded
            words = None if self._model.words is None else self._model.words.probabilities(embedding)
            if words is not None and self._model.by_words:
                probabilities = words
            else:
                probabilities = dict(zip(self._model.labels, softmax(logits).tolist(), strict=True))
            odds = log_odds(probabilities, self._distraction)
            personal = self._personaliser.look(job.clip, job.timestamp_s, probabilities, self._distraction)
            if personal.elsewhere and not self._elsewhere:
                self._own.begin_anew()
            # It stands while nothing can be judged.
            self._elsewhere = personal.elsewhere
        speed_kmh, speed_age_s = self._speed.latest()
        unseen_s = 0.0 if job.blind else job.unseen_s
        self._personaliser.unseen(unseen_s)
        if self._begun != self._personaliser.begun:
            self._own.begin_anew()
            self._begun = self._personaliser.begun
        self._own.unseen(unseen_s)
        self._own.take_face(self._personaliser.kept_face())
        looks = self._own.read(job.faces, job.clip)
        seen = Observation(
            job.timestamp_s,
            unseen_s,
            job.fill,
            missing is None,
            personal.probabilities or None,
            speed_kmh,
            speed_age_s,
            self._elsewhere,
            looks,
            job.face_failed,
            self._own.slumped(self.policy.settings.slumped) if job.driver else None,
            self._own.hands_on_wheel,
            self._learnt,
        )
        with self._timings.measure("policy"):
            status = self.policy.update(seen)
        if encoded is not None:
            self._personaliser.learn(job.clip, job.timestamp_s, self._attention(status), odds)
        self._own.learn(job.timestamp_s, status, self._moving(status))
        if (face := self._own.face) is not None:
            self._personaliser.keep_face(face)
        alerts = status.alerts if self._raises else {}
        age_ms = (time.monotonic() - job.captured_s) * 1e3
        self._timings.add("frame age", age_ms)
        decision = Decision(
            timestamp_s=job.timestamp_s,
            wall_s=time.time(),
            state=status.state,
            label=status.label,
            probability=status.probability,
            distraction=status.distraction,
            probabilities=personal.probabilities if status.label is not None else None,
            unusual=personal.unusual,
            learnt=self._personaliser.learnt,
            offset=self._personaliser.offset,
            words=words if status.label is not None else None,
            missing=self._told(missing, status.state),
            arms=job.clip.arms,
            pose_confidence=job.clip.confidence,
            age_ms=age_ms,
            encoder_ms=encoder_ms,
            awareness=status.awareness,
            level=next(iter(alerts.values()), Level.NONE),
            alerts=alerts,
            speed_kmh=speed_kmh if status.speed_known else None,
            logits=None if encoded is None else encoded[0],
            reasons=status.reasons if self._raises else silent(status.reasons),
            face=looks[-1] if looks else None,
        )
        changes = self._changes_of(decision)
        self._newest = decision
        self._summary.count(decision.state.value)
        if decision.words is not None:
            nearest = max(decision.words, key=decision.words.__getitem__)
            self._summary.in_words[nearest] = self._summary.in_words.get(nearest, 0) + 1
        return [decision, *self._alerts_of(decision, alerts), *changes]

    def finish(self) -> list[MonitorRecord]:
        """At the end of a run: the end of each alert that stands, and the last state."""
        if self._episode is None or self._newest is None:
            return []
        ended = self._ended(self._episode, self._episode.end_s, None, self._newest)
        return [*self._alerts_of(self._newest, {}), ended]

    def _missing(self, job: MonitorInput) -> Missing | None:
        """What there is too little evidence of to judge by. A window that is still filling has seen arms and head in
        less of its length for no fault of theirs."""
        if job.blind:
            return Missing.PICTURE
        if not job.driver:
            return Missing.DRIVER
        if job.clip.looked < self._model.clip.min_arms:
            if self._far_apart.came():
                gap_s = self._model.clip.max_gap_s
                log.warning("pictures come more than %g s apart: too few to tell what the driver does", gap_s)
            return Missing.PICTURE
        if self._far_apart.worked():
            log.warning("pictures come often enough again")
        if job.clip.arms < self._model.clip.min_arms * job.fill:
            return Missing.ARMS
        return Missing.FACE if job.clip.head < MIN_HEAD * job.fill else None

    @staticmethod
    def _told(missing: Missing | None, state: State) -> Missing | None:
        if state is State.NOBODY:
            return Missing.DRIVER
        return missing if state is State.CANNOT_SEE else None

    @property
    def _learnt(self) -> dict[Aspect, float]:
        activity = self._personaliser.learnt
        return self._own.learnt if activity is None else {Aspect.ACTIVITY: activity} | self._own.learnt

    def _moving(self, status: Status) -> bool:
        """Whether the vehicle drives; where nothing tells its speed, it may."""
        return not self._speed.told or (status.speed_known and not status.paused)

    def _attention(self, status: Status) -> Attention:
        """Whether this may be learnt from as normal driving."""
        driving = self._moving(status)
        if status.alerts or status.state is not State.ATTENTIVE or status.distraction is None or not driving:
            return Attention.NONE
        plain = status.distraction < self.policy.settings.attentive_below
        return Attention.PLAIN if plain else Attention.PROBABLE

    def _encode(self, clip: Clip) -> tuple[tuple[Array, Array] | None, float | None]:
        """The clip's logits and embedding, and what they took."""
        if not clip.data.any():
            return None, None
        started = time.perf_counter()
        logits, embedding = (output[0] for output in self._model.backend.infer(clip.data[None]))
        encoder_ms = (time.perf_counter() - started) * 1e3
        self._timings.add("encoder", encoder_ms)
        if not np.isfinite(logits).all() or (self._model.words is not None and not np.isfinite(embedding).all()):
            # Nothing to judge by, and the policy's filter would never forget it.
            if self._no_number.came():
                log.warning('the encoder\'s answer is no number; the state is "cannot see" while that lasts')
            return None, encoder_ms
        if self._no_number.worked():
            log.warning("the encoder's answer is a number again")
        return (logits, embedding), encoder_ms

    def _alerts_of(self, decision: Decision, standing: Mapping[Reason, Level]) -> list[Alert]:
        """What has begun or changed, the loudest first, then what has ended."""
        before, self._standing = self._standing, standing
        changed = [(reason, level) for reason, level in standing.items() if before.get(reason) is not level]
        changed += [(reason, Level.NONE) for reason in before if reason not in standing]
        # In each record the alerts as they stand after it, so that one that goes on is not missing in between.
        now = dict(before)
        alerts = []
        for reason, level in changed:
            now[reason] = level
            if level is Level.NONE:
                del now[reason]
            alerts.append(self._alert(decision, reason, level, loudest_first(now)))
        return alerts

    def _alert(self, decision: Decision, reason: Reason, level: Level, standing: Mapping[Reason, Level]) -> Alert:
        self._alerts += 1
        self._summary.alerts += level > Level.NONE
        now = time.time()
        return Alert(
            number=self._alerts,
            run=self.run_id,
            level=level,
            reason=reason,
            state=decision.state,
            label=decision.label,
            awareness=decision.awareness,
            speed_kmh=decision.speed_kmh,
            missing=decision.missing,
            timestamp_s=decision.timestamp_s,
            wall_s=now,
            latency_ms=decision.age_ms + (now - decision.wall_s) * 1e3,
            alerts=standing,
            reasons=decision.reasons,
        )

    def _changes_of(self, decision: Decision) -> list[StateChange]:
        changes = []
        if self._episode is not None:
            # Nobody knows what the driver did while nobody looked: a state ends with the last decision before that.
            gap_s = decision.timestamp_s - self._episode.end_s
            unwatched = not 0 <= gap_s <= self.policy.settings.gap_s
            if unwatched:
                self._summary.unwatched_s += max(0.0, gap_s)
            if unwatched or decision.state is not self._episode.state:
                end_s = self._episode.end_s if unwatched else decision.timestamp_s
                changes.append(self._ended(self._episode, end_s, decision.state, decision))
                self._episode = None
        if self._episode is None:
            self._episode = Episode(decision)
        else:
            self._episode.add(decision)
        return changes

    def _ended(self, episode: Episode, end_s: float, next_state: State | None, newest: Decision) -> StateChange:
        now = time.time()
        change = episode.ended(end_s, next_state, now, newest.age_ms + (now - newest.wall_s) * 1e3)
        seconds = self._summary.states_s
        # A clock that was set back in between leaves no length that would mean anything.
        seconds[change.state.value] = seconds.get(change.state.value, 0.0) + max(0.0, change.end_s - change.start_s)
        return change
