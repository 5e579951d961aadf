"""Drive&Act: its real label files; skeletons written in its format."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.errors import DatasetError, UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import NTU25
from tests.support.datasets.drive_act import RUN, write_labels, write_skeletons
from tests.support.drive_act_files import HEADER, JOINTS
from train.datasets import drive_act
from train.datasets.drive_act_labels import camera_of, read_labels
from train.datasets.prepare import prepare
from train.datasets.source import Options


@pytest.mark.parametrize(("part", "rows", "drivers"), [("train", 6642, 10), ("test", 2222, 3)])
def test_the_real_labels(data_dir: Path, part: str, rows: int, drivers: int) -> None:
    chunks = read_labels(data_dir / "drive-act" / f"midlevel.chunks_90.split_0.{part}.kinect_color.csv")
    assert len(chunks) == rows
    assert len({chunk.participant for chunk in chunks}) == drivers
    assert len({chunk.activity for chunk in chunks}) == 34
    assert {camera_of(chunk.file_id) for chunk in chunks} == {"kinect_color"}
    assert len({chunk.name for chunk in chunks}) == rows
    if part == "test":
        assert {chunk.participant for chunk in chunks} == {5, 11, 13}


@pytest.mark.parametrize("level", ["midlevel", "tasklevel"])
def test_the_real_excerpts_in_nir_frames(data_dir: Path, tmp_path: Path, level: str) -> None:
    """Real labels, skeletons written for their frames."""
    (excerpt,) = (data_dir / "drive-act").glob(f"excerpt_{level}*ids_1.csv")
    chunks = read_labels(excerpt)
    runs = {chunk.file_id for chunk in chunks}
    for run in runs:
        write_skeletons(tmp_path, list(range(max(chunk.end for chunk in chunks if chunk.file_id == run))), run)
    lines = excerpt.read_text().splitlines()
    write_labels(tmp_path, lines[1:], f"{level}.chunks_90.split_0.train.csv", lines[0])
    report = prepare("drive-act", tmp_path, tmp_path / "a", options=Options(level=level), strict=True)
    clips = Archive.open(tmp_path / "a").clips
    assert report.clips == len(chunks)
    assert clips["length"].tolist() == [chunk.end - chunk.start for chunk in chunks]
    assert set(clips["split_0"]) == {"train"}
    assert set(clips["camera"]) == {"inner_mirror"}


def test_frames_are_looked_up_by_their_number(tmp_path: Path) -> None:
    frames = [100, 101, 103, 104, 200]
    joints = write_skeletons(tmp_path, frames)
    write_labels(tmp_path, [f"1,{RUN},7,101,105,eating,2", f"1,{RUN},8,198,203,reading (magazine),0"])
    prepare("drive-act", tmp_path, tmp_path / "a", strict=True)
    archive = Archive.open(tmp_path / "a")
    assert archive.clips["name"].tolist() == [f"{RUN}/0007-02", f"{RUN}/0008-00"]
    assert archive.labels == ["eating", "reading (magazine)"]
    wrist = archive.sequence(0)[:, NTU25.index("right_wrist")]
    source = joints[1:4, JOINTS.index("rWrist")] * [1, -1, 1, 1]  # y points up
    np.testing.assert_allclose(wrist, [source[0], [0, 0, 0, 0], source[1], source[2]], rtol=1e-5)
    assert (archive.sequence(1)[..., 3].max(axis=1) > 0).tolist() == [False, False, True, False, False]
    np.testing.assert_allclose(archive.timestamps(1), np.arange(5) / 30)


def test_a_joint_with_no_confidence_is_missing(tmp_path: Path) -> None:
    write_skeletons(tmp_path, [0, 1])
    path = tmp_path / "openpose_3d" / f"{RUN}.openpose.3d.csv"
    lines = path.read_text().splitlines()
    row = lines[1].split(",")
    row[2 + 4 * JOINTS.index("lWrist") + 3] = "0"
    path.write_text("\n".join([lines[0], ",".join(row), lines[2]]))
    write_labels(tmp_path, [f"1,{RUN},0,0,2,eating,0"])
    prepare("drive-act", tmp_path, tmp_path / "a")
    left = Archive.open(tmp_path / "a").sequence(0)[:, NTU25.index("left_wrist")]
    assert left[0].tolist() == [0, 0, 0, 0]
    assert left[1, 3] > 0


def test_three_splits_are_three_columns(tmp_path: Path) -> None:
    write_skeletons(tmp_path, list(range(20)))
    one, two = f"1,{RUN},0,0,9,eating,0", f"1,{RUN},1,9,20,drinking,0"
    write_labels(tmp_path, [one, two], "midlevel.chunks_90.csv")
    write_labels(tmp_path, [one, two], "midlevel.chunks_90.split_0.train.csv")
    write_labels(tmp_path, [one], "midlevel.chunks_90.split_1.val.csv")
    write_labels(tmp_path, [two], "midlevel.chunks_90.split_1.test.csv")
    prepare("drive-act", tmp_path, tmp_path / "a")
    clips = Archive.open(tmp_path / "a").clips
    assert clips["split_0"].tolist() == ["train", "train"]
    assert clips["split_1"].tolist() == ["val", "test"]


def test_object_level_joins_action_object_location(tmp_path: Path) -> None:
    write_skeletons(tmp_path, list(range(20)))
    header = HEADER.replace("activity", "activity,object,location")
    name = "objectlevel.chunks_90.split_0.train.csv"
    write_labels(tmp_path, [f"1,{RUN},0,0,9,retracting_from,bottle,codriver_seat,0"], name, header)
    prepare("drive-act", tmp_path, tmp_path / "a", options=Options(level="objectlevel"))
    assert Archive.open(tmp_path / "a").labels == ["retracting_from bottle codriver_seat"]


def test_another_cameras_labels_are_refused(data_dir: Path, tmp_path: Path) -> None:
    write_skeletons(tmp_path, list(range(20)))
    real = data_dir / "drive-act" / "midlevel.chunks_90.split_0.train.kinect_color.csv"
    write_labels(tmp_path, real.read_text().splitlines()[1:], "midlevel.chunks_90.split_0.train.csv")
    with pytest.raises(DatasetError, match="those there number the frames of kinect_color"):
        prepare("drive-act", tmp_path, tmp_path / "a")


@pytest.mark.parametrize(
    "row",
    [
        "1,{run},0,0",
        "1,{run},0,9,9,eating,0",
        "1,{run},0,9,3,eating,0",
        "1,{run},0,-4,3,eating,0",
        "1,{run},0,0,99999999999,eating,0",
        "x,{run},0,0,9,eating,0",
    ],
)
def test_a_broken_label_is_told_with_its_line(tmp_path: Path, row: str) -> None:
    path = write_labels(tmp_path, [f"1,{RUN},0,0,9,eating,0", row.format(run=RUN), f"1,{RUN},1,9,18,eating,0"])
    first, broken, third = read_labels(path)
    assert (first.name, third.name) == (f"{RUN}/0000-00", f"{RUN}/0001-00")
    assert f"{path}, line 3" in broken.what


def test_a_label_file_that_is_no_csv_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write_labels(tmp_path, [f"1,{RUN},0,0,9,eating,0", f'1,{RUN},0,0,9,"eating'])
    with pytest.raises(DatasetError, match="line [23]"):
        read_labels(path)


def test_labels_that_disagree_are_refused(tmp_path: Path) -> None:
    write_skeletons(tmp_path, [0])
    write_labels(tmp_path, [f"1,{RUN},0,0,9,eating,0"], "midlevel.chunks_90.split_0.train.csv")
    write_labels(tmp_path, [f"1,{RUN},0,0,9,drinking,0"], "midlevel.chunks_90.split_1.train.csv")
    with pytest.raises(DatasetError, match="says otherwise"):
        prepare("drive-act", tmp_path, tmp_path / "a")


def test_broken_skeletons_are_skipped(tmp_path: Path) -> None:
    other, third = RUN.replace("vp1", "vp2"), RUN.replace("vp1", "vp3")
    write_skeletons(tmp_path, list(range(9)))
    write_skeletons(tmp_path, list(range(9)), other)
    path = tmp_path / "openpose_3d" / f"{other}.openpose.3d.csv"
    path.write_text(path.read_text().replace("rWrist_z", "rWrist_depth"))
    write_labels(tmp_path, [f"{number},{run},0,0,9,eating,0" for number, run in ((1, RUN), (2, other), (3, third))])
    report = prepare("drive-act", tmp_path, tmp_path / "a")
    assert len(report.skipped) == 2
    assert "lacks 1 columns of 105, rWrist_z first" in report.skipped[0]
    assert "has no skeleton file" in report.skipped[1]
    assert report.clips == 1


def test_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="midlevel, tasklevel, objectlevel"):
        prepare("drive-act", tmp_path, tmp_path / "a", options=Options(level="toplevel"))
    with pytest.raises(DatasetError, match="openpose_3d"):
        prepare("drive-act", tmp_path, tmp_path / "a")
    write_skeletons(tmp_path, [0])
    with pytest.raises(DatasetError, match="put activities_3s/inner_mirror there"):
        prepare("drive-act", tmp_path, tmp_path / "a")


@settings(max_examples=80)
@given(st.one_of(st.binary(max_size=200), st.text('0123456789,"\n\r\0 -nax', max_size=200).map(str.encode)))
def test_junk_is_refused_not_crashed_on(tmp_path: Path, junk: bytes) -> None:
    header = ",".join(["frame_id"] + [f"{joint}_{axis}" for joint in JOINTS for axis in "xyzp"]).encode()
    path = tmp_path / "junk.csv"
    for read, start in ((read_labels, HEADER.encode()), (drive_act.read_skeletons, header)):
        for content in (junk, start + b"\n" + junk):
            path.write_bytes(content)
            with contextlib.suppress(DatasetError):
                read(path)
