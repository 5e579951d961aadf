"""The live pipeline: camera -> pose -> window -> encoder -> policy -> sinks, each stage in a thread of its own.

    capture --Mailbox--> pose --Mailbox--> decide --OutputQueue--> each sink (decisions, changes of state, alerts)
                           `--------------------OutputQueue--> sinks that want frames or skeletons

A mailbox holds one item. Live, a newer one replaces it, so that no stage ever works on old frames; from a file the
giver waits, so that every frame counts and the same file gives the same decisions.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import psutil

from edge_c2vl.cameras.freeze_detector import FreezeDetector
from edge_c2vl.device.systemd import Notifier
from edge_c2vl.device.temperature import temperature_c
from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.inference.model import ClipModel
from edge_c2vl.monitoring.apply_baseline import Personaliser
from edge_c2vl.monitoring.events import Decision, SeenFrame, SeenSkeleton
from edge_c2vl.monitoring.monitor import DriverMonitor, MonitorInput
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.stats import Summary, Timings
from edge_c2vl.outputs.base import Sink
from edge_c2vl.runtime.pose_rate import DEFAULT_FPS, PoseRate, is_near
from edge_c2vl.runtime.queues import Mailbox, OutputQueue
from edge_c2vl.runtime.throttle import Throttle
from edge_c2vl.skeletons.clip import ClipBuffer
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.speed.base import FixedSpeed, Speed
from edge_c2vl.utils.once import Once

# Frames farther apart than this do not belong to one window: the clock was set, or the source stood still.
CLOCK_JUMP_S = 10.0
# Decisions farther apart than this would tell of a distraction too late.
MAX_HOP_S = 1.0
# How often the run looks after itself: progress, temperature, lateness.
CHECK_INTERVAL_S = 1.0
# How long a live run waits at its end for a stage to finish what it is at.
STAGE_STOP_TIMEOUT_S = 3.0


class FrameLike(Protocol):
    """What the pipeline needs of a frame (edge_c2vl.cameras.camera). `image` None: there is no picture at this time."""

    @property
    def image(self) -> Any: ...

    @property
    def timestamp_s(self) -> float: ...

    @property
    def captured_s(self) -> float: ...


class FrameSource(Protocol):
    """What the pipeline needs of a camera (edge_c2vl.cameras.camera)."""

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


def check_hop(hop_s: float, settings: PolicySettings) -> None:
    """Raises UsageError where decisions would be so far apart that the policy's limits no longer mean what they say."""
    if not 0 < hop_s <= MAX_HOP_S:
        raise UsageError(f"decisions are made every {MAX_HOP_S:g} s at least, not every {hop_s:g} s")
    if hop_s > settings.max_step_s:
        raise UsageError(
            f"max_step_s ({settings.max_step_s:g}) is below the {hop_s:g} s between two decisions, so that time would "
            "not count in full: raise max_step_s, or lower --hop"
        )


class Stuck(EdgeC2VLError):
    """A stage has made no progress for too long. Its thread cannot be ended, so the process has to be."""


