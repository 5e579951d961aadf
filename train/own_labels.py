"""Labels of one's own videos: a CSV beside each (start,end,label in seconds), as `edge-c2vl eval --live` reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError


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
        return [self._csv(path).read_text("utf-8-sig") for _, path in videos]

    def of(self, path: str, timestamps_s: NDArray[np.float64]) -> NDArray[np.int16]:
        """The label of each frame (T,), an index into `names`, of the video at `path`."""
        labels = np.zeros(len(timestamps_s), np.int16)
        for start_s, end_s, label in self._spans(path):
            labels[(timestamps_s >= start_s) & (timestamps_s < end_s)] = self.names.index(label)
        return labels

    def columns(self, name: str) -> dict[str, str]:
        """Further columns of a video's row: a split where subjects are kept for testing."""
        return {"split": "test" if subject_of(name) in self.test else "train"} if self.test else {}

    def _spans(self, path: str) -> list[tuple[float, float, str]]:
        from train.evaluation.live import read_truth

        return [(span.start_s, span.end_s, span.label) for span in read_truth(self._csv(path), self.names)]

    @staticmethod
    def _csv(path: str) -> Path:
        return Path(path).with_suffix(".csv")


def subject_of(name: str) -> str:
    """anna of anna/drive1.mp4; empty where a video lies in no folder of its own."""
    return name.rpartition("/")[0]
