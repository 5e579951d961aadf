"""Clips of an archive, batch by batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.windows import clip_of, whole_clips
from train.evaluation.predictions import BATCH, batches, first_of_samples, mean_of_samples, samples_of, through

SPEC = ClipSpec(frames=8)


def write(path: Path, clips: int, frames: int = 12) -> Archive:
    walk = np.random.default_rng(0).normal(size=(frames + clips, 25, 4)).cumsum(axis=0).astype(np.float32)
    walk[..., 3] = 1
    with ArchiveWriter(path, labels=["x"], source="", licence="", source_layout="ntu25") as writer:
        for index in range(clips):
            writer.append(f"S{index // 3}#{index % 3}", walk[index : index + frames], 10.0, label=0)
    return Archive.open(path)


def test_batches_are_the_windows_in_order(tmp_path: Path) -> None:
    archive = write(tmp_path / "a", 2 * BATCH + 5)
    windows = whole_clips(archive)
    parts = list(batches(archive, windows, SPEC))
    assert [len(part) for part in parts] == [BATCH, BATCH, 5]
    clips = np.concatenate(parts)
    for index in (0, BATCH, 2 * BATCH + 4):
        own = clip_of(archive, index, windows.start_s[index], windows.end_s[index], SPEC).data
        np.testing.assert_array_equal(clips[index], own)
    sums = through(lambda batch: batch.sum(axis=(1, 3)), archive, windows, SPEC, "sums")
    np.testing.assert_allclose(sums, clips.sum(axis=(1, 3)), rtol=1e-6)


def test_what_was_released_is_read_again(tmp_path: Path) -> None:
    archive = write(tmp_path / "a", 3)
    before = archive.frames.copy()
    archive.release()
    np.testing.assert_array_equal(archive.frames, before)


def test_samples(tmp_path: Path) -> None:
    archive = write(tmp_path / "a", 7)
    sample = samples_of(archive, np.array([6, 0, 1, 2, 4]))
    assert sample.tolist() == [0, 1, 1, 1, 2]
    values = np.array([[1.0], [2.0], [3.0], [7.0], [5.0]], np.float32)
    assert mean_of_samples(values, sample)[:, 0].tolist() == [1.0, 4.0, 5.0]
    assert first_of_samples(np.array([9, 8, 7, 6, 5]), sample).tolist() == [9, 8, 5]


def resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@pytest.mark.slow
def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    """150 MB of frames: reading them all may add a small part of that at any time."""
    archive = write(tmp_path / "a", 4000, frames=96)
    windows = whole_clips(archive)
    assert archive.frames.nbytes > 150e6
    before, most = resident_mb(), 0.0
    for _ in batches(archive, windows, SPEC):
        most = max(most, resident_mb())
    assert most - before < 30
