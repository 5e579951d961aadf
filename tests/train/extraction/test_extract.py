"""edge-c2vl extract: resuming, labels, failures, which videos; with scripted runners."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.errors import ArchiveError, EdgeC2VLError, UsageError
from edge_c2vl.skeletons.archive import Archive
from tests.support.scripted_videos import Scripted, same, skeletons, some_videos
from train.extraction.extract import extract, find_videos
from train.extraction.label_files import OwnLabels
from train.extraction.video import ExtractSettings
from train.extraction.workers import Event, Job


def test_interrupted_and_resumed_gives_the_same_archive(tmp_path: Path) -> None:
    videos = find_videos([some_videos(tmp_path / "videos")])
    extract(videos, tmp_path / "whole", ExtractSettings(), runner=Scripted())
    for stop_after in (0, 1, 2):
        with pytest.raises(KeyboardInterrupt):
            extract(videos, tmp_path / "parts", ExtractSettings(), runner=Scripted(stop_after))
        assert not (tmp_path / "parts").exists()
    rest = Scripted()
    report = extract(videos, tmp_path / "parts", ExtractSettings(), runner=rest)
    assert (report.kept, rest.read) == (3, ["0.mp4"])
    assert same(tmp_path / "whole", tmp_path / "parts")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts", "videos", "whole"]
    archive = Archive.open(tmp_path / "parts")
    assert archive.clips["name"].tolist() == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]
    np.testing.assert_array_equal(archive.sequence(2), skeletons(2).frames)
    np.testing.assert_array_equal(archive.timestamps(2), skeletons(2).timestamps)


def test_longest_videos_are_read_first(tmp_path: Path) -> None:
    runner = Scripted()
    extract(find_videos([some_videos(tmp_path / "videos")]), tmp_path / "a", ExtractSettings(), runner=runner)
    assert runner.read == ["3.mp4", "2.mp4", "1.mp4", "0.mp4"]


def test_asked_again_for_what_is_there_does_nothing(tmp_path: Path) -> None:
    videos = find_videos([some_videos(tmp_path / "videos")])
    first = extract(videos, tmp_path / "a", ExtractSettings(), runner=Scripted())
    runner = Scripted()
    again = extract(videos, tmp_path / "a", ExtractSettings(), runner=runner)
    assert runner.read == []
    assert (again.clips, again.frames, again.poses, again.kept) == (first.clips, first.frames, first.poses, 4)
    with pytest.raises(ArchiveError, match="holds other skeletons"):
        extract(videos, tmp_path / "a", ExtractSettings(CameraOptions(mirror=True)), runner=Scripted())
    extract(videos, tmp_path / "a", ExtractSettings(CameraOptions(mirror=True)), runner=runner, overwrite=True)
    assert len(runner.read) == 4


def test_labels_beside_the_videos(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    for name in ("anna/0", "ben/1"):
        (folder / name).parent.mkdir(parents=True)
        (folder / f"{name}.mp4").write_bytes(b"video")
        (folder / f"{name}.csv").write_text("start,end,label\n0.06,0.12,phone\n")
    labels = OwnLabels(("attentive", "phone"), test=("ben",))
    extract(find_videos([folder]), tmp_path / "a", ExtractSettings(), runner=Scripted(), labels=labels)
    archive = Archive.open(tmp_path / "a")
    assert archive.labels == ["attentive", "phone"]
    assert archive.clips[["subject", "split"]].to_numpy().tolist() == [["anna", "train"], ["ben", "test"]]
    for row in range(2):
        stamps, numbers = archive.timestamps(row), archive.frame_labels(row)
        assert numbers.tolist() == ((stamps >= 0.06) & (stamps < 0.12)).astype(int).tolist()
        assert 0 < numbers.sum() < len(numbers)
    # Other labels are another archive, and are told from what is there before anything is read.
    (folder / "ben/1.csv").write_text("start,end,label\n")
    with pytest.raises(ArchiveError, match="holds other skeletons"):
        extract(find_videos([folder]), tmp_path / "a", ExtractSettings(), runner=Scripted(), labels=labels)
    (folder / "ben/1.csv").write_text("start,end,label\n0,1,asleep\n")
    runner = Scripted()
    with pytest.raises(EdgeC2VLError, match="'asleep' is unknown; there are attentive, phone"):
        extract(find_videos([folder]), tmp_path / "b", ExtractSettings(), runner=runner, labels=labels)
    with pytest.raises(UsageError, match="--test carl: there is no such folder"):
        OwnLabels(("attentive", "phone"), ("carl",)).check([("anna/0.mp4", str(folder / "anna/0.mp4"))])
    with pytest.raises(UsageError, match="two different classes"):
        OwnLabels(("attentive",))
    assert runner.read == []


def test_a_changed_video_is_read_again(tmp_path: Path) -> None:
    folder = some_videos(tmp_path / "videos")
    with pytest.raises(KeyboardInterrupt):
        extract(find_videos([folder]), tmp_path / "a", ExtractSettings(), runner=Scripted(stop_after=2))
    (folder / "3.mp4").write_bytes(bytes(4000))
    runner = Scripted()
    assert extract(find_videos([folder]), tmp_path / "a", ExtractSettings(), runner=runner).kept == 1
    assert runner.read == ["3.mp4", "1.mp4", "0.mp4"]


def test_failures_are_tried_again_after_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    videos = find_videos([some_videos(tmp_path / "videos")])
    runner = Scripted(failing={"3.mp4": 1})
    report = extract(videos, tmp_path / "a", ExtractSettings(), runner=runner, retries=1)
    assert runner.read == ["2.mp4", "1.mp4", "0.mp4", "3.mp4"]
    assert report.failed == []
    assert "3.mp4: no luck; it will be tried again" in capsys.readouterr().err


def test_what_fails_for_good_is_listed_and_the_rest_is_kept(tmp_path: Path) -> None:
    videos = find_videos([some_videos(tmp_path / "videos")])
    with pytest.raises(ArchiveError, match=r"1 of 4 videos failed, first .*1\.mp4: no luck: run the same command"):
        extract(videos, tmp_path / "a", ExtractSettings(), runner=Scripted(failing={"1.mp4": 2}))
    assert not (tmp_path / "a").exists()
    runner = Scripted(failing={"1.mp4": 9})
    report = extract(videos, tmp_path / "a", ExtractSettings(), runner=runner, skip_failed=True)
    assert (runner.read, report.kept, report.clips) == ([], 3, 3)
    assert Archive.open(tmp_path / "a").meta["skipped"] == report.failed
    with pytest.raises(ArchiveError, match="4 of 4 videos failed"):
        extract(
            videos,
            tmp_path / "b",
            ExtractSettings(),
            runner=Scripted(failing={video.name: 9 for video in videos}),
            skip_failed=True,
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "videos"]


def test_a_damaged_part_is_removed_and_read_again(tmp_path: Path) -> None:
    videos = find_videos([some_videos(tmp_path / "videos")])
    with pytest.raises(KeyboardInterrupt):
        extract(videos, tmp_path / "a", ExtractSettings(), runner=Scripted(stop_after=2))
    part = sorted((tmp_path / ".a.extracting").glob("*.npz"))[0]
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(EdgeC2VLError, match="was damaged"):
        extract(videos, tmp_path / "a", ExtractSettings(), runner=Scripted())
    assert extract(videos, tmp_path / "a", ExtractSettings(), runner=Scripted()).kept == 3


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    videos = find_videos([some_videos(tmp_path / "videos")])

    def second(queue: deque[Job], recipe: ExtractSettings) -> Generator[Event, None, None]:
        with pytest.raises(ArchiveError, match="another extract is writing"):
            extract(videos, tmp_path / "a", recipe, runner=Scripted())
        yield from Scripted()(queue, recipe)

    extract(videos, tmp_path / "a", ExtractSettings(), runner=second)


def test_which_videos(tmp_path: Path) -> None:
    folder = some_videos(tmp_path / "videos", 2)
    (folder / "vp1").mkdir()
    (folder / "vp1" / "0.MKV").write_bytes(b"x")
    (folder / "notes.txt").write_text("no video")
    images = tmp_path / "images"
    images.mkdir()
    cv2.imwrite(str(images / "0.png"), np.zeros((8, 8, 3), np.uint8))
    names = [video.name for video in find_videos([folder, images, folder / "0.mp4"])]
    assert names == ["0.mp4", "1.mp4", "images", "vp1/0.MKV"]
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "1.mp4").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"would both be called 1\.mp4"):
        find_videos([folder, tmp_path / "more"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no video"):
        find_videos([tmp_path / "empty"])
    with pytest.raises(UsageError, match="there is no video or folder"):
        find_videos([tmp_path / "nowhere"])
