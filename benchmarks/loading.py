"""Clips a second for loading and augmenting, and for a training step: batches of this project against the per-sample
NumPy loop of its relatives.

The relatives (SkeletonCLR, AimCLR and what is built on them) keep a data set as one array on disk; a PyTorch Dataset
copies one sample out of it, augments it in NumPy, and a DataLoader stacks the samples. `PerSample` does the same,
written anew, with the variations that both have: temporal crop, shear, rotation, mirror, noise. Both read the same file
of made-up clips, T frames of 25 joints, in one process. Each figure is the median of several passes, taken in turn.

    python benchmarks/loading.py [--clips 4096] [--frames 64] [--batch-size 128] [--passes 5] [--threads 1] [--json]
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import NTU25
from edge_c2vl.skeletons.windows import Windows
from train.data.augment import Augment
from train.data.clips import ClipStore, Loader
from train.model.encoder import Encoder
from train.settings.training import AugmentSettings, EncoderSettings

SETTINGS = AugmentSettings(shear=0.5, crop=0.75, rotate=30, view=30, mirror=0.5, jitter=0.01)


class PerSample(torch.utils.data.Dataset):
    """One clip at a time: a copy from the memory map, then one NumPy function after another (float32)."""

    def __init__(self, path: Path) -> None:
        self.clips = np.load(path, mmap_mode="r")

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> np.ndarray:
        clip = np.array(self.clips[index])  # (3, T, 25)
        for vary in (crop, shear, rotate, mirror, noise):
            clip = vary(clip)
        return np.ascontiguousarray(clip, dtype=np.float32)


def crop(clip: np.ndarray, share: int = 6) -> np.ndarray:
    """The ends mirrored on by a sixth, and T of the frames kept."""
    frames = clip.shape[1]
    pad = frames // share
    longer = np.concatenate([clip[:, :pad][:, ::-1], clip, clip[:, -pad:][:, ::-1]], axis=1)
    start = np.random.randint(0, 2 * pad + 1)
    return longer[:, start : start + frames]


def shear(clip: np.ndarray, most: float = 0.5) -> np.ndarray:
    matrix = np.eye(3)
    for row in range(3):
        for column in range(3):
            if row != column:
                matrix[row, column] = random.uniform(-most, most)
    return np.dot(clip.transpose(1, 2, 0), matrix.T).transpose(2, 0, 1)


def rotate(clip: np.ndarray, most: float = 30.0) -> np.ndarray:
    """By up to `most` degrees about one axis and a degree about the two others, one after another."""
    points = clip.transpose(1, 2, 0).copy()
    main = random.randint(0, 2)
    for axis in range(3):
        angle = math.radians(random.uniform(0, most if axis == main else 1))
        a, b = [other for other in range(3) if other != axis]
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = math.cos(angle)
        turn[a, b], turn[b, a] = math.sin(angle), -math.sin(angle)
        points = np.matmul(points, turn.T)
    return points.transpose(2, 0, 1)


def mirror(clip: np.ndarray) -> np.ndarray:
    return clip[:, :, list(NTU25.mirror)] if random.random() < 0.5 else clip


def noise(clip: np.ndarray, deviation: float = 0.01) -> np.ndarray:
    return clip + np.random.normal(0, deviation, clip.shape) if random.random() < 0.5 else clip


def make_store(folder: Path, clips: int, frames: int) -> ClipStore:
    """A store of made-up clips; the file is laid out as an archive's cache is."""
    shape = (clips, 3, frames, NTU25.size)
    file = np.lib.format.open_memmap(folder / "clips.npy", mode="w+", dtype=np.float32, shape=shape)
    for first in range(0, clips, 256):
        part = np.random.default_rng(first).normal(size=(min(256, clips - first), *shape[1:]))
        file[first : first + len(part)] = part
    file.flush()
    for name in ("arms", "confidence"):
        np.save(folder / f"{name}.npy", np.ones(clips, np.float32))
    windows = Windows.make([(index, 0.0, 1.0, index % 10) for index in range(clips)])
    return ClipStore(folder, windows, ClipSpec(frames=frames, dimensions=3))


def clips_per_second(batches: Callable[[], Iterator[torch.Tensor]], step: Callable[[torch.Tensor], None]) -> float:
    started, clips = time.perf_counter(), 0
    for batch in batches():
        step(batch)
        clips += len(batch)
    return clips / (time.perf_counter() - started)


def measure(clips: int, frames: int, batch_size: int, passes: int, train_clips: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        store = make_store(Path(name), clips, frames)
        loader = Loader(store, np.arange(clips), batch_size)
        augment = Augment(SETTINGS, 3)
        per_sample = torch.utils.data.DataLoader(
            PerSample(Path(name) / "clips.npy"), batch_size, shuffle=True, drop_last=True
        )
        ways = {
            "batched": lambda: (augment(batch.clip) for batch in loader.batches(0)),
            "per_sample": lambda: iter(per_sample),
        }
        torch.manual_seed(0)
        network = Encoder(EncoderSettings(width=16, features=256, classes=10))
        optimiser = torch.optim.SGD(network.parameters(), 0.01)

        def train(batch: torch.Tensor) -> None:
            loss = torch.nn.functional.cross_entropy(network(batch)[0], torch.zeros(len(batch), dtype=torch.long))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

        def some(batches: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
            return (batch for _, batch in zip(range(max(1, train_clips // batch_size)), batches, strict=False))

        def nothing(_: torch.Tensor) -> None:
            return

        speeds: dict[str, list[float]] = {}
        for number in range(passes + 1):
            for way, batches in ways.items():
                value = clips_per_second(batches, nothing)
                if number:  # the first pass warms up
                    speeds.setdefault(f"load_and_augment_{way}", []).append(value)
        for _ in range(min(passes, 3)):
            for way, batches in ways.items():
                value = clips_per_second(lambda batches=batches: some(batches()), train)
                speeds.setdefault(f"training_{way}", []).append(value)
    result = {name: statistics.median(values) for name, values in speeds.items()}
    for what in ("load_and_augment", "training"):
        result[f"{what}_ratio"] = result[f"{what}_batched"] / result[f"{what}_per_sample"]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=4096)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--train-clips", type=int, default=512, help="clips of a training pass (ST-GCN, width 16)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    result = measure(options.clips, options.frames, options.batch_size, options.passes, options.train_clips)
    if options.json:
        print(json.dumps(vars(options) | result))
        return
    for name, value in result.items():
        print(f"{name:30} {value:10.1f}" + ("" if name.endswith("ratio") else " clips/s"))


if __name__ == "__main__":
    main()
