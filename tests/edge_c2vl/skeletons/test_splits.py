"""Which recordings are learnt from and judged on: columns, folds by subject, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.splits import Split, split_columns, subject_folds, windows_in
from edge_c2vl.skeletons.windows import whole_clips, windows_of


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    path = tmp_path_factory.mktemp("splits") / "archive"
    with ArchiveWriter(path, labels=["a"], source="made up", licence="none", source_layout="ntu25") as writer:
        for number in range(12):
            part = ("train", "val", "test", "")[number % 4]
            writer.append(
                f"{number}", np.ones((30, 25, 4)), 10.0, label=number % 2 - 1, subject=f"p{number // 2}", xsub=part
            )
    return Archive.open(path)


def test_a_column(archive: Archive) -> None:
    assert split_columns(archive) == ["xsub"]
    split = Split.of(archive, "xsub")
    assert split.rows("train").tolist() == [0, 4, 8]
    assert split.rows("train", "val").tolist() == [0, 1, 4, 5, 8, 9]
    windows = whole_clips(archive, np.array([1, 2, 4, 8]))
    assert {name: rows.tolist() for name, rows in windows_in(windows, split.parts).items()} == {
        "train": [2, 3],
        "val": [0],
        "test": [1],
    }


def test_no_split_is_all_train(archive: Archive) -> None:
    assert len(Split.of(archive, "").rows("train")) == 12


def test_folds_by_subject_test_everybody_once(archive: Archive) -> None:
    splits = [Split.of(archive, f"subject:{fold}/4") for fold in range(4)]
    assert sorted(np.concatenate([split.rows("test") for split in splits]).tolist()) == list(range(12))
    subjects = archive.clips["subject"].to_numpy()
    for split in splits:
        assert not set(subjects[split.rows("test")]) & set(subjects[split.rows("train")])
    assert splits[0].rows("test").tolist() == [0, 1, 2, 3]


def test_eleven_people_in_six_folds_are_two_at_a_time() -> None:
    people = [f"{number:02d}" for number in range(1, 12)] * 3
    folds = subject_folds(people, 6)
    assert [len(fold) for fold in folds] == [2, 2, 2, 2, 2, 1]
    assert folds[0] == ["01", "02"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("xview", "has xsub; subject:K/N"),
        ("subject:4/4", "numbered 0 to 3"),
        ("subject:0/7", "6 subjects cannot be split into 7"),
        ("subject:0/1", "cannot be split into 1"),
        ("subject", "no recording of .* is in train"),
    ],
)
def test_what_is_not_there_is_told(archive: Archive, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Split.of(archive, name)


def test_windows_or_whole_recordings(archive: Archive, tmp_path: Path) -> None:
    assert len(windows_of(archive)) == 12
    assert len(windows_of(archive, np.array([0]), 1.0, 0.5)) == 4
    assert set(windows_of(archive, labelled=True).label) == {0}
    with pytest.raises(UsageError, match="has a label"):
        windows_of(archive, np.array([0, 2]), labelled=True)