class Pipeline:
    """Joins the parts and runs them until the source ends, `stop` is called or a stage fails.

    hop_s: seconds of recording between two decisions, MAX_HOP_S at most. pose_fps: poses a second (see PoseRate); None:
    DEFAULT_FPS live, and every frame of a recording. layout: the joint layout that `pose` speaks.
    watchdog_s: live, a run without progress for so long ends with Stuck. alerts=False: none is raised.

    Raises UsageError where hop_s does not suit the policy (see check_hop).
    """

    def __init__(
        self,
        camera: FrameSource,
        pose: SkeletonSource,
        model: ClipModel,
        *,
        sinks: Sequence[Sink] = (),
        hop_s: float = 0.25,
        pose_fps: float | None = None,
        policy: PolicySettings | None = None,
        speed: Speed | None = None,
        personaliser: Personaliser | None = None,
        layout: str = "mediapipe33",
        watchdog_s: float = 30.0,
        alerts: bool = True,
    ) -> None:
        check_hop(hop_s, policy or PolicySettings())
        self.summary, self.timings = Summary(), Timings()
        self.throttle = Throttle()
        self._once = Once()
        self._camera, self._pose, self._spec = camera, pose, model.clip
        self._hop_s, self._layout, self._watchdog_s = hop_s, layout, watchdog_s
        self._pose_fps = DEFAULT_FPS if pose_fps is None and camera.live else pose_fps
        self._speed = speed or FixedSpeed()
        self._monitor = DriverMonitor(
            model, policy, self._speed, personaliser or Personaliser(), self.timings, self.summary, alerts
        )
        lossless = not camera.live
        self._queues = [OutputQueue(sink, lossless, self._fail) for sink in sinks]
        self._frames: Mailbox[FrameLike] = Mailbox(lossless)
        self._jobs: Mailbox[MonitorInput] = Mailbox(lossless)
        self._stopping = threading.Event()
        self._error: BaseException | None = None
        self._newest: Decision | None = None
        self._progress_s = time.monotonic()
        self._judging_since_s = float("inf")

    @property
    def run_id(self) -> str:
        return self._monitor.run_id

    def set_policy(self, settings: PolicySettings) -> None:
        """Takes other limits while the run goes on. Safe from every thread: it is one assignment. Raises UsageError
        where they do not suit the hop, and keeps the old ones then."""
        check_hop(self._hop_s, settings)
        self._monitor.policy.settings = settings

    @property
    def dropped_frames(self) -> int:
        """Frames that came while the pose network was busy."""
        return self._frames.dropped + self._camera.dropped

    @property
    def reconnects(self) -> int:
        """How often the camera was opened anew."""
        return getattr(self._camera, "reconnects", 0)

    @property
    def damaged_pictures(self) -> int:
        """Pictures that could not be decoded and were left out."""
        return getattr(self._camera, "damaged", 0)

    @property
    def misfit(self) -> bool:
        """Whether pictures come that are not watched, because the crop was given for another shape."""
        return bool(getattr(self._camera, "misfit", ""))

    @property
    def reduced(self) -> int:
        """How many steps the run does less than all, because of heat or load (see throttle); 0: full work."""
        return self.throttle.step

    @property
    def refused_speeds(self) -> int:
        """Readings of the speed that were no speed."""
        return self._speed.refused

    def sink_failures(self) -> dict[str, int]:
        """Kind of sink -> how many records it failed to take or lost."""
        counts: dict[str, int] = {}
        for queue in self._queues:
            counts[queue.name] = counts.get(queue.name, 0) + queue.failures + queue.dropped
        return counts

    def outputs_down(self) -> dict[str, str | None]:
        """Output -> why it cannot be opened; None where it is open."""
        return {queue.name: queue.sink.problem for queue in self._queues}

    def stop(self) -> None:
        """Ends the run: frames on their way are dropped, decisions already made are written. Safe in a signal handler
        and from every thread."""
        self._stopping.set()

    def run(self, duration_s: float | None = None) -> Summary:
        """Runs to the end and returns what it came to; sinks are closed in every case. Raises what a stage raised."""
        stages = (self._capture, self._see, self._decide)
        # Daemons: a stage that hangs for ever must not keep the process from ending.
        threads = [threading.Thread(target=self._guard, args=(stage,), daemon=True) for stage in stages]
        started = self._progress_s = time.monotonic()
        for queue in self._queues:
            queue.sink.attach(self)
            queue.start()
        for thread in threads:
            thread.start()
        try:
            self._wait(threads, None if duration_s is None else started + duration_s)
        finally:
            self.stop()
            # What is in a mailbox when the run is asked to end is dropped; at a file's end the mailboxes are empty by
            # then.
            self._camera.interrupt()
            self._frames.close(discard=True)
            self._jobs.close(discard=True)
            for thread in threads:
                # Live, a stage that hangs must not keep what was decided from being written.
                thread.join(STAGE_STOP_TIMEOUT_S if self._camera.live else None)
            for queue in self._queues:
                queue.close()
        if self._error is not None:
            raise self._error
        self.summary.wall_s = time.monotonic() - started
        self.summary.dropped_frames = self.dropped_frames
        self.summary.outputs_down = {name: why for name, why in self.outputs_down().items() if why is not None}
        self.summary.stages = self.timings.table()
        with self._once.guard("measuring the memory"):
            self.summary.rss_mb = round(psutil.Process().memory_info().rss / 1e6, 1)
        return self.summary

    def _wait(self, threads: list[threading.Thread], end_s: float | None) -> None:
        """Until the run ends by itself, by `stop`, or at `end_s`; meanwhile the run looks after itself."""
        notifier = Notifier()
        notifier.send("READY=1")
        pollers = [queue.sink for queue in self._queues if queue.sink.on_main_thread]
        checked_s = time.monotonic()
        while any(thread.is_alive() for thread in threads) and not self._stopping.is_set():
            now_s = time.monotonic()
            if (end_s is not None and now_s >= end_s) or not all(self._poll(sink, pollers) for sink in pollers[:]):
                break
            if self._camera.live and now_s - checked_s >= CHECK_INTERVAL_S:
                checked_s = now_s
                with self._once.guard("looking after the run"):
                    self._look_after(now_s, notifier)
            self._stopping.wait(0.03)
        notifier.send("STOPPING=1")
        notifier.close()

    def _poll(self, sink: Sink, pollers: list[Sink]) -> bool:
        """What the sink answers. Live, one that fails is told of and asked no more."""
        try:
            return sink.poll()
        except Exception as error:
            if not self._camera.live:
                raise
            pollers.remove(sink)
            self._once.warn(
                type(sink).__name__, f"{type(sink).__name__} failed, and the run goes on without it: {error}"
            )
            return True

    def _look_after(self, now_s: float, notifier: Notifier) -> None:
        stuck = {
            "camera and pose": now_s - self._progress_s,
            "encoder": now_s - self._judging_since_s,
        }
        for stage, seconds in stuck.items():
            if seconds > self._watchdog_s:
                self._fail(Stuck(f"no progress of {stage} for {self._watchdog_s:.0f} s; start the process again"))
                return
        hottest_c = None
        with self._once.guard("reading the temperature"):
            hottest_c = temperature_c()
        with self._once.guard("adapting the work to heat and load"):
            ages = self.timings.newest("frame age", 40)
            age_ms = float(np.percentile(ages, 95)) if len(ages) >= 10 else None
            self.throttle.update(now_s, hottest_c, age_ms)
        state = self._newest.state.value if self._newest is not None else "starting"
        down = ", ".join(name for name, why in self.outputs_down().items() if why is not None)
        notifier.send("WATCHDOG=1", f"STATUS={state}, {self.summary.frames} frames{down and f', down: {down}'}")

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
        window = ClipBuffer(self._spec, self._layout)
        rate = PoseRate(self._pose_fps, self._layout, self._spec.max_gap_s)
        freeze = FreezeDetector()
        started = None
        now_s = -float("inf")
        first_s = due_s = last_seen_s = 0.0
        try:
            while (frame := self._frames.take()) is not None:
                started = started or time.monotonic()
                # When a decision is made depends on the machine, and what is seen of a recording must not.
                near = self._camera.live and is_near(self._newest)
                if not rate.looks(frame.timestamp_s, self.throttle.most_fps, near) and frame.image is not None:
                    self.summary.skipped_frames += 1
                    continue
                blind = frame.image is None or (self._camera.live and freeze.frozen(frame.image, frame.timestamp_s))
                landmarks = None if blind else self._find_pose(frame)
                if not now_s - CLOCK_JUMP_S < frame.timestamp_s < now_s + CLOCK_JUMP_S:
                    # The first frame, or a clock that was set: what the window holds lies at another time.
                    window.clear()
                    first_s, due_s, last_seen_s = frame.timestamp_s, frame.timestamp_s + self._hop_s, -float("inf")
                now_s = frame.timestamp_s
                window.add(now_s, landmarks, rate.unlooked_s)
                rate.saw(landmarks, now_s)
                if landmarks is not None:
                    last_seen_s = now_s
                # A frame that is early by rounding alone is the one that was due, and the next decision is a hop later.
                if now_s >= due_s - 1e-6:
                    hop_s = self.throttle.hop_s(self._hop_s, self._monitor.policy.settings.max_step_s)
                    due_s += hop_s * (1 + (now_s + 1e-6 - due_s) // hop_s)
                    with self.timings.measure("window"):
                        clip = window.clip()
                    fill = min(1.0, (now_s - first_s) / self._spec.seconds)
                    self._jobs.put(MonitorInput(clip, now_s, frame.captured_s, now_s - last_seen_s, fill, blind))
                self._show(frame, landmarks)
                self._progress_s = time.monotonic()
                self.summary.seeing_s = self._progress_s - started
        finally:
            self._jobs.close()

    def _find_pose(self, frame: FrameLike) -> Array | None:
        with self.timings.measure("pose"):
            landmarks = self._pose.estimate(frame.image, frame.timestamp_s)
        self.summary.frames += 1
        self.summary.poses += landmarks is not None
        return landmarks

    def _show(self, frame: FrameLike, landmarks: Array | None) -> None:
        size = None if frame.image is None else (frame.image.shape[1], frame.image.shape[0])
        for queue in self._queues:
            if queue.sink.wants_skeletons:
                queue.give(SeenSkeleton(landmarks, frame.timestamp_s, size))
            if queue.sink.wants_frames and frame.image is not None:
                queue.give_frame(SeenFrame(frame.image, landmarks, frame.timestamp_s, self._newest))

    def _decide(self) -> None:
        while (job := self._jobs.take()) is not None:
            self._judging_since_s = time.monotonic()
            decision, *more = self._monitor.decide(job)
            self._judging_since_s = float("inf")
            assert isinstance(decision, Decision)
            self._newest = decision
            for record in (decision, *more):
                for queue in self._queues:
                    queue.give(record)
        for change in self._monitor.finish():
            for queue in self._queues:
                queue.give(change)
