"""Labels of one's own videos: a CSV beside each (start,end,label in seconds), as `edge-c2vl eval --live` reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.texts import read_text

# Labels of a span that nobody can judge. Evaluation counts nothing in it, and training learns nothing from it.
AMBIGUOUS = ("-", "?")


def labels_of(video: Path) -> Path:
    """The CSV beside a video, or beside a folder of images."""
    return video.with_name(f"{video.name}.csv") if video.is_dir() else video.with_suffix(".csv")


@dataclass(frozen=True)
class OwnLabels:
    """names: the classes; the first is what no row of a video's CSV covers. test: subjects kept for testing. A video's
    subject is the folder that it lies in (`anna/drive1.mp4`: anna), below the one that was named."""

    names: tuple[str, ...]
    test: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) < 2 or len(set(self.names)) < len(self.names):
            raise UsageError("--labels are two different classes or more, such as attentive,phone,drinking")

    def check(self, videos: Sequence[tuple[str, str]]) -> list[str]:
        """The text of each CSV; videos: (name, path). Raises DatasetError or UsageError before any video is read."""
        for _, path in videos:
            self._spans(path)
        unknown = set(self.test) - {subject_of(name) for name, _ in videos}
        if unknown:
            raise UsageError(f"--test {', '.join(sorted(unknown))}: there is no such folder of videos")
        return [read_text(labels_of(Path(path))) for _, path in videos]

    def of(self, path: str, timestamps_s: NDArray[np.float64]) -> NDArray[np.int16]:
        """The label of each frame (T,), an index into `names`, of the video at `path`; -1 where it is ambiguous."""
        labels = np.zeros(len(timestamps_s), np.int16)
        for start_s, end_s, label in self._spans(path):
            labels[(timestamps_s >= start_s) & (timestamps_s < end_s)] = (
                -1 if label in AMBIGUOUS else self.names.index(label)
            )
        return labels

    def columns(self, name: str) -> dict[str, str]:
        """Further columns of a video's row: a split where subjects are kept for testing."""
        return {"split": "test" if subject_of(name) in self.test else "train"} if self.test else {}

    def _spans(self, path: str) -> list[tuple[float, float, str]]:
        from train.evaluation.live import read_truth

        return [(span.start_s, span.end_s, span.label) for span in read_truth(labels_of(Path(path)), self.names)]


def subject_of(name: str) -> str:
    """anna of anna/drive1.mp4; empty where a video lies in no folder of its own."""
    return name.rpartition("/")[0]
