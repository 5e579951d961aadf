"""Recordings from skeletons: the clips of an archive, and those that `edge-c2vl run --alert-clips` kept."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.monitoring.events import Alert, Decision, check_record
from edge_c2vl.outputs.base import Sink
from edge_c2vl.replay.recording import ReplayRecording, ReplaySkeletons, spans_of
from edge_c2vl.runtime.pipeline import Pipeline
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33, NTU25, Array, clean
from edge_c2vl.utils.arrays import ERRORS, NpzFile
from edge_c2vl.utils.atomic import is_hidden
from edge_c2vl.web.messages import line


class ArchivedClips:
    """The clips of a skeleton archive. With `bundle` (a folder, or "default") each is judged when it is opened, by the
    pipeline that judges a driver; without it the archive's own labels are shown."""

    def __init__(self, path: Path, bundle: str | None = None) -> None:
        self._archive = Archive.open(path)
        self._names = self._archive.clips["name"].astype(str).tolist()
        self._judge = None if bundle is None else Judge(bundle)
        self.title = path.name

    def __len__(self) -> int:
        return len(self._archive)

    def find(self, name: str) -> int | None:
        return self._names.index(name) if name in self._names else None

    def recording(self, index: int) -> ReplayRecording:
        archive = self._archive
        times_s, numbers = archive.timestamps(index), archive.frame_labels(index)
        frames = clean(archive.sequence(index))
        named = [*archive.labels, ""]
        frame_labels = None if numbers is None or (numbers < 0).all() else [named[number] for number in numbers]
        end_s = float(times_s[-1])
        found = KeptDecisions() if self._judge is None else self._judge.judge(frames, times_s)
        judged = self._judge is not None
        states = [decision.state.value for decision in found.decisions]
        decided_s = np.array([decision.timestamp_s for decision in found.decisions])
        return ReplayRecording(
            name=self._names[index],
            start_s=float(times_s[0]),
            end_s=end_s,
            decisions=[line(decision.to_json()) for decision in found.decisions],
            times_s=decided_s,
            alerts=[alert.to_json() for alert in found.alerts],
            spans=spans_of(decided_s, states, end_s) if judged else spans_of(times_s, frame_labels or [], end_s),
            labels=self._judge.labels if self._judge else [],
            distraction=self._judge.distraction if self._judge else [],
            label=named[int(archive.clips["label"].iloc[index])],
            skeletons=ReplaySkeletons(NTU25, frames, times_s, None if judged else frame_labels),
        )


def clip_files(folder: Path) -> list[Path]:
    """The alert clips in a folder, not those below it, by name."""
    return sorted(path for path in folder.glob("*.npz") if not is_hidden(path.name))


class AlertClips:
    """The skeletons around alerts: one file, or a folder of them in the order of their names."""

    def __init__(self, path: Path) -> None:
        self._files = clip_files(path) if path.is_dir() else [path]
        self.title = path.name

    def __len__(self) -> int:
        return len(self._files)

    def find(self, name: str) -> int | None:
        return next((index for index, file in enumerate(self._files) if name in (file.name, file.stem)), None)

    def recording(self, index: int) -> ReplayRecording:
        path = self._files[index]
        try:
            with NpzFile(path) as kept:
                frames = clean(kept["skeletons"])
                times_s = np.asarray(kept["timestamps_s"], np.float64)
                alert = json.loads(str(kept["alert"]))
            if frames.shape[1:] != (MEDIAPIPE33.size, 4) or times_s.shape != (len(frames),) or len(frames) == 0:
                raise ValueError("arrays of other shapes")
            if not np.isfinite(times_s).all() or (np.diff(times_s) < 0).any():
                raise ValueError("times that do not rise")
            check_record(alert)
        except ERRORS as error:
            raise EdgeC2VLError(f"{path} is no alert clip of edge-c2vl run --alert-clips: {error}") from None
        return ReplayRecording(
            name=path.stem,
            start_s=float(times_s[0]),
            end_s=float(times_s[-1]),
            alerts=[alert],
            skeletons=ReplaySkeletons(MEDIAPIPE33, frames, times_s, min_confidence=0.5),
        )


class KeptDecisions(Sink):
    """Keeps what a run decides."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.alerts: list[Alert] = []

    def decision(self, decision: Decision) -> None:
        self.decisions.append(decision)

    def alert(self, alert: Alert) -> None:
        self.alerts.append(alert)


class Judge:
    """A bundle's encoder behind the live pipeline, fed with skeletons instead of pictures."""

    def __init__(self, bundle: str) -> None:
        from edge_c2vl.bundle.bundle import Bundle
        from edge_c2vl.inference.model import ClipModel

        self._model = ClipModel.open(Bundle.open(bundle))
        self.labels, self.distraction = self._model.labels, self._model.distraction

    def judge(self, frames: Array, times_s: np.ndarray) -> KeptDecisions:
        """frames: ntu25 (T, 25, 4) at times_s (T,)."""
        found, played = KeptDecisions(), _Played(frames, times_s)
        Pipeline(played, played, self._model, sinks=[found], layout=NTU25.name).run()
        return found


@dataclass(frozen=True)
class _Frame:
    image: Array
    timestamp_s: float
    captured_s: float


class _Played:
    """Camera and pose at once: its pictures are skeletons already."""

    live = False
    dropped = 0

    def __init__(self, frames: Array, times_s: np.ndarray) -> None:
        self._rest = zip(frames, times_s, strict=True)

    def read(self) -> _Frame | None:
        frame, time_s = next(self._rest, (None, 0.0))
        return None if frame is None else _Frame(frame, float(time_s), time.monotonic())

    def interrupt(self) -> None:
        """It never waits."""

    def estimate(self, image_bgr: Array, timestamp_s: float) -> Array | None:  # noqa: ARG002
        return image_bgr if image_bgr[:, 3].any() else None
