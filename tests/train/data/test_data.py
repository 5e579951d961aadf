"""Windows, clips on disk and batches: the same clips as the vehicle makes, in an order that a resumed run repeats."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import psutil
import pytest

from edge_c2vl.errors import ArchiveError, UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.clip import ClipBuffer, ClipSpec, make_clip
from edge_c2vl.skeletons.skeleton import NTU25, to_ntu25
from edge_c2vl.skeletons.windows import clip_of, sliding, whole_clips
from train.data.clips import ClipStore, Loader, in_order, sample_clips

SPEC = ClipSpec(frames=16, seconds=1.0, dimensions=3)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Three recordings: with frame labels, with uneven timestamps and gaps, and a single frame."""
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "archive"

    def moving(frames: int) -> np.ndarray:
        sequence = np.cumsum(random.normal(0, 0.05, (frames, 25, 4)), axis=0) + random.normal(0, 1, (1, 25, 4))
        sequence[..., 3] = random.random((frames, 25)) > 0.2
        sequence[sequence[..., 3] == 0] = 0
        return to_ntu25(sequence, "ntu25")  # as every data set's reader and the vehicle do

    with ArchiveWriter(path, labels=["a", "b"], source="made up", licence="none", source_layout="ntu25") as writer:
        labels = np.repeat([0, 1, -1], [25, 15, 20])
        writer.append("labelled", moving(60), 20.0, frame_labels=labels)
        stamps = np.cumsum(random.uniform(0.02, 0.12, 80)) + 5
        writer.append("uneven", moving(80), 15.0, label=1, timestamps=stamps)
        writer.append("single", moving(1), 30.0, label=0)
    return Archive.open(path)


def test_windows_end_at_frames_and_carry_the_label_of_most_of_their_frames(archive: Archive) -> None:
    windows = sliding(archive, np.array([0]), seconds=1.0, hop_s=0.5)
    np.testing.assert_allclose(windows.end_s, [1.0, 1.5, 2.0, 2.5])
    np.testing.assert_allclose(windows.end_s - windows.start_s, 1.0)
    # Frames 0-20, 10-30, 20-40, 30-50; labels change at 25 and 40, and unlabelled frames do not vote.
    assert windows.label.tolist() == [0, 0, 1, 1]
    uneven = sliding(archive, np.array([1]), seconds=1.0, hop_s=0.5)
    assert np.isin(uneven.end_s, archive.timestamps(1)).all()
    assert (uneven.label == 1).all()
    assert len(sliding(archive, np.array([2]), 1.0, 0.5)) == 0
    whole = whole_clips(archive)
    assert whole.label.tolist() == [-1, 1, 0]
    np.testing.assert_allclose(whole.end_s[2], whole.start_s[2])


def test_clips_are_those_of_the_live_window(archive: Archive) -> None:
    """Frame by frame through the vehicle's Window, and cut from the archive: the same clips, bit for bit."""
    for row in (0, 1):
        windows = sliding(archive, np.array([row]), SPEC.seconds, 0.1)
        expected = dict.fromkeys(windows.end_s.tolist())
        live = ClipBuffer(SPEC, "ntu25")
        for stamp, frame in zip(archive.timestamps(row), archive.sequence(row), strict=True):
            live.add(float(stamp), frame)
            if float(stamp) in expected:
                expected[float(stamp)] = live.clip()
        for start_s, end_s in zip(windows.start_s, windows.end_s, strict=True):
            clip, wanted = clip_of(archive, row, start_s, end_s, SPEC), expected[end_s]
            np.testing.assert_array_equal(clip.data, wanted.data)
            assert (clip.arms, clip.confidence) == (wanted.arms, wanted.confidence)


def test_store_holds_what_make_clip_gives_and_is_made_once(archive: Archive, tmp_path: Path) -> None:
    windows = whole_clips(archive)
    store = ClipStore.open(archive, windows, SPEC, tmp_path)
    for row in range(len(windows)):
        stamps = archive.timestamps(row)
        spec = ClipSpec(frames=16, seconds=stamps[-1] - stamps[0], dimensions=3)
        clip = make_clip(archive.sequence(row), stamps, stamps[-1], spec)
        np.testing.assert_array_equal(store.read(np.array([row]))[0], clip.data)
        assert store.arms[row] == np.float32(clip.arms)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    assert ClipStore.open(archive, windows, SPEC, tmp_path).folder == store.folder
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    other = ClipStore.open(archive, windows, ClipSpec(frames=8), tmp_path)
    assert other.folder != store.folder
    (store.folder / "clips.npy").write_bytes((other.folder / "clips.npy").read_bytes())
    with pytest.raises(ArchiveError, match="remove that folder"):
        ClipStore.open(archive, windows, SPEC, tmp_path)
    with pytest.raises(UsageError, match="no window"):
        ClipStore.open(archive, windows[np.zeros(3, bool)], SPEC, tmp_path)


