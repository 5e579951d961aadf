"""Simulated drivers as a skeleton archive, to train on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge_c2vl.skeletons.archive import ArchiveWriter
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import NTU25, Array
from edge_c2vl.utils.progress import track
from train.simulate.population.activities import LABELS
from train.simulate.population.cameras import PLACES
from train.simulate.population.clips import draw_sequences, normalise_many

SOURCE = "Edge-C2VL simulated drivers"
LICENCE = "of this project"
SPEC = ClipSpec(frames=32, seconds=3.0, dimensions=2)
FPS = (SPEC.frames - 1) / SPEC.seconds
# Clips drawn at a time, whatever is asked for: the first clips of a seed are always the same.
BATCH = 2000
# A clip in which the arms are seen for less is left out: nobody could say what is done.
LEAST_ARMS = 0.3


def write_archive(path: Path, clips: int, seed: int, overwrite: bool = False) -> None:
    """Writes `clips` recordings of one window each. Columns: kind ("simulated"), camera, share of the frames that show
    what the label says, told (a caption). Raises ArchiveError where `path` exists."""
    with ArchiveWriter(
        path,
        labels=LABELS,
        source=SOURCE,
        licence=LICENCE,
        source_layout=NTU25.name,
        dimensions=2,
        overwrite=overwrite,
    ) as writer:
        drawn = _draw(seed)
        for number in track(range(clips), "simulating"):
            sequence, columns = next(drawn)
            writer.append(f"{number:06d}", sequence, FPS, kind="simulated", **columns)


def _draw(seed: int) -> Iterator[tuple[Array, dict[str, Any]]]:
    """Without end: a clip in which an arm can be seen, and what else its row says."""
    places = list(PLACES)
    for batch in itertools.count():
        drawn = draw_sequences(BATCH, seed * 100_000 + batch, SPEC)
        arms = normalise_many(drawn.ntu, SPEC)[1]
        for index in np.flatnonzero(arms >= LEAST_ARMS):
            yield (
                drawn.ntu[index],
                {
                    "label": int(drawn.label[index]),
                    "camera": places[drawn.place[index]],
                    "share": float(drawn.share[index]),
                    "told": drawn.told[index],
                },
            )
