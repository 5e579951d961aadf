"""An archive's recordings -> windows -> clips on disk -> batches.

`whole_clips` and `sliding` (edge_c2vl.skeletons.windows) say which windows of which recordings are wanted;
`ClipStore.open` makes their clips once, by the vehicle's own `make_clip`, and keeps them in a cache; `Loader` reads
seeded batches from it. Clips are read from the file when they are asked for, so memory does not grow with the data set.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_c2vl.errors import ArchiveError, UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import NTU25, Array
from edge_c2vl.skeletons.windows import Windows, clip_of
from edge_c2vl.utils.atomic import put_in_place, temporary_beside
from edge_c2vl.utils.cache import default_cache
from edge_c2vl.utils.progress import track

# Raised when clips come out differently for the same windows, so that cached ones are made again.
CLIP_VERSION = 2


class Clips(Protocol):
    """What a Loader reads from. windows: parallel to its rows."""

    windows: Windows

    def read(self, indices: NDArray[np.int64]) -> Array:
        """The clips (B, 3, T, 25) of these rows."""


class ClipStore:
    """The clips of many windows in one file, read when asked for. `arms` and `confidence` (N,): see clip.Clip."""

    def __init__(self, folder: Path, windows: Windows, spec: ClipSpec) -> None:
        self.folder, self.windows, self.spec = folder, windows, spec
        clips = np.load(folder / "clips.npy", mmap_mode="r", allow_pickle=False)
        expected = (len(windows), 3, spec.frames, NTU25.size)
        if clips.shape != expected or clips.dtype != np.float32:
            raise ArchiveError(f"the cached clips in {folder} are damaged: remove that folder and try again")
        self.shape: tuple[int, int, int] = expected[1:]
        self.arms: Array = np.load(folder / "arms.npy", allow_pickle=False)
        self.confidence: Array = np.load(folder / "confidence.npy", allow_pickle=False)
        # Read with pread rather than through the mapping: pages of a mapping that were touched count as this process's
        # memory, and a shuffled epoch touches all of them.
        self._offset, self._size = int(clips.offset), int(np.prod(self.shape)) * 4
        self._file = (folder / "clips.npy").open("rb", buffering=0)

    @classmethod
    def open(cls, archive: Archive, windows: Windows, spec: ClipSpec, cache: Path | None = None) -> ClipStore:
        """The store of these windows, made now unless it is in the cache; an archive without depth has its bodies
        turned nowhere, whatever the spec says. Raises UsageError on no window."""
        if archive.meta["dimensions"] == 2:
            spec = replace(spec, dimensions=2, facing=False, upright=False)
        if not len(windows):
            raise UsageError(f"no window of {spec.seconds:g} s fits into the recordings chosen from {archive.path}")
        folder = (cache or default_cache()) / "clips" / _fingerprint(archive, windows, spec)
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            _make(archive, windows, spec, folder)
        return cls(folder, windows, spec)

    def __len__(self) -> int:
        return len(self.windows)

    def read(self, indices: NDArray[np.int64]) -> Array:
        """The clips (B, 3, T, 25) of these rows."""
        clips = np.empty((len(indices), *self.shape), np.float32)
        for row, index in zip(clips, indices, strict=True):
            os.preadv(self._file.fileno(), [row.data], self._offset + int(index) * self._size)
        return clips


def _fingerprint(archive: Archive, windows: Windows, spec: ClipSpec) -> str:
    """Changes with the archive, the windows and how clips are made."""
    frames = (archive.path / "frames.npy").stat()
    about = [
        CLIP_VERSION,
        spec.to_json(),
        archive.meta,
        str(archive.path.resolve()),
        frames.st_size,
        frames.st_mtime_ns,
    ]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for column in (windows.clip, windows.start_s, windows.end_s):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()[:24]


def _make(archive: Archive, windows: Windows, spec: ClipSpec, folder: Path) -> None:
    temporary = temporary_beside(folder)
    try:
        _write_clips(archive, windows, spec, temporary)
        put_in_place(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write_clips(archive: Archive, windows: Windows, spec: ClipSpec, temporary: Path) -> None:
    arms, confidence = np.zeros(len(windows), np.float32), np.zeros(len(windows), np.float32)
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(windows), 3, spec.frames, NTU25.size)}
    with (temporary / "clips.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for index in track(range(len(windows)), "making clips"):
            clip = clip_of(archive, int(windows.clip[index]), windows.start_s[index], windows.end_s[index], spec)
            arms[index], confidence[index] = clip.arms, clip.confidence
            file.write(clip.data.tobytes())
            if index % 1024 == 1023 or index == len(windows) - 1:
                archive.release()
    np.save(temporary / "arms.npy", arms)
    np.save(temporary / "confidence.npy", confidence)


class Batch:
    """`clip` (B, 3, T, 25); `label` (B,), -1 for none; `index` (B,), rows of the store.

    No dataclass: where a run has mixed precision, Fabric would round a dataclass's tensors before they are varied.
    """

    def __init__(self, clip: Tensor, label: Tensor, index: Tensor) -> None:
        self.clip, self.label, self.index = clip, label, index

    def to(self, device: torch.device) -> Batch:
        return Batch(self.clip.to(device), self.label.to(device), self.index.to(device))


class Loader:
    """Batches of some rows of a store: the same for the same seed and epoch, so that a run can be resumed anywhere.

    weights: rows are drawn with replacement, by weight; without: each once, shuffled. groups: parallel to rows; an
    epoch has one row of each group, drawn anew, such as one crop of each recording. per_epoch: how many rows an epoch
    has (default: as many as there are, or groups). With several processes each takes its share of every epoch.
    """

    def __init__(
        self,
        store: Clips,
        rows: NDArray[np.int64],
        batch_size: int,
        seed: int = 0,
        *,
        weights: NDArray[np.float64] | None = None,
        groups: NDArray[np.int64] | None = None,
        per_epoch: int | None = None,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self.store, self.rows, self.batch_size, self.seed = store, np.asarray(rows, np.int64), batch_size, seed
        self.weights = None if weights is None else np.asarray(weights, np.float64) / np.sum(weights)
        self.groups = groups
        self.rank, self.processes = rank, processes
        most = len(self.rows) if groups is None else len(np.unique(groups))
        self.per_epoch = most if per_epoch is None else per_epoch
        if self.weights is None:
            self.per_epoch = min(self.per_epoch, most)
        # The last, smaller batch is dropped: BatchNorm and contrastive losses change with the batch's size.
        self.steps = self.per_epoch // (batch_size * processes)
        if self.steps == 0:
            raise UsageError(f"{self.per_epoch} clips do not fill one batch: lower --batch-size ({batch_size})")

    def __len__(self) -> int:
        """Batches an epoch."""
        return self.steps

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The rows that this process sees in that epoch, in order."""
        random = np.random.default_rng([self.seed, epoch])
        if self.weights is None:
            shuffled = random.permutation(len(self.rows))
            if self.groups is not None:
                # In a shuffled list the first row of each group is a random one of it, and these firsts are shuffled.
                _, first = np.unique(self.groups[shuffled], return_index=True)
                shuffled = shuffled[np.sort(first)]
            drawn = self.rows[shuffled[: self.per_epoch]]
        else:
            drawn = random.choice(self.rows, self.per_epoch, p=self.weights)
        return drawn[self.rank :: self.processes]

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The epoch's batches from number `first` on."""
        order = self.order(epoch)
        for step in range(first, self.steps):
            yield read_batch(self.store, order[step * self.batch_size : (step + 1) * self.batch_size])


def read_batch(store: Clips, rows: NDArray[np.int64]) -> Batch:
    rows = np.asarray(rows, np.int64)
    return Batch(
        torch.from_numpy(store.read(rows)), torch.from_numpy(store.windows.label[rows]), torch.from_numpy(rows.copy())
    )


def in_order(store: Clips, rows: NDArray[np.int64], batch_size: int = 256) -> Iterator[Batch]:
    """Each of the rows once, in order: for evaluation."""
    for first in range(0, len(rows), batch_size):
        yield read_batch(store, rows[first : first + batch_size])


def sample_clips(archive: Archive, spec: ClipSpec, count: int, seed: int = 0) -> Array:
    """Clips (at most `count`, 3, T, 25) of windows drawn from the whole archive: to compare or calibrate models on.

    Recordings shorter than a window give one clip each, of what they have.
    """
    random = np.random.default_rng(seed)
    rows = random.permutation(len(archive))[:count]
    clips = []
    for row in rows:
        stamps = archive.timestamps(row)
        end_s = float(random.choice(stamps[stamps >= min(stamps[0] + spec.seconds, stamps[-1])]))
        clips.append(clip_of(archive, int(row), end_s - spec.seconds, end_s, spec).data)
    return np.stack(clips)
