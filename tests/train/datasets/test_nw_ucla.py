"""NW-UCLA: the real clips, and files that are broken."""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import KINECT20, NTU25
from tests.support.datasets.nw_ucla import write
from train.datasets.nw_ucla import read
from train.datasets.prepare import prepare


def test_one_clip(tmp_path: Path) -> None:
    (row,) = read(write(tmp_path))
    assert (row.name, row.label, row.subject, row.camera, row.group) == (
        "a08_s02_e03_v03",
        6,
        "s02",
        "v3",
        "a08_s02_e03",
    )
    assert row.columns == {"xview": "test"}
    wrist = row.sequence[1, NTU25.index("left_wrist")]
    source = np.arange(2 * 20 * 3).reshape(2, 20, 3)[1, KINECT20.index("left_wrist")] + 1
    # x is negated: Kinect's grows to the sensor's left.
    assert wrist.tolist() == [-source[0], source[1], source[2], 1]


def test_a_joint_at_the_sensor_is_missing(tmp_path: Path) -> None:
    points = np.ones((1, 20, 3))
    points[0, KINECT20.index("left_knee")] = 0
    (row,) = read(write(tmp_path, skeletons=points.tolist()))
    assert row.sequence[0, NTU25.index("left_knee")].tolist() == [0, 0, 0, 0]
    assert row.sequence[0, NTU25.index("right_knee"), 3] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"label": 0},
        {"label": 11},
        {"label": "7"},
        {"label": True},
        {"label": None},
        {"skeletons": []},
        {"skeletons": [[[1, 2]] * 20]},
        {"skeletons": [[[1, 2, 3]] * 19]},
        {"skeletons": [[[1, 2, 3]] * 20, [[1, 2, 3]] * 19]},
        {"skeletons": "many"},
        {"skeletons": [[["x", 2, 3]] * 20]},
        {"skeletons": {"a": 1}},
        {"skeletons": None},
    ],
)
def test_broken_clips_are_refused(tmp_path: Path, change: dict) -> None:
    with pytest.raises(DatasetError, match="a08_s02_e03_v03"):
        read(write(tmp_path, **change))


@settings(max_examples=60)
@given(st.one_of(st.binary(max_size=80), st.text(max_size=60).map(str.encode)))
def test_junk_is_refused_not_crashed_on(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "a01_s01_e00_v01.json"
    for content in (junk, b'{"label": 1, "skeletons": ' + junk, b"[" * 100_000):
        path.write_bytes(content)
        with contextlib.suppress(DatasetError):
            assert read(path)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected files like"):
        prepare("nw-ucla", tmp_path, tmp_path / "a")


def test_the_real_clips(data_dir: Path, tmp_path: Path) -> None:
    report = prepare("nw-ucla", data_dir / "nw-ucla" / "NW-UCLA_all_sqe.tar.xz", tmp_path / "a", strict=True)
    archive = Archive.open(tmp_path / "a")
    clips = archive.clips
    assert (report.clips, report.frames) == (1484, 58534)
    assert clips["xview"].value_counts().to_dict() == {"train": 1020, "test": 464}
    assert clips["subject"].nunique() == 10
    with (data_dir / "nw-ucla" / "split.csv").open() as file:
        split = {row["file_name"]: (int(row["label"]) - 1, row["split"]) for row in csv.DictReader(file)}
    assert {name: (label, part) for name, label, part in clips[["name", "label", "xview"]].itertuples(index=False)} == {
        name: (label, "test" if part == "test" else "train") for name, (label, part) in split.items()
    }
    # A body's handedness can be told from where its feet point: (up x right) . forward is negative in a space whose x
    # grows to the right, y up, z away. Kinect's own would give the opposite sign.
    up, right, forward = (
        ("spine_base", "spine_shoulder"),
        ("left_shoulder", "right_shoulder"),
        ("left_ankle", "left_foot"),
    )
    signs = []
    for index in range(0, len(archive), 10):
        points = archive.sequence(index)[..., :3].astype(float)
        u, r, f = (points[:, NTU25.index(b)] - points[:, NTU25.index(a)] for a, b in (up, right, forward))
        signs.append(np.median((np.cross(u, r) * f).sum(axis=1)) < 0)
    assert np.mean(signs) > 0.95
