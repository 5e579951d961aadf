"""State Farm and AUC as tables of OpenPose joints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import NTU25
from train.datasets.prepare import prepare
from train.datasets.statefarm import _JOINTS, LABELS, read, read_drivers
from train.simulate.population.activities import LABELS as SIMULATED

HEADER = "img,class," + ",".join(f"{joint}_{axis}" for joint in _JOINTS for axis in "xy") + ",total_score,total_parts"


def row(picture: str, label: int, **joints: tuple[float, float]) -> str:
    places = [joints.get(joint, (-1, -1)) for joint in _JOINTS]
    return f"{picture},{label}," + ",".join(f"{x},{y}" for x, y in places) + ",20.5,15.0"


def write(folder: Path, label: int, *rows: str) -> Path:
    path = folder / f"StateFarm_c{label}_skeleton_output.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


BODY = {"Neck": (320, 240), "RWrist": (480, 120), "LShoulder": (320, 480), "RHip": (0, 240), "LHip": (640, 240)}


def test_a_picture_is_a_recording_that_holds_still(tmp_path: Path) -> None:
    (recording,) = read(write(tmp_path, 6, row("img_1.jpg", 6, **BODY)), {"img_1.jpg": "p002"})
    assert (recording.name, recording.subject) == ("c6/img_1.jpg", "p002")
    assert LABELS[recording.label] == "eating_or_drinking"
    frame = recording.sequence[0]
    assert frame[NTU25.index("spine_shoulder")].tolist() == [0, 0, 0, 1]
    assert frame[NTU25.index("right_wrist")].tolist() == [0.5, 0.375, 0, 1]
    assert frame[NTU25.index("spine_base")].tolist() == [0, 0, 0, 1]
    assert frame[NTU25.index("left_wrist"), 3] == 0
    assert len(recording.sequence) / recording.fps >= 3
    assert (recording.sequence == frame).all()


def test_broken_rows_cost_themselves_alone(tmp_path: Path) -> None:
    broken = row("img_2.jpg", 0, **BODY).replace("480", "left of the wheel", 1)
    path = write(tmp_path, 0, row("img_1.jpg", 0, **BODY), broken, row("img_3.jpg", 0))
    good, bad, nobody = read(path, {})
    assert good.name == "c0/img_1.jpg"
    assert bad.what == f"{path.name}, line 3: a joint's place is no number"
    assert (nobody.what, nobody.kind) == ("c0/img_3.jpg", "nobody")


def test_tables_with_missing_columns_and_folders_without_tables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x_c0_y.csv"
    path.write_text("img,class\na,0\n")
    with pytest.raises(DatasetError, match="lacks the columns"):
        read(path, {})
    path.rename(tmp_path / "other.csv")
    with pytest.raises(DatasetError, match="no table in"):
        prepare("statefarm", tmp_path, tmp_path / "archive")


def test_prepare_takes_the_drivers_from_the_list(tmp_path: Path) -> None:
    for label in range(2):
        write(tmp_path, label, row(f"img_{label}.jpg", label, **BODY))
    drivers = tmp_path / "list.csv"
    drivers.write_text("\ufeffsubject,classname,img\np002,c0,img_0.jpg\np012,c1,img_1.jpg\n")
    assert read_drivers(drivers) == {"img_0.jpg": "p002", "img_1.jpg": "p012"}
    assert read_drivers(tmp_path / "StateFarm_c0_skeleton_output.csv") == {}
    prepare("statefarm", tmp_path, tmp_path / "archive")
    archive = Archive.open(tmp_path / "archive")
    assert archive.clips["subject"].tolist() == ["p002", "p012"]
    assert archive.labels == LABELS
    assert np.isfinite(archive.frames).all()


def test_its_classes_are_activities_of_the_simulated_drivers() -> None:
    assert set(LABELS) <= set(SIMULATED)
