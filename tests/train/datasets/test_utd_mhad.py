"""UTD-MHAD: MATLAB files as its authors write them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import NTU25
from tests.support.datasets.utd_mhad import ORDER, write
from train.datasets.prepare import prepare
from train.datasets.utd_mhad import read


@pytest.mark.parametrize(
    ("joint", "source"),
    [
        ("head", "head"),
        ("spine_shoulder", "neck_base"),
        ("spine_mid", "spine"),
        ("spine_base", "hip_center"),
        ("left_hand", "left_hand"),
        ("right_foot", "right_foot"),
    ],
)
def test_joints_land_where_they_belong(tmp_path: Path, joint: str, source: str) -> None:
    points = np.random.default_rng(1).normal(size=(20, 3, 7))
    (row,) = read(write(tmp_path, values=points))
    expected = points[ORDER.index(source)].T * [-1, 1, 1]
    np.testing.assert_allclose(row.sequence[:, NTU25.index(joint), :3], expected, rtol=1e-5)


def test_names_tell_the_rest(tmp_path: Path) -> None:
    for name in ("a1_s1_t1", "a27_s2_t4", "a10_s8_t2"):
        write(tmp_path, name)
    prepare("utd-mhad", tmp_path, tmp_path / "a", strict=True)
    archive = Archive.open(tmp_path / "a")
    clips = archive.clips.set_index("name")
    assert clips["label"].to_dict() == {"a1_s1_t1": 0, "a27_s2_t4": 26, "a10_s8_t2": 9}
    assert clips["xsub"].to_dict() == {"a1_s1_t1": "train", "a27_s2_t4": "test", "a10_s8_t2": "test"}
    assert archive.labels[26] == "squat"


@pytest.mark.parametrize("values", [np.zeros((20, 3)), np.zeros((25, 3, 4)), np.zeros((20, 3, 0)), "text", [1, 2]])
def test_broken_files_are_refused(tmp_path: Path, values: object) -> None:
    with pytest.raises(DatasetError, match="a27_s2_t4"):
        read(write(tmp_path, values=values))


def test_another_variable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="d_skel"):
        read(write(tmp_path, key="d_iner"))


@pytest.mark.parametrize("name", ["a28_s1_t1", "a0_s1_t1"])
def test_actions_there_are_not(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="up to 27"):
        read(write(tmp_path, name))


@settings(max_examples=60)
@given(st.binary(max_size=200), st.integers(0, 250))
def test_junk_is_refused_not_crashed_on(tmp_path: Path, junk: bytes, at: int) -> None:
    good = write(tmp_path).read_bytes()
    for content in (junk, good[:at] + junk, good[:at]):
        (tmp_path / "a1_s1_t1_skeleton.mat").write_bytes(content)
        with contextlib.suppress(DatasetError):
            read(tmp_path / "a1_s1_t1_skeleton.mat")


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="a1_s1_t1_skeleton"):
        prepare("utd-mhad", tmp_path, tmp_path / "a")
