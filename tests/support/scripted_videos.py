"""Videos that are no videos, and an estimator that finds in each what was agreed on."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from pathlib import Path

import numpy as np

from train.extraction.video import ExtractSettings, Skeletons
from train.extraction.workers import Done, Event, Failed, Job, Moved

FILES = ("frames.npy", "timestamps.npy", "clips.parquet", "meta.json")


def some_videos(folder: Path, count: int = 4) -> Path:
    folder.mkdir()
    for index in range(count):
        (folder / f"{index}.mp4").write_bytes(bytes(100 * (index + 1)))
    return folder


def skeletons(index: int) -> Skeletons:
    numbers = np.random.default_rng(index)
    frames = numbers.uniform(0.1, 1, (5 + index, 25, 4)).astype(np.float32)
    return Skeletons(frames, np.cumsum(numbers.uniform(0.03, 0.04, 5 + index)), 28.0, 4)


class Scripted:
    """A runner that reads nothing. stop_after: Ctrl-C after so many videos; failing: path's name -> how often."""

    def __init__(self, stop_after: int | None = None, failing: dict[str, int] | None = None) -> None:
        self.stop_after, self.failing = stop_after, dict(failing or {})
        self.read: list[str] = []

    def __call__(self, queue: deque[Job], recipe: ExtractSettings) -> Generator[Event, None, None]:
        while queue:
            job = queue.popleft()
            name = Path(job.path).name
            if self.stop_after is not None and len(self.read) >= self.stop_after:
                raise KeyboardInterrupt
            if self.failing.get(name, 0):
                self.failing[name] -= 1
                yield Failed(job.index, "no luck")
                continue
            self.read.append(name)
            yield Moved(job.index, 0.5)
            yield Done(job.index, skeletons(int(Path(name).stem)))


def same(a: Path, b: Path) -> bool:
    return all((a / name).read_bytes() == (b / name).read_bytes() for name in FILES)
