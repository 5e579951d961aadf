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
from contextlib import closing

import psutil

from edge_c2vl.inference.model import ClipModel
from edge_c2vl.monitoring.apply_baseline import Personaliser
from edge_c2vl.monitoring.events import Decision, SeenFrame, SeenSkeleton
from edge_c2vl.monitoring.monitor import DriverMonitor, MonitorInput, MonitorRecord
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.stats import Summary, Timings
from edge_c2vl.outputs.base import Sink
from edge_c2vl.runtime.face_stage import Watching
from edge_c2vl.runtime.frame_stage import FrameLike, FrameSource, FrameStage, SeenInFrame, SkeletonSource, check_hop
from edge_c2vl.runtime.pose_rate import DEFAULT_FPS, PoseRate, is_near
from edge_c2vl.runtime.queues import Mailbox, OutputQueue
from edge_c2vl.runtime.throttle import Throttle
from edge_c2vl.runtime.upkeep import Upkeep
from edge_c2vl.speed.base import FixedSpeed, Speed
from edge_c2vl.utils.once import Once

# How long a live run waits at its end for a stage to finish what it is at.
STAGE_STOP_TIMEOUT_S = 3.0


class Pipeline:
    """Joins the parts and runs them until the source ends, `stop` is called or a stage fails.

    `run` does so in threads. Who has frames of their own calls `start`, `step` for each frame, and `finish` instead.

    hop_s: seconds of recording between two decisions, MAX_HOP_S at most. pose_fps: poses a second (see PoseRate); None:
    DEFAULT_FPS live, and every frame of a recording. layout: the joint layout that `pose` speaks. watching: what alerts
    may come of. watchdog_s: live, a run without progress for so long ends with Stuck. alerts=False: none is raised.

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
        throttle: Throttle | None = None,
        watching: Watching | None = None,
    ) -> None:
        check_hop(hop_s, policy or PolicySettings())
        self.summary, self.timings = Summary(), Timings()
        self.throttle = throttle or Throttle()
        self._once = Once()
        self._camera, self._hop_s, self._watchdog_s = camera, hop_s, watchdog_s
        self._speed, watching = speed or FixedSpeed(), watching or Watching()
        personaliser, sums = personaliser or Personaliser(), (self.timings, self.summary)
        self._monitor = DriverMonitor(model, policy, self._speed, personaliser, *sums, alerts, watching.aspects)
        lossless = not camera.live
        pose_fps = DEFAULT_FPS if pose_fps is None and camera.live else pose_fps
        rate = PoseRate(pose_fps, layout, model.clip.max_gap_s)
        shared = (self.throttle, self._monitor.policy, self.timings, self.summary)
        face = watching.face_stage(self.timings)
        self._stage = FrameStage(pose, model.clip, hop_s, layout, rate, camera.live, *shared, face)
        self._queues = [OutputQueue(sink, lossless, self._fail) for sink in sinks]
        self._frames: Mailbox[FrameLike] = Mailbox(lossless)
        self._jobs: Mailbox[MonitorInput] = Mailbox(lossless)
        self._stopping = threading.Event()
        self._error: BaseException | None = None
        self._newest: Decision | None = None
        self._started_s = self._cpu_started_s = 0.0
        self._judging_since_s = float("inf")

    @property
    def live(self) -> bool:
        """Whether the camera sets the pace, so that nobody waits for whoever is slow."""
        return self._camera.live

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

    def calibrate(self) -> None:
        """Has what was learnt of the driver in this run learnt anew, from the next decision on. Safe from every
        thread."""
        self._monitor.calibrate()

    def stop(self) -> None:
        """Ends the run: frames on their way are dropped, decisions already made are written. Safe in a signal handler
        and from every thread."""
        self._stopping.set()

    def run(self, duration_s: float | None = None) -> Summary:
        """Runs to the end and returns what it came to; sinks are closed in every case. Raises what a stage raised."""
        stages = (self._capture, self._see, self._decide)
        # Daemons: a stage that hangs for ever must not keep the process from ending.
        threads = [threading.Thread(target=self._guard, args=(stage,), daemon=True) for stage in stages]
        self.start()
        for thread in threads:
            thread.start()
        try:
            self._wait(threads, None if duration_s is None else self._started_s + duration_s)
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
            self._close_outputs()
        return self._summarise()

    def start(self) -> None:
        """Starts the outputs: the first thing that `run` does. Who calls `step` instead calls this before it."""
        self._started_s = self._stage.progress_s = time.monotonic()
        self._cpu_started_s = time.process_time()
        for queue in self._queues:
            queue.sink.attach(self)
            queue.start()

    def step(self, frame: FrameLike) -> list[MonitorRecord]:
        """What the threads of `run` do with a frame, at once and in this thread: the decision that was due, if one
        was, and what it changed. The outputs are given them too. Raises what an output raised that can never open."""
        if self._error is not None:
            raise self._error
        seen = self._look(frame)
        if seen is None:
            return []
        records = [] if seen.job is None else self._judge(seen.job)
        self._show(frame, seen)
        return records

    def finish(self) -> list[MonitorRecord]:
        """Ends what `start` began: the last state, and the end of each alert that stands. Raises what an output
        raised, where the camera is not live."""
        records = self._monitor.finish()
        self._give(records)
        self._close_outputs()
        self._summarise()
        return records

    def _close_outputs(self) -> None:
        for queue in self._queues:
            queue.close()

    def _summarise(self) -> Summary:
        if self._error is not None:
            raise self._error
        self.summary.wall_s = time.monotonic() - self._started_s
        self.summary.cpu_s = time.process_time() - self._cpu_started_s
        self.summary.dropped_frames = self.dropped_frames
        self.summary.outputs_down = {name: why for name, why in self.outputs_down().items() if why is not None}
        self.summary.stages = self.timings.table()
        with self._once.guard("measuring the memory"):
            self.summary.rss_mb = round(psutil.Process().memory_info().rss / 1e6, 1)
        return self.summary

    def _wait(self, threads: list[threading.Thread], end_s: float | None) -> None:
        """Until the run ends by itself, by `stop`, or at `end_s`; live, it looks after itself. Raises Stuck."""
        pollers = [queue.sink for queue in self._queues if queue.sink.on_main_thread]
        with closing(Upkeep(self.throttle, self.timings, self._once, self._watchdog_s)) as upkeep:
            while any(thread.is_alive() for thread in threads) and not self._stopping.is_set():
                if end_s is not None and time.monotonic() >= end_s:
                    break
                if not all(self._poll(sink, pollers) for sink in pollers[:]):
                    break
                if self._camera.live:
                    progress_s = {"camera and pose": self._stage.progress_s, "encoder": self._judging_since_s}
                    upkeep.check(progress_s, self._status)
                self._stopping.wait(0.03)

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

    def _status(self) -> str:
        """For people, in one line."""
        state = self._newest.state.value if self._newest is not None else "starting"
        down = ", ".join(name for name, why in self.outputs_down().items() if why is not None)
        return f"{state}, {self.summary.frames} frames{down and f', down: {down}'}"

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
        try:
            while (frame := self._frames.take()) is not None:
                seen = self._look(frame)
                if seen is None:
                    continue
                if seen.job is not None:
                    self._jobs.put(seen.job)
                self._show(frame, seen)
        finally:
            self._jobs.close()

    def _look(self, frame: FrameLike) -> SeenInFrame | None:
        # When a decision is made depends on the machine, and what is seen of a recording must not.
        return self._stage.look(frame, self._camera.live and is_near(self._newest))

    def _show(self, frame: FrameLike, seen: SeenInFrame) -> None:
        size = None if frame.image is None else (frame.image.shape[1], frame.image.shape[0])
        wall_s = time.time() if self._camera.live else None
        for queue in self._queues:
            if queue.sink.wants_skeletons:
                queue.give(SeenSkeleton(seen.landmarks, frame.timestamp_s, size, seen.face))
            if queue.sink.wants_frames and frame.image is not None:
                seen_frame = SeenFrame(frame.image, seen.landmarks, frame.timestamp_s, self._newest, seen.face, wall_s)
                queue.give_frame(seen_frame)

    def _decide(self) -> None:
        while (job := self._jobs.take()) is not None:
            self._judge(job)
        self._give(self._monitor.finish())

    def _judge(self, job: MonitorInput) -> list[MonitorRecord]:
        self._judging_since_s = time.monotonic()
        records = self._monitor.decide(job)
        self._judging_since_s = float("inf")
        decision = records[0]
        assert isinstance(decision, Decision)
        self._newest = decision
        self._give(records)
        return records

    def _give(self, records: Sequence[MonitorRecord]) -> None:
        for record in records:
            for queue in self._queues:
                queue.give(record)
