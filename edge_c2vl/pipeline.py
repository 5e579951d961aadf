"""The live pipeline: camera -> pose -> window -> encoder -> policy -> sinks, each stage in a thread of its own.

    capture --Slot--> pose --Slot--> decide --Outlet--> each sink (decisions, changes of state, alerts)
                        `-----------------Outlet--> sinks that want frames

A slot holds one item. Live, a newer one replaces it, so that no stage ever works on old frames; from a file the giver
waits, so that every frame counts and the same file gives the same decisions. This is the only module that knows all
the parts.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import psutil

from edge_c2vl.backends.base import Backend
from edge_c2vl.outlet import Outlet, Record
from edge_c2vl.policy import Level, Observation, Policy, PolicySettings, Reason, State
from edge_c2vl.records import Alert, Decision, Episode, SeenFrame, SeenSkeleton
from edge_c2vl.sinks import Sink
from edge_c2vl.skeleton import Array
from edge_c2vl.slot import Slot
from edge_c2vl.speed import Speed
from edge_c2vl.summary import Summary
from edge_c2vl.timing import Timings
from edge_c2vl.window import Clip, ClipSpec, Window

# Frames farther apart than this do not belong to one window: the clock was set, or the source stood still.
CLOCK_JUMP_S = 10.0


class FrameLike(Protocol):
    """What the pipeline needs of a frame (edge_c2vl.camera)."""

    @property
    def image(self) -> Any: ...

    @property
    def timestamp_s(self) -> float: ...

    @property
    def captured_s(self) -> float: ...


class FrameSource(Protocol):
    """What the pipeline needs of a camera (edge_c2vl.camera)."""

    @property
    def live(self) -> bool: ...

    @property
    def dropped(self) -> int: ...

    def read(self) -> FrameLike | None: ...

    def interrupt(self) -> None:
        """Wakes a `read` that waits, from another thread."""


class SkeletonSource(Protocol):
    """What the pipeline needs of a pose network (edge_c2vl.pose)."""

    def estimate(self, image_bgr: Any, timestamp_s: float) -> Array | None: ...


@dataclass(frozen=True)
class _Job:
    """A clip to judge, and what was known when it was cut."""

    clip: Clip
    timestamp_s: float
    captured_s: float
    unseen_s: float
    fill: float


class Pipeline:
    """Joins the parts and runs them until the source ends, `stop` is called or a stage fails.

    labels, distraction: the bundle's labels and those that count as distraction. hop_s: seconds of recording between
    two decisions. layout: the joint layout that `pose` speaks.
    """

    def __init__(
        self,
        camera: FrameSource,
        pose: SkeletonSource,
        backend: Backend,
        *,
        labels: Sequence[str],
        distraction: Sequence[str],
        clip: ClipSpec,
        sinks: Sequence[Sink] = (),
        hop_s: float = 0.25,
        policy: PolicySettings | None = None,
        speed: Speed | None = None,
        layout: str = "mediapipe33",
    ) -> None:
        self._camera, self._pose, self._backend = camera, pose, backend
        self._labels, self._spec, self._hop_s, self._layout = list(labels), clip, hop_s, layout
        self._speed = speed or Speed()
        self._policy = Policy(list(distraction), policy)
        lossless = not camera.live
        self._outlets = [Outlet(sink, lossless, self._fail) for sink in sinks]
        self._picture_outlets = [outlet for outlet in self._outlets if outlet.sink.wants_frames]
        self._skeleton_outlets = [outlet for outlet in self._outlets if outlet.sink.wants_skeletons]
        self._frames: Slot[Any] = Slot(lossless)
        self._jobs: Slot[_Job] = Slot(lossless)
        self._stopping = threading.Event()
        self._error: BaseException | None = None
        self._newest: Decision | None = None
        self._alert: tuple[Level, Reason | None] = (Level.NONE, None)
        self._alert_number = 0
        self.run_id = uuid.uuid4().hex[:12]
        self.summary = Summary()
        self.timings = Timings()

    def set_policy(self, settings: PolicySettings) -> None:
        """Takes other limits while the run goes on. Safe from every thread: it is one assignment."""
        self._policy.settings = settings

    @property
    def dropped_frames(self) -> int:
        """Frames that came while the pose network was busy."""
        return self._frames.dropped + self._camera.dropped

    @property
    def reconnects(self) -> int:
        """How often the camera was opened anew."""
        return getattr(self._camera, "reconnects", 0)

    def sink_failures(self) -> dict[str, int]:
        """Sink -> how many records it failed to take or lost."""
        return {outlet.name: outlet.failures + outlet.dropped for outlet in self._outlets}

    def stop(self) -> None:
        """Ends the run: frames on their way are dropped, decisions already made are written. Safe in a signal handler
        and from every thread."""
        self._stopping.set()

    def run(self, duration_s: float | None = None) -> Summary:
        """Runs to the end and returns what it came to; sinks are closed in every case. Raises what a stage raised."""
        stages = (self._capture, self._see, self._decide)
        threads = [threading.Thread(target=self._guard, args=(stage,), name=stage.__name__) for stage in stages]
        pollers = [outlet.sink for outlet in self._outlets if outlet.sink.on_main_thread]
        started = time.monotonic()
        for outlet in self._outlets:
            outlet.sink.attach(self)
            outlet.start()
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads) and not self._stopping.is_set():
                if duration_s is not None and time.monotonic() - started >= duration_s:
                    break
                if not all(sink.poll() for sink in pollers):
                    break
                self._stopping.wait(0.03)
        finally:
            self.stop()
            # What is in a slot when the run is asked to end is dropped; at a file's end the slots are empty by then.
            self._camera.interrupt()
            self._frames.close(discard=True)
            self._jobs.close(discard=True)
            for thread in threads:
                thread.join()
            for outlet in self._outlets:
                outlet.close()
        if self._error is not None:
            raise self._error
        self.summary.wall_s = time.monotonic() - started
        self.summary.dropped_frames = self.dropped_frames
        self.summary.stages = self.timings.table()
        self.summary.rss_mb = round(psutil.Process().memory_info().rss / 1e6, 1)
        return self.summary

    def _guard(self, stage: Callable[[], None]) -> None:
        try:
            stage()
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self.stop()

    def _capture(self) -> None:
        try:
            while not self._stopping.is_set():
                with self.timings.measure("capture"):
                    frame = self._camera.read()
                if frame is None or not self._frames.put(frame):
                    return
        finally:
            self._frames.close()

    def _see(self) -> None:
        window = Window(self._spec, self._layout)
        now_s = -float("inf")
        first_s = due_s = last_seen_s = 0.0
        try:
            while (frame := self._frames.take()) is not None:
                with self.timings.measure("pose"):
                    landmarks = self._pose.estimate(frame.image, frame.timestamp_s)
                self.summary.frames += 1
                self.summary.poses += landmarks is not None
                if not now_s - CLOCK_JUMP_S < frame.timestamp_s < now_s + CLOCK_JUMP_S:
                    # The first frame, or a clock that was set: what the window holds lies at another time.
                    window.clear()
                    first_s, due_s, last_seen_s = frame.timestamp_s, frame.timestamp_s + self._hop_s, -float("inf")
                now_s = frame.timestamp_s
                window.add(now_s, landmarks)
                if landmarks is not None:
                    last_seen_s = now_s
                if now_s >= due_s - 1e-6:
                    due_s += self._hop_s * (1 + (now_s - due_s) // self._hop_s)
                    with self.timings.measure("window"):
                        clip = window.clip()
                    fill = min(1.0, (now_s - first_s) / self._spec.seconds)
                    self._jobs.put(_Job(clip, now_s, frame.captured_s, now_s - last_seen_s, fill))
                for outlet in self._skeleton_outlets:
                    outlet.give(SeenSkeleton(landmarks, now_s))
                for outlet in self._picture_outlets:
                    outlet.give_frame(SeenFrame(frame.image, landmarks, now_s, self._newest))
        finally:
            self._jobs.close()

    def _decide(self) -> None:
        episode: Episode | None = None
        while (job := self._jobs.take()) is not None:
            decision, reason = self._judge(job)
            self._newest = decision
            self.summary.decisions += 1
            self.summary.decided[decision.state.value] = self.summary.decided.get(decision.state.value, 0) + 1
            self._give(decision)
            self._tell_alert(decision, reason)
            if episode is not None and decision.state is not episode.state:
                self._finish(episode, decision.timestamp_s, decision.state, decision)
                episode = None
            if episode is None:
                episode = Episode(decision)
            else:
                episode.add(decision)
        if episode is not None and self._newest is not None:
            self._finish(episode, episode.end_s, None, self._newest)

    def _judge(self, job: _Job) -> tuple[Decision, Reason | None]:
        # A window that is still filling has seen the arms in less of its length for no fault of theirs.
        arms_seen = job.clip.arms >= self._spec.min_arms * job.fill
        probabilities, logits, encoder_ms = None, None, None
        if arms_seen and job.clip.data.any():
            started = time.perf_counter()
            logits = self._backend.infer(job.clip.data[None])[0][0]
            encoder_ms = (time.perf_counter() - started) * 1e3
            self.timings.add("encoder", encoder_ms)
            probabilities = dict(zip(self._labels, _softmax(logits).tolist(), strict=True))
        speed_kmh, speed_age_s = self._speed.latest()
        with self.timings.measure("policy"):
            status = self._policy.update(
                Observation(job.timestamp_s, job.unseen_s, job.fill, arms_seen, probabilities, speed_kmh, speed_age_s)
            )
        age_ms = (time.monotonic() - job.captured_s) * 1e3
        self.timings.add("frame age", age_ms)
        decision = Decision(
            timestamp_s=job.timestamp_s,
            wall_s=time.time(),
            state=status.state,
            label=status.label,
            probability=status.probability,
            distraction=status.distraction,
            probabilities=probabilities if status.label is not None else None,
            arms=job.clip.arms,
            pose_confidence=job.clip.confidence,
            age_ms=age_ms,
            encoder_ms=encoder_ms,
            awareness=status.awareness,
            level=status.level,
            speed_kmh=speed_kmh,
            logits=logits,
        )
        return decision, status.reason

    def _tell_alert(self, decision: Decision, reason: Reason | None) -> None:
        """Gives an alert where level or reason has changed."""
        if (decision.level, reason) == self._alert:
            return
        self._alert = (decision.level, reason)
        self.summary.alerts += decision.level > Level.NONE
        self._alert_number += 1
        now = time.time()
        self._give(
            Alert(
                number=self._alert_number,
                run=self.run_id,
                level=decision.level,
                reason=reason,
                state=decision.state,
                label=decision.label,
                awareness=decision.awareness,
                speed_kmh=decision.speed_kmh,
                timestamp_s=decision.timestamp_s,
                wall_s=now,
                latency_ms=decision.age_ms + (now - decision.wall_s) * 1e3,
            )
        )

    def _finish(self, episode: Episode, end_s: float, next_state: State | None, newest: Decision) -> None:
        now = time.time()
        change = episode.ended(end_s, next_state, now, newest.age_ms + (now - newest.wall_s) * 1e3)
        self._give(change)
        seconds = self.summary.states_s
        seconds[change.state.value] = seconds.get(change.state.value, 0.0) + change.end_s - change.start_s

    def _give(self, record: Record) -> None:
        for outlet in self._outlets:
            outlet.give(record)


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()
