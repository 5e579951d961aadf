"""Skeletons around each alert: what the driver did, without a picture."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_c2vl.errors import OutputError
from edge_c2vl.face.landmarks import COUNT
from edge_c2vl.monitoring.events import Alert, SeenSkeleton
from edge_c2vl.monitoring.standing import Level, Reason
from edge_c2vl.outputs.base import Sink
from edge_c2vl.utils.atomic import PART, is_hidden, whole_file
from edge_c2vl.utils.files import PRIVATE_FILE, PRIVATE_FOLDER

# An unfinished clip is rewritten this often, so that a crash loses no more than this much of it.
REWRITE_INTERVAL_S = 1.0


class SkeletonClips(Sink):
    """Writes `folder/RUN-NUMBER.npz` for each alert that begins or rises: `skeletons` float32 (T, 33, 4) in mediapipe33
    (pixels, y = -row; all zeros where nobody was seen), `timestamps_s` (T,), `alert_s` and `alert` (docs/events.md's
    JSON, as text), from before_s before to after_s after the alert. With `faces` also `faces`, float32 (T, 478, 3): the
    landmarks of the face (pixels, y down; all zeros where none was seen), which tell more of who it was. A clip is
    there from the alert on, and grows. At most `keep` files; the oldest go. Raises OutputError where nothing can be
    kept there."""

    wants_skeletons = True

    def __init__(
        self, folder: str, before_s: float = 10.0, after_s: float = 5.0, keep: int = 1000, faces: bool = False
    ) -> None:
        self._folder = Path(folder)
        self._held = -1
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            self._held = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            # What a run that was killed has left; another run that keeps clips here holds the folder.
            if _holds(self._held, fcntl.LOCK_EX):
                for part in self._folder.glob(f".*{PART}"):
                    part.unlink(missing_ok=True)
            _holds(self._held, fcntl.LOCK_SH)
            tempfile.TemporaryFile(dir=self._folder).close()  # fails now if the folder is not writable
        except OSError as error:
            if self._held >= 0:
                os.close(self._held)
            raise OutputError(f"--alert-clips {folder}: nothing can be kept there: {error.strerror}") from None
        self._before_s, self._after_s, self._keep, self._faces = before_s, after_s, keep, faces
        self._recent: deque[SeenSkeleton] = deque()
        self._due: list[Alert] = []
        self._renewed_s = 0.0
        self._levels: dict[Reason, Level] = {}

    def skeleton(self, skeleton: SeenSkeleton) -> None:
        if self._recent and skeleton.timestamp_s < self._recent[-1].timestamp_s:
            # The clock was set back: what lies before belongs to another time.
            self._write_all()
            self._recent.clear()
        self._recent.append(skeleton if self._faces else replace(skeleton, face=None))
        while self._recent[0].timestamp_s < skeleton.timestamp_s - self._before_s - self._after_s:
            self._recent.popleft()
        while self._due and skeleton.timestamp_s >= self._due[0].timestamp_s + self._after_s:
            self._write(self._due.pop(0))
        if self._due and skeleton.timestamp_s >= self._renewed_s + REWRITE_INTERVAL_S:
            self._renewed_s = skeleton.timestamp_s
            for alert in self._due:
                self._write(alert)

    def alert(self, alert: Alert) -> None:
        if alert.level > self._levels.get(alert.reason, Level.NONE):
            self._due.append(alert)
            self._renewed_s = alert.timestamp_s
            self._write(alert)
        self._levels[alert.reason] = alert.level

    def close(self) -> None:
        self._write_all()
        os.close(self._held)

    def _write_all(self) -> None:
        while self._due:
            self._write(self._due.pop(0))

    def _write(self, alert: Alert) -> None:
        around = [
            seen
            for seen in self._recent
            if alert.timestamp_s - self._before_s <= seen.timestamp_s <= alert.timestamp_s + self._after_s
        ]
        missing = np.zeros((33, 4), np.float32)
        frames = [missing if seen.landmarks is None else seen.landmarks for seen in around]
        more: dict[str, Any] = {}
        if self._faces:
            no_face = np.zeros((COUNT, 3), np.float32)
            faces = [no_face if seen.face is None else seen.face.points.astype(np.float32) for seen in around]
            more["faces"] = np.stack(faces) if faces else np.zeros((0, COUNT, 3), np.float32)
        target = self._folder / f"{alert.run}-{alert.number:06d}.npz"
        with whole_file(target, PRIVATE_FILE) as part, part.open("wb") as file:
            np.savez_compressed(
                file,
                skeletons=np.stack(frames) if frames else np.zeros((0, 33, 4), np.float32),
                timestamps_s=np.array([seen.timestamp_s for seen in around]),
                alert_s=alert.timestamp_s,
                alert=json.dumps(alert.to_json()),
                **more,
            )
        # Of this run by number: the clock may be set while it goes on, and files then seem older than they are.
        own = f"{alert.run}-"
        files = sorted(
            (file for file in self._folder.glob("*-*.npz") if not is_hidden(file.name)),
            key=lambda file: (
                file.name.startswith(own),
                file.name if file.name.startswith(own) else file.stat().st_mtime,
            ),
        )
        for old in files[: max(0, len(files) - self._keep)]:
            old.unlink(missing_ok=True)


def _holds(folder: int, how: int) -> bool:
    """Whether the lock of a folder (a file descriptor) is had, in place of one that this descriptor has already."""
    try:
        fcntl.flock(folder, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
