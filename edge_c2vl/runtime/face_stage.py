"""Looks at the driver's face in some of the frames: at a rate of its own, and in every one while the eyes close."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from edge_c2vl.face.tracker import Face
from edge_c2vl.face.watch import FaceWatch, Rate
from edge_c2vl.monitoring.face_reader import SeenFace
from edge_c2vl.monitoring.standing import OF_THE_FACE, Aspect
from edge_c2vl.monitoring.stats import Timings
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.once import Fault

log = logging.getLogger("edge_c2vl")

# Faces that were seen go along with decisions for so long: live, a decision that is left out takes none with it.
KEPT_S = 2.0
# So old may a face be that is still drawn, and a skeleton that says where to look.
FRESH_S = 0.3
# So many looks in a row that do not work are no accident.
MOST_FAILURES = 5


class FaceSource(Protocol):
    """What is needed of the face's network (face.tracker.FaceTracker)."""

    def look(self, image_bgr: Any, skeleton: Array | None) -> Face | None: ...

    def reset(self) -> None: ...


@dataclass(frozen=True)
class Watching:
    """aspects: what alerts may come of. faces: the face's network, where one of them needs the face; None: it could not
    be opened. face_fps: looks at the face a second."""

    aspects: frozenset[Aspect] = frozenset({Aspect.ACTIVITY})
    faces: FaceSource | None = None
    face_fps: float = 10.0

    def face_stage(self, timings: Timings) -> FaceStage | None:
        """None where no face is needed."""
        return FaceStage(self.faces, self.face_fps, timings) if self.aspects & OF_THE_FACE else None


class FaceStage:
    """For one thread at a time. faces: None where the network could not be opened; then nothing is ever seen, and
    `failed` says so. hz: looks a second.

    What a look raises is told each time that it begins, and the next picture is tried again: monitoring goes on without
    the face.
    """

    def __init__(self, faces: FaceSource | None, hz: float, timings: Timings) -> None:
        self._faces, self._rate, self._timings = faces, Rate(hz), timings
        self._failures = 0
        # For the rate alone; what decisions follow is learnt where it is known whether the driver may be learnt from.
        self._watch = FaceWatch()
        self._seen: deque[SeenFace] = deque()
        self._skeleton: tuple[float, Array] | None = None
        self._fault = Fault()

    @property
    def failed(self) -> bool:
        """Whether the newest looks did not work."""
        return self._faces is None or self._failures >= MOST_FAILURES

    @property
    def closing(self) -> bool:
        """Whether every picture counts now."""
        return self._rate.closing

    @property
    def seen(self) -> tuple[SeenFace, ...]:
        """Of the last KEPT_S, the newest last."""
        return tuple(self._seen)

    def newest(self, time_s: float) -> Face | None:
        """The face, for those who draw it."""
        fresh = self._seen and 0 <= time_s - self._seen[-1].time_s <= FRESH_S
        return self._seen[-1].face if fresh else None

    def reset(self) -> None:
        """What follows lies at another time."""
        self._seen.clear()
        self._watch.reset()
        self._rate.reset()
        self._skeleton = None
        if self._faces is not None:
            self._faces.reset()

    def look(self, image_bgr: Any, skeleton: Array | None, time_s: float) -> None:
        """skeleton: the driver's in this picture, None where nobody's was found."""
        self._skeleton = None if skeleton is None else (time_s, skeleton)
        self._look(image_bgr, skeleton, time_s)

    def look_between(self, image_bgr: Any, time_s: float) -> None:
        """The same of a picture in which no pose was looked for."""
        if self.closing and self._skeleton is not None and time_s - self._skeleton[0] <= FRESH_S:
            self._look(image_bgr, self._skeleton[1], time_s)

    def _look(self, image_bgr: Any, skeleton: Array | None, time_s: float) -> None:
        if self._seen and time_s < self._seen[-1].time_s:
            # The clock was set back, and the next look would be due only once it is there again.
            self.reset()
        if self._faces is None or not self._rate.due(time_s):
            return
        try:
            with self._timings.measure("face"):
                face = self._faces.look(image_bgr, skeleton)
            self._failures = 0
            if self._fault.worked():
                log.warning("looking at the face works again")
        except Exception as error:
            face, self._failures = None, self._failures + 1
            if self._fault.came():
                log.error("looking at the face failed, and the run goes on without it: %s", error)
        self._rate.looked(time_s, self._watch.update(time_s, face))
        self._seen.append(SeenFace(time_s, face))
        while self._seen[0].time_s <= time_s - KEPT_S:
            self._seen.popleft()
