"""Drive&Act from videos: drawn videos under the data set's names, cut by labels in their own frame numbers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.archive import Archive
from tests.support.drive_act_files import HEADER
from tests.support.videos import Recordings
from train.datasets.opened import open_dataset
from train.datasets.source import Options
from train.extraction.extract import extract, find_videos
from train.extraction.video import ExtractSettings

CAMERA, SUFFIX = "a_column_driver", "ids_5"
RUNS = {
    1: ("vp1/run1b_2018-05-29-14-02-47", "attentive.mp4", 47),
    2: ("vp2/run2_2018-05-22-15-10-41", "phoning.mp4", 50),
}


def write_labels(root: Path, rows: list[str]) -> None:
    folder = root / "activities_3s" / CAMERA
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "midlevel.chunks_90.split_0.test.csv").write_text("\n".join([HEADER, *rows]) + "\n")


@pytest.fixture(scope="module")
def root(recording: Recordings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drive-act")
    for run, video, _ in RUNS.values():
        path = folder / CAMERA / f"{run}.{SUFFIX}.mp4"
        path.parent.mkdir(parents=True)
        shutil.copy(recording(video), path)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def opened(root: Path, cache: Path) -> Archive:
    return open_dataset("drive-act", root, Options(camera=CAMERA, input="pose", cache=cache), cache)


def row(driver: int, number: int, start: int, end: int, activity: str = "eating", suffix: str = SUFFIX) -> str:
    return f"{driver},{RUNS[driver][0]}.{suffix},{number},{start},{end},{activity},0"


def test_chunks_are_cut_out_of_whole_runs(root: Path, cache: Path, tmp_path: Path) -> None:
    write_labels(root, [row(1, 0, 10, 40), row(1, 1, 40, 48), row(2, 0, 0, 30, "drinking")])
    archive = opened(root, cache)
    assert archive.labels == ["drinking", "eating"]
    assert archive.clips["length"].tolist() == [30, 7, 30]  # the second label ends a frame after its video
    assert set(archive.clips["camera"]) == {CAMERA}
    assert archive.clips["subject"].tolist() == ["vp1", "vp1", "vp2"]
    assert archive.meta["source_layout"] == "mediapipe33"
    # The whole recording by `extract`: frame 10 of the video is frame 0 of the chunk.
    extract(find_videos([root / CAMERA / "vp1"]), tmp_path / "whole", ExtractSettings())
    whole = Archive.open(tmp_path / "whole")
    np.testing.assert_array_equal(archive.sequence(0), whole.sequence(0)[10:40])
    np.testing.assert_allclose(archive.timestamps(0), whole.timestamps(0)[10:40] - whole.timestamps(0)[10])
    assert (archive.sequence(0)[..., 3] > 0).any(axis=1).all()
    # Poses are kept: other labels of the same videos need no video any more.
    poses = list((cache / "poses").iterdir())
    write_labels(root, [row(1, 0, 0, 20), row(2, 0, 0, 30, "drinking")])
    assert opened(root, cache).clips["length"].tolist() == [20, 30]
    assert list((cache / "poses").iterdir()) == poses


@pytest.mark.parametrize(("rows", "message"), [
    ([row(1, 0, 0, 30), row(1, 1, 47, 50)], r"test\.csv, line 3: frames 47 to 50, but the video .* ends with frame 46"),
    ([row(1, 0, 0, 30), row(1, 1, 40, 90)], r"test\.csv, line 3: frames 40 to 90, but the video .* ends with frame 46"),
    ([row(1, 0, 0, 30, suffix="ids_1")], r"test\.csv, line 2 lies among the labels of a_column_driver, .* of ids_1"),
    ([row(1, 0, 0, 30).replace("run1b", "run9")], r"test\.csv, line 2: vp1/run9.* has no video a_column_dr"),
])  # fmt: skip
def test_labels_that_do_not_fit_the_videos(root: Path, cache: Path, rows: list[str], message: str) -> None:
    write_labels(root, rows)
    with pytest.raises(DatasetError, match=message) as caught:
        opened(root, cache)
    assert "\n" not in str(caught.value)
