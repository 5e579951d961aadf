"""Windows of an archive through a model, batch by batch: memory does not grow with the archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.skeletons.windows import Windows, clip_of
from edge_c2vl.utils.progress import track
from train.data.clips import ClipStore

BATCH = 64


def batches(archive: Archive, windows: Windows, spec: ClipSpec, size: int = BATCH) -> Iterator[Array]:
    """The windows' clips (B, 3, T, 25) in order, by the vehicle's own make_clip."""
    for first in range(0, len(windows), size):
        part = windows[first : first + size]
        yield np.stack(
            [
                clip_of(archive, int(row), float(start), float(end), spec).data
                for row, start, end in zip(part.clip, part.start_s, part.end_s, strict=True)
            ]
        )
        archive.release()


def through(
    function: Callable[[Array], Array], archive: Archive, windows: Windows, spec: ClipSpec, description: str
) -> Array:
    """What `function` (a model's logits or features) gives for each window: (N, D) float32."""
    result: Array | None = None
    done = 0
    for clips in track(batches(archive, windows, spec), description, -(-len(windows) // BATCH)):
        values = function(clips)
        if result is None:
            result = np.empty((len(windows), values.shape[1]), np.float32)
        result[done : done + len(values)] = values
        done += len(values)
    assert result is not None, "no window"
    return result


def of_store(function: Callable[[Array], Array], store: ClipStore, rows: NDArray[np.int64]) -> Array:
    """The same of clips that a store keeps: of these rows of it."""
    parts = [function(store.read(rows[first : first + BATCH])) for first in range(0, len(rows), BATCH)]
    return np.concatenate(parts)


def samples_of(archive: Archive, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sample that each row (N,) of the archive belongs to, numbered from 0 in order of first appearance.

    A second person in a recording is a row of its own, called NAME#1; published protocols judge the recording.
    """
    names = [str(name).partition("#")[0] for name in archive.clips["name"].to_numpy()[rows]]
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)


def mean_of_samples(values: Array, sample: NDArray[np.int64]) -> Array:
    """(N, D) -> (samples, D): the mean over the rows of each sample, as AimCLR's authors average two people."""
    count = np.bincount(sample)
    total = np.zeros((len(count), values.shape[1]), np.float64)
    np.add.at(total, sample, values)
    return (total / count[:, None]).astype(np.float32)


def first_of_samples(values: NDArray[np.int64], sample: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) -> (samples,): the value of each sample's first row."""
    _, first = np.unique(sample, return_index=True)
    return values[first]
