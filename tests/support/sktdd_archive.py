"""A small archive of sktDD's form."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from tests.support.training import body


def write_sktdd(path: Path) -> Archive:
    """Four drivers, two cameras; a driver raises the hand in the second half of the labelled drive."""
    random = np.random.default_rng(0)
    with ArchiveWriter(
        path,
        labels=["attentive", "distracted"],
        source="made up",
        licence="none",
        source_layout="openpose25",
        dimensions=2,
    ) as writer:
        for driver in "abcd":
            for camera in ("left", "right"):
                place = {"subject": driver, "camera": camera}
                frames = np.concatenate([body(random, 120, False), body(random, 120, True)])
                mask = np.repeat([0, 1], 120)
                writer.append(
                    f"labelled/{driver}-{camera}",
                    frames,
                    10.0,
                    group=driver,
                    frame_labels=mask,
                    kind="labelled",
                    **place,
                )
                writer.append(
                    f"normal/{driver}-{camera}",
                    body(random, 150, False),
                    10.0,
                    label=0,
                    group=f"n{driver}",
                    frame_labels=np.zeros(150, int),
                    kind="normal",
                    **place,
                )
    return Archive.open(path)
