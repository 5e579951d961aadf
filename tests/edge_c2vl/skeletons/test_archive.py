"""The skeleton archive: what is written comes back; what is damaged is refused; nothing half-written is left."""

from __future__ import annotations

import json
import mmap
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from edge_c2vl.errors import ArchiveError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from tests.support.disk import files_of_at_most

META = {"labels": ["sit", "drive"], "source": "made up", "licence": "none", "source_layout": "kinect20"}


def sequence(length: int, seed: int = 0) -> np.ndarray:
    result = np.random.default_rng(seed).normal(size=(length, 25, 4)).astype(np.float32)
    result[..., 3] = 1
    return result


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "a"
    with ArchiveWriter(path, dimensions=2, **META) as writer:
        writer.append("one", sequence(5, 1), 30, 0, "s1", "front", "g1", xsub="train")
        writer.append("two", sequence(3, 2), 15, timestamps=[0, 0.5, 2], frame_labels=[0, 1, -1], xsub="test", body=1)
        writer.append("three", sequence(1, 3), 30, 1, xsub="val")
    return path


def test_round_trip(archive: Path) -> None:
    opened = Archive.open(archive)
    assert len(opened) == 3
    assert opened.labels == ["sit", "drive"]
    assert opened.meta["dimensions"] == 2
    assert opened.meta["layout"] == "ntu25"
    assert opened.frames.shape == (9, 25, 4)
    for index, (length, seed) in enumerate(((5, 1), (3, 2), (1, 3))):
        np.testing.assert_array_equal(opened.sequence(index), sequence(length, seed))
    assert opened.clips["name"].tolist() == ["one", "two", "three"]
    assert opened.clips["label"].tolist() == [0, -1, 1]
    assert opened.clips["xsub"].tolist() == ["train", "test", "val"]
    np.testing.assert_allclose(opened.timestamps(0), np.arange(5) / 30)
    np.testing.assert_allclose(opened.timestamps(1), [0, 0.5, 2])
    assert opened.frame_labels(1).tolist() == [0, 1, -1]
    assert opened.frame_labels(0).tolist() == [-1] * 5
    # The columns of a few clips only: empty words for the others.
    assert opened.clips["body"].tolist()[0] == ""


def test_frames_are_mapped_and_read_only(archive: Path) -> None:
    view = Archive.open(archive).sequence(0)
    base = view
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base, mmap.mmap)
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0, 0] = 1


def test_optional_files_are_there_only_when_used(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "a", **META) as writer:
        writer.append("x", sequence(2), 30)
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["clips.parquet", "frames.npy", "meta.json"]
    opened = Archive.open(tmp_path / "a")
    assert opened.frame_labels(0) is None
    np.testing.assert_allclose(opened.timestamps(0), [0, 1 / 30])


def test_pickling_sends_the_path(archive: Path) -> None:
    data = pickle.dumps(Archive.open(archive))
    assert len(data) < 500
    np.testing.assert_array_equal(pickle.loads(data).sequence(1), sequence(3, 2))


def test_not_finite_joints_become_missing(tmp_path: Path) -> None:
    broken = sequence(2)
    broken[0, 3, 1] = np.nan
    with ArchiveWriter(tmp_path / "a", **META) as writer:
        writer.append("x", broken, 30)
    assert Archive.open(tmp_path / "a").sequence(0)[0, 3].tolist() == [0, 0, 0, 0]


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with ArchiveWriter(tmp_path / "a", **META) as writer:
            writer.append("x", sequence(2), 30)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    def fill(writer: ArchiveWriter) -> None:
        # In small pieces, so that some wait in memory when the disk refuses them, and once more at the end.
        with writer:
            for number in range(100):
                writer.append(f"clip{number}", np.ones((2, 25, 4)), 30.0, label=0)

    writer = ArchiveWriter(
        tmp_path / "archive", labels=["a"], source="made", licence="none", source_layout="ntu25", dimensions=3
    )
    with files_of_at_most(10_000), pytest.raises(OSError, match="too large"):
        fill(writer)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no clip"), ArchiveWriter(tmp_path / "a", **META):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_kept_unless_told(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="exists already: give --overwrite"):
        ArchiveWriter(archive, **META)
    (tmp_path / "mine").mkdir()
    with pytest.raises(ArchiveError, match="exists already, and holds something else: remove it"):
        ArchiveWriter(tmp_path / "mine", overwrite=True, **META)
    with ArchiveWriter(archive, overwrite=True, **META) as writer:
        writer.append("new", sequence(2), 30)
        assert len(Archive.open(archive)) == 3
    assert len(Archive.open(archive)) == 1
    assert [p.name for p in archive.parent.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sequence": np.zeros((0, 25, 4))}, "ntu25"),
        ({"sequence": np.zeros((4, 20, 4))}, "ntu25"),
        ({"label": 2}, "label 2"),
        ({"label": -2}, "label -2"),
        ({"fps": 0}, "frames a second"),
        ({"fps": float("inf")}, "frames a second"),
        ({"fps": float("nan")}, "frames a second"),
        ({"timestamps": [0, 1]}, "timestamps"),
        ({"timestamps": [0, 1, 1, 2]}, "do not rise"),
        ({"timestamps": [0, 1, float("nan"), 2]}, "no numbers"),
        ({"frame_labels": [0, 0, 0, 2]}, "frame label"),
        ({"frame_labels": [0]}, "frame labels"),
    ],
)
def test_a_wrong_clip_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    with ArchiveWriter(tmp_path / "a", **META) as writer:
        writer.append("good", sequence(4), 30)
        with pytest.raises(ValueError, match=message):
            writer.append(**({"name": "x", "sequence": sequence(4), "fps": 30} | change))
        with pytest.raises(ValueError, match="named good"):
            writer.append("good", sequence(4), 30)
    assert len(Archive.open(tmp_path / "a")) == 1


