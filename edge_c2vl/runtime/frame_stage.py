"""From a frame to what is judged: pose, the window of skeletons, and a clip of it where a decision is due."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from edge_c2vl.cameras.freeze_detector import FreezeDetector
from edge_c2vl.errors import UsageError
from edge_c2vl.monitoring.body import BodyLimits
from edge_c2vl.monitoring.body_watch import BodyWatch, Look
from edge_c2vl.monitoring.monitor import MonitorInput
from edge_c2vl.monitoring.policy import Policy
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.stats import Summary, Timings
from edge_c2vl.runtime.face_stage import FaceStage
from edge_c2vl.runtime.pose_rate import PoseRate
from edge_c2vl.runtime.throttle import Throttle
from edge_c2vl.skeletons.clip import ClipBuffer, ClipSpec
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33, Array

if TYPE_CHECKING:
    from edge_c2vl.face.tracker import Face

# Frames farther apart than this do not belong to one window: the clock was set, or the source stood still.
CLOCK_JUMP_S = 10.0
# Decisions farther apart than this would tell of a distraction too late.
MAX_HOP_S = 1.0


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
    """What the pipeline needs of a pose network (edge_c2vl.pose). It may have an attribute `evidence` as well: what the
    network says of the newest picture (skeletons/evidence.py)."""

    def estimate(self, image_bgr: Any, timestamp_s: float) -> Array | None: ...


@dataclass(frozen=True)
class SeenInFrame:
    """landmarks: those that are evidence of a driver, None for nobody. job: what is to be judged; None while no
    decision is due. face: the newest look at the face."""

    landmarks: Array | None
    job: MonitorInput | None
    face: Face | None = None


class FrameStage:
    """Looks at one frame after the other. For one thread at a time; `progress_s` is for all.

    hop_s: seconds of recording between two decisions. layout: the joint layout that `pose` speaks. rate: which
    frames are looked at. live: a picture that repeats for ever comes from a camera that hangs. face: looks at the
    driver's face in the same pictures; None: nothing does.
    """

    def __init__(
        self,
        pose: SkeletonSource,
        spec: ClipSpec,
        hop_s: float,
        layout: str,
        rate: PoseRate,
        live: bool,
        throttle: Throttle,
        policy: Policy,
        timings: Timings,
        summary: Summary,
        face: FaceStage | None = None,
    ) -> None:
        self.progress_s = time.monotonic()
        """When the newest frame was done, by time.monotonic()."""
        self._pose, self._spec, self._hop_s, self._face = pose, spec, hop_s, face
        self._throttle, self._policy, self._timings, self._summary = throttle, policy, timings, summary
        self._window, self._rate = ClipBuffer(spec, layout), rate
        self._bodies, self._layout = BodyWatch(BodyLimits(seen=spec.min_confidence)), layout
        self._freeze = FreezeDetector() if live else None
        self._started_s: float | None = None
        self._now_s = -float("inf")
        self._first_s = self._due_s = self._last_seen_s = 0.0

    def look(self, frame: FrameLike, alert_near: bool = False) -> SeenInFrame | None:
        """None: the frame was left out. alert_near: see `pose_rate.is_near`."""
        self._started_s = self._started_s or time.monotonic()
        wanted = self._rate.looks(frame.timestamp_s, self._throttle.most_fps, alert_near)
        if not wanted and frame.image is not None:
            self._summary.skipped_frames += 1
            # A hot or late machine does no more than it has to.
            if self._face is not None and self._throttle.step == 0:
                self._face.look_between(frame.image, frame.timestamp_s)
            return None
        blind = frame.image is None or self._is_frozen(frame)
        landmarks = None if blind else self._find_pose(frame)
        if not self._now_s - CLOCK_JUMP_S < frame.timestamp_s < self._now_s + CLOCK_JUMP_S:
            # The first frame, or a clock that was set: what the window holds lies at another time.
            self._window.clear()
            self._bodies.reset()
            if self._face is not None:
                self._face.reset()
            self._first_s, self._last_seen_s = frame.timestamp_s, -float("inf")
            self._due_s = frame.timestamp_s + self._hop_s
        self._now_s = frame.timestamp_s
        seen = self._driver_of(landmarks, frame)
        self._window.forget(seen.forget_before_s, seen.forget_from_s)
        self._window.add(self._now_s, seen.skeleton, self._rate.unlooked_s)
        self._rate.saw(seen.skeleton, self._now_s)
        if seen.driver and seen.skeleton is not None:
            self._last_seen_s = self._now_s
        if self._face is not None and not blind:
            self._face.look(frame.image, seen.skeleton if seen.driver else None, self._now_s)
        job = self._job(frame, blind, seen.driver)
        self.progress_s = time.monotonic()
        self._summary.seeing_s = self.progress_s - self._started_s
        face = None if self._face is None else self._face.newest(self._now_s)
        return SeenInFrame(seen.skeleton, job, face)

    def _job(self, frame: FrameLike, blind: bool, driver: bool) -> MonitorInput | None:
        # A frame that is early by rounding alone is the one that was due, and the next decision is a hop later.
        now_s = self._now_s
        if now_s < self._due_s - 1e-6:
            return None
        hop_s = self._throttle.hop_s(self._hop_s, self._policy.settings.max_step_s)
        self._due_s += hop_s * (1 + (now_s + 1e-6 - self._due_s) // hop_s)
        with self._timings.measure("window"):
            clip = self._window.clip()
        fill = min(1.0, (now_s - self._first_s) / self._spec.seconds)
        faces, failed = ((), False) if self._face is None else (self._face.seen, self._face.failed)
        unseen_s = now_s - self._last_seen_s
        return MonitorInput(clip, now_s, frame.captured_s, unseen_s, fill, blind, driver, faces, failed)

    def _is_frozen(self, frame: FrameLike) -> bool:
        return self._freeze is not None and self._freeze.frozen(frame.image, frame.timestamp_s)

    def _find_pose(self, frame: FrameLike) -> Array | None:
        with self._timings.measure("pose"):
            landmarks = self._pose.estimate(frame.image, frame.timestamp_s)
        self._summary.frames += 1
        return landmarks

    def _driver_of(self, landmarks: Array | None, frame: FrameLike) -> Look:
        """What of the landmarks is evidence of the driver. Skeletons of another layout come from archives, and are
        taken as they are."""
        if self._layout != MEDIAPIPE33.name or frame.image is None:
            look = Look(landmarks, True)
        else:
            size = (frame.image.shape[1], frame.image.shape[0])
            look = self._bodies.look(landmarks, getattr(self._pose, "evidence", None), size, frame.timestamp_s)
        self._summary.poses += look.skeleton is not None
        if look.why is not None:
            self._summary.reject(look.why)
        return look


def check_hop(hop_s: float, settings: PolicySettings) -> None:
    """Raises UsageError where decisions would be so far apart that the policy's limits no longer mean what they say."""
    if not 0 < hop_s <= MAX_HOP_S:
        raise UsageError(f"decisions are made every {MAX_HOP_S:g} s at least, not every {hop_s:g} s")
    if hop_s > settings.max_step_s:
        raise UsageError(
            f"max_step_s ({settings.max_step_s:g}) is below the {hop_s:g} s between two decisions, so that time would "
            "not count in full: raise max_step_s, or lower --hop"
        )
