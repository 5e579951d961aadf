"""PKU-MMD: recordings and labels of both parts, AimCLR's clips, the splits."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.archive import Archive
from tests.support.datasets.pku_mmd import frames, write, write_clip
from train.datasets import pku_mmd
from train.datasets.prepare import prepare
from train.datasets.source import Options


def test_recordings_are_cut_by_their_labels(tmp_path: Path) -> None:
    values = frames(30)
    values[10:, 1] = 0
    write(tmp_path, "0002-M", values, "44,1,10,2\n7,15,30,2\n")
    prepare("pku-mmd", tmp_path, tmp_path / "a", strict=True)
    archive = Archive.open(tmp_path / "a")
    clips = archive.clips
    assert clips["name"].tolist() == ["F002V002C044L001", "F002V002C044L001#1", "F002V002C007L002"]
    assert clips["length"].tolist() == [10, 10, 16]
    assert clips["label"].tolist() == [43, 43, 6]
    assert clips["body"].tolist() == [0, 1, 0]
    assert clips["group"].tolist() == ["0002C044L001", "0002C044L001", "0002C007L002"]
    assert clips["camera"].tolist() == ["M"] * 3
    # Frames count from 1, the last one included; x is negated.
    np.testing.assert_allclose(archive.sequence(2)[..., :3], values[14:30, 0] * [-1, 1, 1], rtol=1e-6)
    assert archive.labels[43] == "headache"
    assert archive.labels[6] == "cross hands in front"


def test_both_parts_and_the_splits_by_rule(tmp_path: Path) -> None:
    for video in ("0290-L", "0291-R", "A01N02-R", "A26N13-L"):
        write(tmp_path, video, frames(5, bodies=1), "1,1,5,1\n")
    prepare("pku-mmd", tmp_path, tmp_path / "a", strict=True)
    clips = Archive.open(tmp_path / "a").clips.set_index("name")
    columns = clips[["part", "subject", "xsub", "xview"]]
    assert {name: tuple(row) for name, *row in columns.itertuples()} == {
        "F290V001C001L001": (1, "", "train", "test"),
        "F291V003C001L001": (1, "", "test", "train"),
        "A001N002V003C001L001": (2, "N02", "test", "train"),
        "A026N013V001C001L001": (2, "N13", "train", "test"),
    }


def test_official_split_files_come_first(tmp_path: Path) -> None:
    for video in ("0002-L", "0003-L"):
        write(tmp_path, video, frames(5, bodies=1), "1,1,5,1\n")
    split = "Training videos: \n0003-L, 0004-M\n\nValidataion videos: \n0002-L\n"
    (tmp_path / "cross-subject.txt").write_text(split)
    prepare("pku-mmd", tmp_path, tmp_path / "a")
    clips = Archive.open(tmp_path / "a").clips
    assert clips["xsub"].tolist() == ["test", "train"]
    assert clips["xview"].tolist() == ["test", "test"]
    (tmp_path / "cross-subject.txt").write_text("Training videos:\nall of them\n")
    with pytest.raises(DatasetError, match="is no split file"):
        prepare("pku-mmd", tmp_path, tmp_path / "b")


def test_aimclrs_clips_are_the_same_as_ours(tmp_path: Path) -> None:
    values = frames(12)
    values[5:, 1] = 0
    write(tmp_path / "raw", "A03N04-R", values, "12,3,12\n")
    (tmp_path / "cut").mkdir()
    write_clip(tmp_path / "cut" / "A003N004V003C012L001.skeleton", values[2:12])
    prepare("pku-mmd", tmp_path / "raw", tmp_path / "a", strict=True)
    prepare("pku-mmd", tmp_path / "cut", tmp_path / "b", strict=True)
    ours, theirs = Archive.open(tmp_path / "a"), Archive.open(tmp_path / "b")
    assert ours.clips.equals(theirs.clips)
    np.testing.assert_array_equal(ours.frames, theirs.frames)
    # The second body left in frame 5: missing from then on.
    assert (ours.sequence(1)[:, 0, 3] > 0).tolist() == [True] * 3 + [False] * 7


@pytest.mark.parametrize(
    "labels",
    ["", "x", "1,2", "52,1,5,2", "0,1,5,2", "1,5,1,2", "1,900,999,2", "nan,1,5,2"],
    ids=["empty", "text", "short", "class 52", "class 0", "backwards", "beyond", "nan"],
)
def test_broken_labels_are_skipped(tmp_path: Path, labels: str) -> None:
    write(tmp_path, "0002-L", frames(9), labels)
    write(tmp_path, "0003-L", frames(9), "1,1,9,2\n")
    report = prepare("pku-mmd", tmp_path, tmp_path / "a")
    assert len(report.skipped) == 1
    assert {name[:4] for name in Archive.open(tmp_path / "a").clips["name"]} == {"F003"}


def test_broken_skeletons_are_skipped(tmp_path: Path) -> None:
    write(tmp_path, "0002-L", frames(9)[..., :2], "1,1,5,2\n")
    write(tmp_path, "0003-L", frames(9), "1,1,9,2\n")
    write(tmp_path, "0004-L", frames(9), "1,1,9,2\n")
    (tmp_path / "Label/0004-L.txt").unlink()
    write(tmp_path, "0005-L", frames(9), "1,1,9,2\n")
    (tmp_path / "Data/0005-L.txt").unlink()
    report = prepare("pku-mmd", tmp_path, tmp_path / "a")
    assert [reason.split()[-1] for reason in report.skipped] == ["150", "name", "name"]
    assert len(Archive.open(tmp_path / "a")) == 2


def test_a_clip_without_anybody_costs_the_others_nothing(tmp_path: Path) -> None:
    values = frames(9, bodies=1)
    values[:4] = 0
    write(tmp_path, "0002-L", values, "1,1,4,2\n2,5,9,2\n")
    prepare("pku-mmd", tmp_path, tmp_path / "a", strict=True)
    assert Archive.open(tmp_path / "a").clips["name"].tolist() == ["F002V001C002L002"]


def test_samples_to_leave_out(tmp_path: Path) -> None:
    write(tmp_path, "0002-L", frames(9, bodies=1), "1,1,4,2\n2,5,9,2\n")
    (tmp_path / "out.txt").write_text("F002V001C002L002\n")
    prepare("pku-mmd", tmp_path, tmp_path / "a", options=Options(missing=tmp_path / "out.txt"))
    assert Archive.open(tmp_path / "a").clips["name"].tolist() == ["F002V001C001L001"]


@settings(max_examples=80)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(["0", "1", "2", "25", "-1", "nan", "x", "1e99", "3,4,5", "9e18,1,1"]), max_size=40
        ).map(lambda words: "\n".join(words).encode()),
    )
)
def test_junk_is_refused_not_crashed_on(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "junk").write_bytes(junk)
    for read in (pku_mmd.read_clip, pku_mmd.read_labels, pku_mmd.read_frames):
        with contextlib.suppress(DatasetError):
            read(tmp_path / "junk")


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"Skeleton\.7z"):
        prepare("pku-mmd", tmp_path, tmp_path / "a")
