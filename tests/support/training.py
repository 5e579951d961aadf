"""Bodies, a small archive and its captions to train on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_c2vl.skeletons.archive import ArchiveWriter
from edge_c2vl.skeletons.skeleton import NTU25
from train.knowledge.bank import write_bank

CLIPS = 36  # of `write_movements`


def body(random: np.random.Generator, frames: int, raised: bool) -> np.ndarray:
    """A plausible sitting driver in pixels; `raised`: the right hand is at the ear."""
    place = {
        "spine_shoulder": (0, 0), "neck": (0, 10), "head": (0, 30), "spine_base": (0, -60), "spine_mid": (0, -30),
        "left_shoulder": (-25, -3), "right_shoulder": (25, -3), "left_elbow": (-35, -30), "right_elbow": (35, -30),
        "left_wrist": (-20, -40), "right_wrist": (12, 28) if raised else (20, -40),
    }  # fmt: skip
    sequence = np.zeros((frames, 25, 4), np.float32)
    for joint, point in place.items():
        sequence[:, NTU25.index(joint), :2] = point
        sequence[:, NTU25.index(joint), 3] = 1
    sequence[..., :2] += random.normal(0, 1.0, (frames, 25, 2)) + random.normal(0, 3.0, (1, 25, 2)) + (300, -200)
    sequence[sequence[..., 3] == 0] = 0
    return sequence


def write_movements(path: Path, clips: int = CLIPS) -> Path:
    """An archive of three movements by six people before two cameras; the last third of the clips is test."""
    random = np.random.default_rng(0)
    with ArchiveWriter(
        path, labels=["up", "out", "fore"], source="made up", licence="none", source_layout="ntu25", dimensions=3
    ) as writer:
        body = random.normal(size=(25, 3))
        for number in range(clips):
            frames = np.ones((20, 25, 4), np.float32)
            frames[..., :3] = body + random.normal(0, 0.05, (1, 25, 3)) + random.normal(0, 0.02, (20, 25, 3))
            frames[:, 5:8, number % 3] += np.linspace(0, 3, 20)[:, None]
            writer.append(
                f"clip{number}", frames, fps=10, label=number % 3, subject=f"s{number % 6}",
                camera=f"v{number // 3 % 2}", fold="train" if number < clips * 2 // 3 else "test",
            )  # fmt: skip
    return path


def make_bank(path: Path, kind: str = "language", crops: bool = True, size: int = 5, skip: int = 0) -> Path:
    """Two captions a window, alike within a movement; of each clip the whole and its second half."""
    random = np.random.default_rng(1)
    concepts = random.normal(size=(3, size))
    names, spans, embeddings = [], [], []
    for number in range(skip, CLIPS):
        for span in [(0, 1.9), (0.9, 1.9)][: 1 + crops]:
            names.append(f"clip{number}")
            spans.append(span)
            embeddings.append(concepts[number % 3] + 0.1 * random.normal(size=(2, size)))
    said = [["a caption", "another"]] * len(names)
    write_bank(path, names, spans, np.array(embeddings), said, kind=kind, encoder="none", source="test")
    return path