def _write_meta(path: Path, **change: object) -> None:
    meta = json.loads((path / "meta.json").read_text())
    (path / "meta.json").write_text(json.dumps(meta | change))


def _write_clips(path: Path, rows: int = 0, **change: object) -> None:
    """The table with other values in a column; of so many equal rows, which take hardly any bytes."""
    clips = pd.read_parquet(path / "clips.parquet")
    clips = clips.iloc[np.zeros(rows, int)] if rows else clips
    clips.assign(**change).to_parquet(path / "clips.parquet", index=False)


def _header(path: Path, shape: tuple[int, ...]) -> None:
    with path.open("r+b") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: (p / "meta.json").unlink(), "not a skeleton archive"),
        (lambda p: (p / "meta.json").write_text("{"), "meta.json cannot be read"),
        (lambda p: (p / "meta.json").write_text("[]"), "no format version"),
        (lambda p: _write_meta(p, format_version=2), "upgrade"),
        (lambda p: _write_meta(p, layout="openpose25"), "openpose25"),
        (lambda p: (p / "frames.npy").unlink(), "frames.npy cannot be read"),
        (lambda p: (p / "frames.npy").write_bytes((p / "frames.npy").read_bytes()[:-400]), "frames.npy cannot be read"),
        (lambda p: np.save(p / "frames.npy", np.zeros((8, 25, 4), np.float32)), "does not have"),
        (lambda p: np.save(p / "frames.npy", np.zeros((9, 25, 4))), "float64"),
        (lambda p: np.save(p / "frames.npy", np.array([{}], object), allow_pickle=True), "cannot be read"),
        (lambda p: np.save(p / "timestamps.npy", np.zeros(3)), "timestamps.npy holds"),
        (lambda p: (p / "clips.parquet").write_text("no parquet"), "clips.parquet cannot be read"),
        (lambda p: (p / "clips.parquet").unlink(), "clips.parquet cannot be read"),
        (lambda p: (p / "meta.json").write_text("[" * 100_000), "nested too deeply"),
        (lambda p: _write_meta(p, labels=3), "another kind"),
        (lambda p: _write_meta(p, labels=[1]), "another kind"),
        (lambda p: _write_meta(p, labels={"a": 1}), "another kind"),
        (lambda p: _write_meta(p, labels=[]), "not among the 0"),
        (lambda p: _write_meta(p, dimensions="3"), "another kind"),
        (lambda p: _write_meta(p, dimensions=[]), "another kind"),
        (lambda p: _write_meta(p, source=None), "another kind"),
        (lambda p: _write_meta(p, licences="none"), "another kind"),
        (lambda p: _write_meta(p, format_version=10**400), "upgrade"),
        (lambda p: _write_clips(p, fps=0.0), "frames a second"),
        (lambda p: _write_clips(p, fps=np.nan), "frames a second"),
        (lambda p: _write_clips(p, fps=-30.0), "frames a second"),
        (lambda p: _write_clips(p, fps=np.inf), "frames a second"),
        (lambda p: _write_clips(p, fps="30"), "frames a second"),
        (lambda p: _write_clips(p, label=99), "label"),
        (lambda p: _write_clips(p, label=-2), "label"),
        (lambda p: _write_clips(p, label=0.5), "whole numbers"),
        (lambda p: _write_clips(p, label=None), "whole numbers"),
        (lambda p: _write_clips(p, start=2**62), "does not have"),
        (lambda p: _write_clips(p, length=2**63 - 1), "does not have"),
        (lambda p: _write_clips(p, start=b"x"), "whole numbers"),
        (lambda p: _write_clips(p, name="x"), "two clips are named x"),
        (lambda p: _write_clips(p, name=7), "words"),
        (lambda p: _write_clips(p, subject=None), "words"),
        (lambda p: _write_clips(p, 1_000_000, name="x"), "clips of 9 frames"),
        (lambda p: _header(p / "frames.npy", (10**15, 25, 4)), "frames.npy cannot be read"),
        (lambda p: _header(p / "frames.npy", (2**63, 25, 4)), "frames.npy cannot be read"),
        (lambda p: np.save(p / "timestamps.npy", np.zeros(9)), "do not rise"),
        (lambda p: np.save(p / "timestamps.npy", np.full(9, np.nan)), "no numbers"),
        (lambda p: np.save(p / "frame_labels.npy", np.full(9, 9, np.int16)), "not among"),
    ],
)
def test_a_damaged_archive_is_refused_in_one_line(archive: Path, damage, message: str) -> None:
    damage(archive)
    with pytest.raises(ArchiveError, match=message) as caught:
        Archive.open(archive)
    assert "\n" not in str(caught.value)


def test_numbers_that_are_not_finite_are_told_with_their_clip(archive: Path) -> None:
    frames = np.load(archive / "frames.npy")
    frames[-1, 3, 1] = np.nan
    np.save(archive / "frames.npy", frames)
    opened = Archive.open(archive)
    assert len(opened.sequence(0))
    for _ in range(2):
        with pytest.raises(ArchiveError, match="not finite"):
            opened.sequence(len(opened) - 1)


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="does not exist"):
        Archive.open(tmp_path / "none")


@pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_many_thousand_clips(tmp_path: Path, count: int) -> None:
    frame = sequence(1)
    with ArchiveWriter(tmp_path / "a", **META) as writer:
        for index in range(count):
            writer.append(f"clip{index}", frame, 30, index % 2)
    opened = Archive.open(tmp_path / "a")
    assert opened.sequence(count - 1).shape == (1, 25, 4)
    assert len(opened) == count
