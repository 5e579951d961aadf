"""NTU RGB+D: files written exactly in its format; the clean-up of false bodies; the official splits."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.archive import Archive
from tests.support.datasets.ntu import NAME, skeleton_text, standing, write
from train.datasets import ntu
from train.datasets.prepare import prepare
from train.datasets.source import Options, names_in


def chair(length: int) -> np.ndarray:
    """Wider than tall."""
    body = np.random.default_rng(9).uniform((-0.9, -0.2, 2.8), (0.9, 0.2, 3.2), (25, 3))
    return np.repeat(body[None], length, axis=0).astype(np.float32)


def test_one_person(tmp_path: Path) -> None:
    joints = standing(20)
    (row,) = ntu.read(write(tmp_path, {"7205": (0, joints)}, 20), "xview")
    np.testing.assert_allclose(row.sequence[..., :3], joints * [-1, 1, 1], rtol=1e-5)
    assert (row.sequence[..., 3] == 1).all()
    assert (row.name, row.label, row.subject, row.camera) == (NAME, 49, "P003", "C002")
    assert row.group == "S001P003R001A050"
    assert row.columns == {"setup": 1, "xsub": "test", "xview": "train", "body": 0}


def test_two_people_share_a_group(tmp_path: Path) -> None:
    calm, lively = standing(20, 1, motion=0.1), standing(20, 2, motion=0.4)
    rows = ntu.read(write(tmp_path, {"1": (0, calm), "2": (0, lively)}, 20), "xview")
    assert [row.name for row in rows] == [NAME, f"{NAME}#1"]
    assert [row.columns["body"] for row in rows] == [0, 1]
    assert len({row.group for row in rows}) == 1
    # Who moves most comes first.
    np.testing.assert_allclose(rows[0].sequence[..., 1], lively[..., 1], rtol=1e-5)


def test_a_chair_and_a_flicker_are_no_people(tmp_path: Path) -> None:
    tracks = {"1": (0, chair(20)), "2": (0, standing(20)), "3": (4, standing(11, 3, motion=2))}
    (row,) = ntu.read(write(tmp_path, tracks, 20), "xview")
    np.testing.assert_allclose(row.sequence[..., 1], standing(20)[..., 1], rtol=1e-5)


def test_noise_is_kept_where_there_is_nothing_else(tmp_path: Path) -> None:
    assert len(ntu.read(write(tmp_path, {"1": (0, chair(20))}, 20), "xview")) == 1
    (row,) = ntu.read(write(tmp_path, {"1": (0, standing(3)), "2": (3, standing(8))}, 20), "xview")
    assert len(row.sequence) == 8


def test_a_person_who_gets_a_new_id_is_one_person(tmp_path: Path) -> None:
    first, again, other = standing(15, 1, 0.5), standing(15, 2, 0.3), standing(20, 3, 0.1)
    tracks = {"1": (0, first), "2": (20, again), "3": (5, other)}
    rows = ntu.read(write(tmp_path, tracks, 40), "xview")
    assert len(rows) == 2
    assert len(rows[0].sequence) == 35  # frames 35 to 39 show nobody
    seen = rows[0].sequence[:, 0, 3] > 0
    assert seen.tolist() == [True] * 15 + [False] * 5 + [True] * 15
    np.testing.assert_allclose(rows[0].sequence[20:, :, 1], again[..., 1], rtol=1e-5)


def test_tracking_state_is_confidence(tmp_path: Path) -> None:
    lines = skeleton_text([{"1": joint} for joint in standing(12)]).splitlines()
    lines[4] = lines[4][:-1] + "1"  # first joint of the first frame: inferred
    lines[9] = lines[9][:-1] + "0"  # left elbow: not tracked, and derived from nothing
    path = tmp_path / f"{NAME}.skeleton"
    path.write_text("\n".join(lines))
    (row,) = ntu.read(path, "xview")
    assert row.sequence[0, [0, 5, 6], 3].tolist() == [0.5, 0, 1]
    assert row.sequence[0, 5].tolist() == [0, 0, 0, 0]


def test_empty_frames_at_both_ends_are_cut(tmp_path: Path) -> None:
    (row,) = ntu.read(write(tmp_path, {"1": (5, standing(20))}, 40), "xview")
    assert len(row.sequence) == 20


def test_not_a_number_is_missing(tmp_path: Path) -> None:
    joints = standing(12)
    joints[3, 4, 1] = np.nan
    joints[3, 5, 0] = 1e30
    (row,) = ntu.read(write(tmp_path, {"1": (0, joints)}, 12), "xview")
    assert row.sequence[3, 4].tolist() == row.sequence[3, 5].tolist() == [0, 0, 0, 0]
    assert np.isfinite(row.sequence).all()


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: "",
        lambda text: "x\n" + text,
        lambda text: text.replace("\n25\n", "\n20\n", 1),
        lambda text: text[: len(text) // 2],
        lambda text: text.rsplit("\n", 2)[0],
        lambda text: "999999999999\n" + text.split("\n", 1)[1],
        lambda text: "20" + text[2:].replace(" 2\n", " 7\n", 3),
        lambda text: text.replace("277.41", "many", 1).replace("-0.21", "", 1).replace(" 0.07", "", 1),
        lambda text: text.replace("\n1\n", "\n-1\n", 1),
        lambda text: "0\n",
        lambda text: "3\n0\n0\n0\n",
        lambda text: "-3\n",
        lambda text: text + "\udcff",
    ],
)
def test_broken_files_are_refused(tmp_path: Path, edit) -> None:
    path = write(tmp_path, {"1": (0, standing(20))}, 20)
    path.write_bytes(edit(path.read_text()).encode("utf-8", "surrogateescape"))
    with pytest.raises(DatasetError, match=NAME):
        ntu.read(path, "xview")


@settings(max_examples=80)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.sampled_from(["0", "1", "2", "25", "-1", "nan", "x", "1e99", "3.5", "9" * 20]), max_size=60).map(
            lambda words: "\n".join(words).encode()
        ),
    )
)
def test_junk_is_refused_not_crashed_on(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / f"{NAME}.skeleton"
    path.write_bytes(junk)
    with contextlib.suppress(DatasetError):
        ntu.read_tracks(path)


def test_splits_are_the_official_ones() -> None:
    assert ntu.splits("S001C001P001R001A001") == {"xsub": "train", "xview": "test", "xset": "test"}
    assert ntu.splits("S018C003P103R002A120") == {"xsub": "train", "xview": "train", "xset": "train"}
    assert ntu.splits("S032C002P106R001A099") == {"xsub": "test", "xview": "train", "xset": "train"}
    assert len(ntu.TRAIN_SUBJECTS) == 53
    assert len([subject for subject in ntu.TRAIN_SUBJECTS if subject <= 40]) == 20


def test_the_list_of_missing_skeletons() -> None:
    names = names_in(ntu.MISSING, ntu.NAME)
    assert len(names) == 535
    assert len([name for name in names if name < "S018"]) == 302
    assert {"S001C002P005R002A008", "S017C003P020R001A059", "S032C003P067R002A077"} <= names


def test_prepare(tmp_path: Path) -> None:
    folder = tmp_path / "nturgb+d_skeletons"
    folder.mkdir()
    for name in ("S001C001P001R001A001", "S001C002P005R002A008", "S017C003P009R002A060", "S018C001P008R001A061"):
        write(folder, {"1": (0, standing(12)), "2": (0, standing(12, 5))}, 12, name)
    (folder / "S002C001P003R001A005.skeleton").write_text("0\n")
    report = prepare("ntu60", tmp_path, tmp_path / "a60")
    assert (report.clips, len(report.nobody), report.left_out) == (4, 1, 1)
    assert report.skipped == []
    clips = Archive.open(tmp_path / "a60").clips
    assert clips["name"].tolist() == [
        "S001C001P001R001A001",
        "S001C001P001R001A001#1",
        "S017C003P009R002A060",
        "S017C003P009R002A060#1",
    ]
    assert clips["xview"].tolist() == ["test", "test", "train", "train"]
    assert len(Archive.open(tmp_path / "a60").labels) == 60
    prepare("ntu120", tmp_path, tmp_path / "a120")
    archive = Archive.open(tmp_path / "a120")
    assert len(archive) == 6
    assert archive.clips["xset"].tolist() == ["test"] * 4 + ["train"] * 2
    assert archive.labels[119] == "rock-paper-scissors"


def test_a_list_of_the_users_own(tmp_path: Path) -> None:
    write(tmp_path, {"1": (0, standing(12))}, 12)
    write(tmp_path, {"1": (0, standing(12))}, 12, "S001C002P005R002A008")
    (tmp_path / "mine.txt").write_text(f"please leave out\n\n{NAME}.skeleton\n")
    prepare("ntu60", tmp_path, tmp_path / "a", options=Options(missing=tmp_path / "mine.txt"))
    assert Archive.open(tmp_path / "a").clips["name"].tolist() == ["S001C002P005R002A008"]
    with pytest.raises(DatasetError, match=r"none\.txt"):
        prepare("ntu60", tmp_path, tmp_path / "b", options=Options(missing=tmp_path / "none.txt"))


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected files like S001"):
        prepare("ntu120", tmp_path, tmp_path / "a")