def test_epochs_are_shuffled_complete_repeatable_and_resumable(archive: Archive, tmp_path: Path) -> None:
    windows = sliding(archive, np.array([0, 1]), 1.0, 0.1)
    store = ClipStore.open(archive, windows, SPEC, tmp_path)
    rows = np.arange(1, len(store))
    loader = Loader(store, rows, 4, seed=3)
    batches = list(loader.batches(0))
    assert len(batches) == len(loader) == len(rows) // 4
    seen = np.concatenate([batch.index.numpy() for batch in batches])
    assert len(set(seen.tolist())) == len(seen)
    assert set(seen.tolist()) <= set(rows.tolist())
    assert loader.order(0).tolist() == Loader(store, rows, 4, seed=3).order(0).tolist()
    assert loader.order(0).tolist() != loader.order(1).tolist()
    again = list(loader.batches(0, first=2))
    assert [b.index.tolist() for b in again] == [b.index.tolist() for b in batches[2:]]
    for batch in batches:
        np.testing.assert_array_equal(batch.clip.numpy(), store.read(batch.index.numpy()))
        np.testing.assert_array_equal(batch.label.numpy(), windows.label[batch.index.numpy()])
    assert [len(b.label) for b in in_order(store, rows, 10)][:2] == [10, 10]
    with pytest.raises(UsageError, match="--batch-size"):
        Loader(store, rows, 1000)


def test_several_processes_share_an_epoch(archive: Archive, tmp_path: Path) -> None:
    windows = sliding(archive, np.array([0, 1]), 1.0, 0.1)
    store = ClipStore.open(archive, windows, SPEC, tmp_path)
    rows = np.arange(len(store))
    shares = [Loader(store, rows, 4, rank=rank, processes=2).order(0) for rank in range(2)]
    assert sorted(np.concatenate(shares).tolist()) == rows.tolist()


def test_weights_balance_classes(archive: Archive, tmp_path: Path) -> None:
    windows = sliding(archive, np.array([0, 1]), 1.0, 0.05)
    windows = windows[windows.label >= 0]
    store = ClipStore.open(archive, windows, SPEC, tmp_path)
    rows = np.arange(len(store))
    weights = 1 / np.bincount(windows.label)[windows.label]
    drawn = Loader(store, rows, 8, weights=weights, per_epoch=4000).order(0)
    assert windows.label[drawn].mean() == pytest.approx(0.5, abs=0.03)


def test_an_epoch_has_one_row_of_each_group(archive: Archive, tmp_path: Path) -> None:
    store = ClipStore.open(archive, sliding(archive, np.array([0, 1]), 1.0, 0.1)[:12], SPEC, tmp_path)
    rows = np.arange(12)
    groups = np.repeat([5, 7, 9, 11], 3)
    loader = Loader(store, rows, 2, seed=1, groups=groups)
    assert len(loader) == 2
    orders = [loader.order(epoch) for epoch in range(60)]
    assert all(sorted(groups[order]) == [5, 7, 9, 11] for order in orders)
    assert np.bincount(np.concatenate(orders), minlength=12).min() > 8  # every row comes up, and at every place
    assert len({int(groups[order[0]]) for order in orders}) == 4
    shares = [Loader(store, rows, 2, seed=1, groups=groups, rank=rank, processes=2).order(0) for rank in range(2)]
    assert sorted(groups[np.concatenate(shares)]) == [5, 7, 9, 11]


def test_sampled_clips_fit_the_network(archive: Archive) -> None:
    clips = sample_clips(archive, SPEC, 2)
    assert clips.shape == (2, 3, 16, NTU25.size)
    assert len(sample_clips(archive, SPEC, 100)) == 3
    np.testing.assert_array_equal(clips, sample_clips(archive, SPEC, 2))


@pytest.mark.slow
def test_100000_clips_are_read_at_constant_memory(tmp_path: Path) -> None:
    """What the process holds after an epoch over 1.9 GB of clips is what it held after a thousand of them."""
    with ArchiveWriter(
        tmp_path / "archive", labels=["a"], source="made up", licence="none", source_layout="ntu25"
    ) as writer:
        writer.append("one", np.ones((100, 25, 4), np.float32), 30.0)
    archive = Archive.open(tmp_path / "archive")
    many = whole_clips(archive)[np.zeros(100_000, int)]
    spec = ClipSpec(frames=64)
    few = ClipStore.open(archive, many[:2], spec, tmp_path / "cache")
    clips = np.lib.format.open_memmap(
        few.folder / "clips.npy", mode="w+", dtype=np.float32, shape=(100_000, *few.shape)
    )
    del clips
    np.save(few.folder / "arms.npy", np.zeros(100_000, np.float32))
    store = ClipStore(few.folder, many, spec)
    loader = Loader(store, np.arange(100_000), 128)
    process, sizes = psutil.Process(os.getpid()), []
    for step, _ in enumerate(loader.batches(0)):
        if step % 100 == 8:
            sizes.append(process.memory_info().rss / 1e6)
    assert max(sizes) - sizes[0] < 20, sizes
