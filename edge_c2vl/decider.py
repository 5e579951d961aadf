"""Clip -> decision, and what follows from it: changes of state and alerts."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_c2vl.backends.base import Backend
from edge_c2vl.personal import Personal, Personaliser
from edge_c2vl.policy import Level, Observation, Policy, PolicySettings, Reason, State
from edge_c2vl.records import Alert, Decision, Episode, StateChange
from edge_c2vl.skeleton import Array
from edge_c2vl.speed import Speed
from edge_c2vl.summary import Summary
from edge_c2vl.timing import Timings
from edge_c2vl.window import Clip, ClipSpec
from edge_c2vl.words import Words, softmax

log = logging.getLogger("edge_c2vl")


@dataclass(frozen=True)
class Job:
    """A clip to judge, and what was known when it was cut. unseen_s: time since somebody was last in view. fill: how
    much of the window had passed, 0 to 1. blind: the camera gives no picture, or the same one for ever."""

    clip: Clip
    timestamp_s: float
    captured_s: float
    unseen_s: float
    fill: float
    blind: bool = False


class Decider:
    """Runs the encoder and the policy, and keeps the thread of states and alerts. For one thread at a time.

    labels, distraction: the trained classifier's. words: labels in words, told beside them; with by_words they are what
    is decided by, instead of the classifier.
    """

    def __init__(
        self,
        backend: Backend,
        labels: Sequence[str],
        distraction: Sequence[str],
        spec: ClipSpec,
        policy: PolicySettings | None,
        speed: Speed,
        personaliser: Personaliser,
        timings: Timings,
        summary: Summary,
        words: Words | None = None,
        by_words: bool = False,
    ) -> None:
        if words is not None and by_words:
            labels, distraction = words.labels, words.distraction
        self.policy = Policy(list(distraction), policy)
        self.run_id = uuid.uuid4().hex[:12]
        self._backend, self._labels, self._spec, self._speed = backend, list(labels), spec, speed
        self._personaliser, self._distraction = personaliser, frozenset(distraction)
        self._timings, self._summary = timings, summary
        self._words, self._by_words = words, by_words and words is not None
        self._episode: Episode | None = None
        self._newest: Decision | None = None
        self._alert: tuple[Level, Reason | None] = (Level.NONE, None)
        self._alerts = 0
        self._complained = False

    def decide(self, job: Job) -> list[Decision | StateChange | Alert]:
        """The decision first, then what it changes."""
        # A window that is still filling has seen the arms in less of its length for no fault of theirs.
        arms_seen = not job.blind and job.clip.arms >= self._spec.min_arms * job.fill
        encoded, encoder_ms = self._encode(job.clip) if arms_seen else (None, None)
        personal, words = Personal({}), None
        if encoded is not None:
            logits, embedding = encoded
            words = None if self._words is None else self._words.probabilities(embedding)
            if words is not None and self._by_words:
                probabilities = words
            else:
                probabilities = dict(zip(self._labels, softmax(logits).tolist(), strict=True))
            personal = self._personaliser.look(job.clip, job.timestamp_s, probabilities, self._distraction)
        speed_kmh, speed_age_s = self._speed.latest()
        unseen_s = 0.0 if job.blind else job.unseen_s
        seen = Observation(
            job.timestamp_s,
            unseen_s,
            job.fill,
            arms_seen,
            personal.probabilities or None,
            speed_kmh,
            speed_age_s,
            personal.elsewhere,
        )
        with self._timings.measure("policy"):
            status = self.policy.update(seen)
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
            words=words if status.label is not None else None,
            arms=job.clip.arms,
            pose_confidence=job.clip.confidence,
            age_ms=age_ms,
            encoder_ms=encoder_ms,
            awareness=status.awareness,
            level=status.level,
            speed_kmh=speed_kmh if speed_age_s <= self.policy.settings.speed_stale_s else None,
            logits=None if encoded is None else encoded[0],
        )
        self._newest = decision
        self._summary.count(decision.state.value)
        if decision.words is not None:
            nearest = max(decision.words, key=decision.words.__getitem__)
            self._summary.in_words[nearest] = self._summary.in_words.get(nearest, 0) + 1
        return [decision, *self._alerts_of(decision, status.level, status.reason), *self._changes_of(decision)]

    def finish(self) -> list[Alert | StateChange]:
        """At the end of a run: the end of an alert that stands, and the last state."""
        if self._episode is None or self._newest is None:
            return []
        ended = self._ended(self._episode, self._episode.end_s, None, self._newest)
        return [*self._alerts_of(self._newest, Level.NONE, None), ended]

    def _encode(self, clip: Clip) -> tuple[tuple[Array, Array] | None, float | None]:
        """The clip's logits and embedding, and what they took."""
        if not clip.data.any():
            return None, None
        started = time.perf_counter()
        logits, embedding = (output[0] for output in self._backend.infer(clip.data[None]))
        encoder_ms = (time.perf_counter() - started) * 1e3
        self._timings.add("encoder", encoder_ms)
        if not np.isfinite(logits).all() or (self._words is not None and not np.isfinite(embedding).all()):
            # Nothing to judge by, and the policy's filter would never forget it.
            if not self._complained:
                log.warning('the encoder\'s answer is no number; the state is "cannot see" while that lasts')
            self._complained = True
            return None, encoder_ms
        return (logits, embedding), encoder_ms

    def _alerts_of(self, decision: Decision, level: Level, reason: Reason | None) -> list[Alert]:
        if (level, reason) == self._alert:
            return []
        self._alert = (level, reason)
        self._alerts += 1
        self._summary.alerts += level > Level.NONE
        now = time.time()
        alert = Alert(
            number=self._alerts,
            run=self.run_id,
            level=level,
            reason=reason,
            state=decision.state,
            label=decision.label,
            awareness=decision.awareness,
            speed_kmh=decision.speed_kmh,
            timestamp_s=decision.timestamp_s,
            wall_s=now,
            latency_ms=decision.age_ms + (now - decision.wall_s) * 1e3,
        )
        return [alert]

    def _changes_of(self, decision: Decision) -> list[StateChange]:
        changes = []
        if self._episode is not None and decision.state is not self._episode.state:
            changes.append(self._ended(self._episode, decision.timestamp_s, decision.state, decision))
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
