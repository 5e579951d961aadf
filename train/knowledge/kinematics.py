"""Kinematic captions: what a skeleton does, in words and as predicate bits. Rules only: no label, nothing random.

    codes = describe(sequence, timestamps_s, spans)      # posecodes of some spans of one sequence
    captions(sequence, timestamps_s, spans)              # their captions
    Describer(archive).captions(windows)                 # those of many windows of an archive, in blocks

A span's caption is made from the span alone, so that the caption of a crop tells what is in that crop.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.resample import resample
from edge_c2vl.skeletons.skeleton import Array, clean, normalise
from edge_c2vl.skeletons.windows import Windows
from train.knowledge.posecodes import FRAMES, Posecodes, posecodes
from train.knowledge.sentences import FACTS, caption, facts, part_captions, quarter_captions

BLOCK = 256
MAX_GAP_S = 0.5


def whole(timestamps_s: ArrayLike) -> NDArray[np.float64]:
    """The one span (1, 2) from first to last frame."""
    stamps = np.asarray(timestamps_s, np.float64)
    return np.array([[stamps.min(), stamps.max()]])


def crop_spans(name: str, start_s: float, end_s: float, count: int, shortest: float = 0.4) -> NDArray[np.float64]:
    """`count` random crops (count, 2) of a clip, each a share of `shortest` to 1 of it; the same for the same name."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    length = (end_s - start_s) * random.uniform(shortest, 1.0, count)
    start = start_s + (end_s - start_s - length) * random.uniform(0.0, 1.0, count)
    return np.stack([start, start + length], axis=1)


def span_frames(
    sequence: ArrayLike, timestamps_s: ArrayLike, spans: ArrayLike, dimensions: int = 3, axes: Array | None = None
) -> Array:
    """The frames (S, 48, 25, 4) that posecodes are read from.

    sequence: ntu25 (T, 25, 4) at timestamps_s (T,); spans: (S, 2), seconds. axes: (3, 3), see `camera_axes`.
    """
    source = clean(sequence)
    if axes is not None:
        source[..., :3] = source[..., :3] @ axes
    frames = normalise(source, dimensions, facing=dimensions == 3)
    start_s, end_s = np.asarray(spans, np.float64).T
    times = np.linspace(start_s, end_s, FRAMES, axis=1)
    return resample(frames, timestamps_s, times.ravel(), MAX_GAP_S).reshape(len(times), FRAMES, 25, 4)


def describe(
    sequence: ArrayLike,
    timestamps_s: ArrayLike,
    spans: ArrayLike | None = None,
    dimensions: int = 3,
    axes: Array | None = None,
) -> Posecodes:
    """The posecodes of each span (S, 2) of a sequence; of the whole of it where no span is given."""
    spans = np.asarray(whole(timestamps_s) if spans is None else spans, np.float64)
    return posecodes(
        span_frames(sequence, timestamps_s, spans, dimensions, axes), spans[:, 1] - spans[:, 0], dimensions
    )


def captions(
    sequence: ArrayLike,
    timestamps_s: ArrayLike,
    spans: ArrayLike | None = None,
    dimensions: int = 3,
    axes: Array | None = None,
    parts: bool = False,
    most: int = FACTS,
    quarters: bool = False,
) -> list[list[str]]:
    """The captions of each span: of the whole body, of at most `most` facts; with `parts` also one of each part, with
    `quarters` also all that holds in each quarter of the span, and in the span as such."""
    return _words(describe(sequence, timestamps_s, spans, dimensions, axes), parts, most, quarters)


def _words(codes: Posecodes, parts: bool, most: int, quarters: bool) -> list[list[str]]:
    result = []
    for index in range(len(codes.spans)):
        found = facts(codes, index)
        more = (part_captions(found) if parts else []) + (quarter_captions(codes, index) if quarters else [])
        result.append([caption(found, most), *more])
    return result


class Describer:
    """Posecodes and captions of an archive's windows, each camera's axes put right once (3-D archives)."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.dimensions = int(archive.meta["dimensions"])

    @property
    def axes(self) -> dict[str, Array]:
        """camera -> (3, 3); see Archive.axes."""
        return self.archive.axes

    def codes(self, windows: Windows) -> Iterator[Posecodes]:
        """The windows' posecodes, block by block, in their order."""
        cameras = self.archive.clips["camera"].astype(str).to_numpy()
        pending: list[Array] = []
        seconds: list[NDArray[np.float64]] = []
        for row, spans in _runs(windows):
            axes = self.axes.get(cameras[row])
            sequence, stamps = self.archive.sequence(row), self.archive.timestamps(row)
            pending.append(span_frames(sequence, stamps, spans, self.dimensions, axes))
            seconds.append(spans[:, 1] - spans[:, 0])
            if sum(map(len, seconds)) >= BLOCK:
                yield posecodes(np.concatenate(pending), np.concatenate(seconds), self.dimensions)
                pending, seconds = [], []
        if pending:
            yield posecodes(np.concatenate(pending), np.concatenate(seconds), self.dimensions)

    def captions(
        self, windows: Windows, parts: bool = False, most: int = FACTS, quarters: bool = False
    ) -> Iterator[list[str]]:
        """The captions of each window: one, with `parts` six more, with `quarters` five more."""
        for block in self.codes(windows):
            yield from _words(block, parts, most, quarters)

    def bits(self, windows: Windows) -> NDArray[np.float32]:
        """(N, bits) zeros and ones: see Posecodes.bits."""
        return np.concatenate([block.bits() for block in self.codes(windows)])


def _runs(windows: Windows) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """(row, spans) of neighbouring windows of one recording, so that it is normalised once."""
    cuts = np.flatnonzero(np.diff(windows.clip)) + 1
    for part in np.split(np.arange(len(windows)), cuts):
        # A long recording's windows are handed out in blocks as well: 48 frames each would fill the memory.
        for block in np.array_split(part, -(-len(part) // BLOCK)):
            if len(block):
                yield int(windows.clip[block[0]]), np.stack([windows.start_s[block], windows.end_s[block]], axis=1)
