"""edge-c2vl extract: resuming, failures, remaining time; with scripted runners, real processes and a real Ray."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cli import edge_c2vl
from edge_c2vl.archive import Archive
from edge_c2vl.camera import CameraOptions
from edge_c2vl.errors import ArchiveError, EdgeC2VLError, UsageError
from edge_c2vl.pose import identity_of
from tests.conftest import free_port
from tests.videos import Recordings
from train.extract import Video, extract, find_videos, fingerprint
from train.own_labels import OwnLabels
from train.remaining import Remaining, words
from train.video import Recipe, Skeletons
from train.workers import Done, Event, Failed, Job, Moved, run_local

# Of one video of 100 bytes, as the version before there were two estimators computed it.
FINGERPRINT = "f7ef9c5b68bc24ea703a7d38"
FILES = ("frames.npy", "timestamps.npy", "clips.parquet", "meta.json")


def some_videos(folder: Path, count: int = 4) -> Path:
    folder.mkdir()
    for index in range(count):
        (folder / f"{index}.mp4").write_bytes(bytes(100 * (index + 1)))
    return folder


def skeletons(index: int) -> Skeletons:
    numbers = np.random.default_rng(index)
    frames = numbers.uniform(0.1, 1, (5 + index, 25, 4)).astype(np.float32)
    return Skeletons(frames, np.cumsum(numbers.uniform(0.03, 0.04, 5 + index)), 28.0, 4)


class Scripted:
    """A runner that reads nothing. stop_after: Ctrl-C after so many videos; failing: path's name -> how often."""

    def __init__(self, stop_after: int | None = None, failing: dict[str, int] | None = None) -> None:
        self.stop_after, self.failing = stop_after, dict(failing or {})
        self.read: list[str] = []

    def __call__(self, queue: deque[Job], recipe: Recipe) -> Generator[Event, None, None]:
        while queue:
            job = queue.popleft()
            name = Path(job.path).name
            if self.stop_after is not None and len(self.read) >= self.stop_after:
                raise KeyboardInterrupt
            if self.failing.get(name, 0):
                self.failing[name] -= 1
                yield Failed(job.index, "no luck")
                continue
            self.read.append(name)
            yield Moved(job.index, 0.5)
            yield Done(job.index, skeletons(int(Path(name).stem)))


def same(a: Path, b: Path) -> bool:
    return all((a / name).read_bytes() == (b / name).read_bytes() for name in FILES)


def test_interrupted_and_resumed_gives_the_same_archive(tmp_path: Path) -> None:
    videos = find_videos([some_videos(tmp_path / "videos")])
    extract(videos, tmp_path / "whole", Recipe(), runner=Scripted())
    for stop_after in (0, 1, 2):
        with pytest.raises(KeyboardInterrupt):
            extract(videos, tmp_path / "parts", Recipe(), runner=Scripted(stop_after))
        assert not (tmp_path / "parts").exists()
    rest = Scripted()
    report = extract(videos, tmp_path / "parts", Recipe(), runner=rest)
    assert (report.kept, rest.read) == (3, ["0.mp4"])
    assert same(tmp_path / "whole", tmp_path / "parts")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts", "videos", "whole"]
    archive = Archive.open(tmp_path / "parts")
    assert archive.clips["name"].tolist() == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]
    np.testing.assert_array_equal(archive.sequence(2), skeletons(2).frames)
    np.testing.assert_array_equal(archive.timestamps(2), skeletons(2).timestamps)


def test_longest_videos_are_read_first(tmp_path: Path) -> None:
    runner = Scripted()
    extract(find_videos([some_videos(tmp_path / "videos")]), tmp_path / "a", Recipe(), runner=runner)
    assert runner.read == ["3.mp4", "2.mp4", "1.mp4", "0.mp4"]


def test_asked_again_for_what_is_there_does_nothing(tmp_path: Path) -> None:
    videos = find_videos([some_videos(tmp_path / "videos")])
    first = extract(videos, tmp_path / "a", Recipe(), runner=Scripted())
    runner = Scripted()
    again = extract(videos, tmp_path / "a", Recipe(), runner=runner)
    assert runner.read == []
    assert (again.clips, again.frames, again.poses, again.kept) == (first.clips, first.frames, first.poses, 4)
    with pytest.raises(ArchiveError, match="holds other skeletons"):
        extract(videos, tmp_path / "a", Recipe(CameraOptions(mirror=True)), runner=Scripted())
    extract(videos, tmp_path / "a", Recipe(CameraOptions(mirror=True)), runner=runner, overwrite=True)
    assert len(runner.read) == 4


class TestEstimator:
    """Skeletons of two estimators do not come into one archive."""

    @pytest.fixture(autouse=True)
    def mediapipe(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The reference as if it were installed; nothing here runs it."""
        monkeypatch.setattr("edge_c2vl.pose.mediapipe.identity", lambda model: "mediapipe 0.10.14")

    def test_the_archive_says_who_found_the_skeletons(self, tmp_path: Path) -> None:
        videos = find_videos([some_videos(tmp_path / "videos")])
        extract(videos, tmp_path / "a", Recipe(), runner=Scripted())
        assert Archive.open(tmp_path / "a").meta["pose"] == identity_of()
        extract(videos, tmp_path / "b", Recipe(pose="mediapipe"), runner=Scripted())
        assert Archive.open(tmp_path / "b").meta["pose"] == "mediapipe 0.10.14"

    def test_another_estimator_does_not_go_on(self, tmp_path: Path) -> None:
        videos = find_videos([some_videos(tmp_path / "videos")])
        with pytest.raises(KeyboardInterrupt):
            extract(videos, tmp_path / "a", Recipe(pose="mediapipe"), runner=Scripted(stop_after=2))
        runner = Scripted()
        with pytest.raises(ArchiveError, match=r"followed by mediapipe 0\.10\.14, not by blazepose .*--pose mediapipe"):
            extract(videos, tmp_path / "a", Recipe(), runner=runner)
        assert runner.read == []
        assert extract(videos, tmp_path / "a", Recipe(pose="mediapipe"), runner=runner).kept == 2
        with pytest.raises(ArchiveError, match=r"found by mediapipe 0\.10\.14 and not by blazepose"):
            extract(videos, tmp_path / "a", Recipe(), runner=runner)

    def test_what_an_older_version_left_is_mediapipes(self, tmp_path: Path) -> None:
        """It noted nothing, and knew of one estimator."""
        videos, recipe = find_videos([some_videos(tmp_path / "videos")]), Recipe(pose="mediapipe")
        with pytest.raises(KeyboardInterrupt):
            extract(videos, tmp_path / "a", recipe, runner=Scripted(stop_after=2))
        (tmp_path / ".a.extracting" / "pose").unlink()
        with pytest.raises(ArchiveError, match="followed by mediapipe, not by blazepose"):
            extract(videos, tmp_path / "a", Recipe(), runner=Scripted())
        assert extract(videos, tmp_path / "a", recipe, runner=Scripted()).kept == 2
        meta = json.loads((tmp_path / "a" / "meta.json").read_text())
        del meta["pose"]
        (tmp_path / "a" / "meta.json").write_text(json.dumps(meta))
        assert extract(videos, tmp_path / "a", recipe, runner=Scripted()).kept == 4
        with pytest.raises(ArchiveError, match="found by mediapipe and not by blazepose"):
            extract(videos, tmp_path / "a", Recipe(), runner=Scripted())

    def test_mediapipes_fingerprints_are_those_of_older_versions(self) -> None:
        """Else nobody could go on with what is there, or use what is in the cache."""
        video = Video("0.mp4", "/videos/0.mp4", 100, 1)
        assert fingerprint([video], Recipe(pose="mediapipe")) == FINGERPRINT
        assert fingerprint([video], Recipe(pose="blazepose")) == fingerprint([video], Recipe()) != FINGERPRINT


def test_labels_beside_the_videos(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    for name in ("anna/0", "ben/1"):
        (folder / name).parent.mkdir(parents=True)
        (folder / f"{name}.mp4").write_bytes(b"video")
        (folder / f"{name}.csv").write_text("start,end,label\n0.06,0.12,phone\n")
    labels = OwnLabels(("attentive", "phone"), test=("ben",))
    extract(find_videos([folder]), tmp_path / "a", Recipe(), runner=Scripted(), labels=labels)
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
        extract(find_videos([folder]), tmp_path / "a", Recipe(), runner=Scripted(), labels=labels)
    (folder / "ben/1.csv").write_text("start,end,label\n0,1,asleep\n")
    runner = Scripted()
    with pytest.raises(EdgeC2VLError, match="'asleep' is unknown; there are attentive, phone"):
        extract(find_videos([folder]), tmp_path / "b", Recipe(), runner=runner, labels=labels)
    with pytest.raises(UsageError, match="--test carl: there is no such folder"):
        OwnLabels(("attentive", "phone"), ("carl",)).check([("anna/0.mp4", str(folder / "anna/0.mp4"))])
    with pytest.raises(UsageError, match="two different classes"):
        OwnLabels(("attentive",))
    assert runner.read == []


def test_a_changed_video_is_read_again(tmp_path: Path) -> None:
    folder = some_videos(tmp_path / "videos")
    with pytest.raises(KeyboardInterrupt):
        extract(find_videos([folder]), tmp_path / "a", Recipe(), runner=Scripted(stop_after=2))
    (folder / "3.mp4").write_bytes(bytes(4000))
    runner = Scripted()
    assert extract(find_videos([folder]), tmp_path / "a", Recipe(), runner=runner).kept == 1
    assert runner.read == ["3.mp4", "1.mp4", "0.mp4"]


def test_failures_are_tried_again_after_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    videos = find_videos([some_videos(tmp_path / "videos")])
    runner = Scripted(failing={"3.mp4": 1})
    report = extract(videos, tmp_path / "a", Recipe(), runner=runner, retries=1)
    assert runner.read == ["2.mp4", "1.mp4", "0.mp4", "3.mp4"]
    assert report.failed == []
    assert "3.mp4: no luck; it will be tried again" in capsys.readouterr().err


def test_what_fails_for_good_is_listed_and_the_rest_is_kept(tmp_path: Path) -> None:
    videos = find_videos([some_videos(tmp_path / "videos")])
    with pytest.raises(ArchiveError, match=r"1 of 4 videos failed, first .*1\.mp4: no luck: run the same command"):
        extract(videos, tmp_path / "a", Recipe(), runner=Scripted(failing={"1.mp4": 2}))
    assert not (tmp_path / "a").exists()
    runner = Scripted(failing={"1.mp4": 9})
    report = extract(videos, tmp_path / "a", Recipe(), runner=runner, skip_failed=True)
    assert (runner.read, report.kept, report.clips) == ([], 3, 3)
    assert Archive.open(tmp_path / "a").meta["skipped"] == report.failed
    with pytest.raises(ArchiveError, match="4 of 4 videos failed"):
        extract(
            videos,
            tmp_path / "b",
            Recipe(),
            runner=Scripted(failing={video.name: 9 for video in videos}),
            skip_failed=True,
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "videos"]


def test_a_damaged_part_is_removed_and_read_again(tmp_path: Path) -> None:
    videos = find_videos([some_videos(tmp_path / "videos")])
    with pytest.raises(KeyboardInterrupt):
        extract(videos, tmp_path / "a", Recipe(), runner=Scripted(stop_after=2))
    part = sorted((tmp_path / ".a.extracting").glob("*.npz"))[0]
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(EdgeC2VLError, match="was damaged"):
        extract(videos, tmp_path / "a", Recipe(), runner=Scripted())
    assert extract(videos, tmp_path / "a", Recipe(), runner=Scripted()).kept == 3


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    videos = find_videos([some_videos(tmp_path / "videos")])

    def second(queue: deque[Job], recipe: Recipe) -> Generator[Event, None, None]:
        with pytest.raises(ArchiveError, match="another extract is writing"):
            extract(videos, tmp_path / "a", recipe, runner=Scripted())
        yield from Scripted()(queue, recipe)

    extract(videos, tmp_path / "a", Recipe(), runner=second)


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


# Remaining time


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=20),
    st.floats(0.01, 1.0),
    st.floats(3.1, 1e6),
)
def test_remaining_time_is_exact_when_files_go_at_one_rate(sizes: list[int], share: float, elapsed_s: float) -> None:
    """All files under way at once, equally far: the rest takes what is left at the same rate."""
    remaining = Remaining(sizes)
    for index in range(len(sizes)):
        remaining.move(index, share)
    expected = elapsed_s * (1 - share) / share
    found = remaining.seconds(elapsed_s)
    assert found is not None
    # Never less; more where one file is longer than the others, which then goes on alone.
    assert found >= expected * (1 - 1e-9)
    if len(set(sizes)) == 1:
        assert found == pytest.approx(expected)


def test_remaining_time_of_one_long_file_among_many_processes() -> None:
    remaining = Remaining([1000, *[100] * 10])
    for index in range(1, 11):
        remaining.finish(index)
    remaining.move(0, 0.5)
    # 1,500 bytes took 30 s; 500 are left, by one process alone.
    assert remaining.seconds(30.0) == pytest.approx(10.0)
    remaining.move(0, 0.0)  # it failed, and is done anew
    assert remaining.seconds(30.0) == pytest.approx(30.0)


def test_remaining_time_is_not_guessed() -> None:
    remaining = Remaining([1000, 1000])
    remaining.move(0, 0.5)
    assert remaining.seconds(1.0) is None
    remaining.move(0, 0.0001)
    assert remaining.seconds(100.0) is None
    assert [words(value) for value in (None, 45.4, 600, 7200)] == [
        "time left not known yet", "about 45 s left", "about 10 min left", "about 2.0 h left",
    ]  # fmt: skip


# Real videos, real processes


@pytest.fixture
def recordings(recording: Recordings, tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("attentive.mp4", "phoning.mp4", "story.mp4"):
        shutil.copy(recording(name), folder)
    return folder


def test_broken_videos_are_told_from_whole_ones(recordings: Path, tmp_path: Path) -> None:
    for name in ("phoning.mp4", "story.mp4"):
        (recordings / name).unlink()
    (recordings / "empty.mp4").write_bytes(b"")
    (recordings / "text.mp4").write_text("no video at all\n" * 100)
    arguments = ["extract", str(recordings), str(tmp_path / "a"), "--workers", "1", "--skip-failed", "--json"]
    result = CliRunner().invoke(edge_c2vl, arguments, standalone_mode=False, catch_exceptions=False)
    values = json.loads(result.stdout)
    assert (values["clips"], values["frames"], len(values["failed"])) == (1, 47, 2)
    assert "empty.mp4: the file is empty" in values["failed"][0]
    assert "text.mp4" in values["failed"][1]
    archive = Archive.open(tmp_path / "a")
    assert archive.clips["poses"].tolist() == [47]
    assert (np.diff(archive.timestamps(0)) > 0).all()


def test_a_killed_worker_costs_its_video_only(recordings: Path) -> None:
    """One of two processes is killed while it works; its video is told as failed, the other comes through."""
    paths = sorted(str(path) for path in recordings.iterdir())[:2]
    queue = deque(Job(index, path) for index, path in enumerate(paths))
    events, killed = [], -1
    for event in run_local(queue, Recipe(), 2):
        events.append(event)
        if isinstance(event, Moved) and killed < 0:
            killed = event.index
            # Workers are started in the order of the jobs.
            child = sorted(_workers(os.getpid()), key=lambda process: process.create_time())[event.index]
            child.kill()
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.index == killed
    assert "killed by SIGKILL" in failed.reason
    assert [event.index for event in events if isinstance(event, Done)] == [1 - killed]


def _workers(pid: int) -> list[psutil.Process]:
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def command(folder: Path, target: Path, *more: str) -> list[str]:
    return [sys.executable, str(Path(__file__).parents[2] / "cli.py"), "extract", str(folder), str(target), *more]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_at_random_ten_times_and_resumed(recordings: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    subprocess.run(command(recordings, tmp_path / "whole", "--workers", "1"), check=True)
    once_s = time.monotonic() - started
    chance = random.Random(7)
    for _ in range(10):
        process = subprocess.Popen(command(recordings, tmp_path / "a", "--workers", "2"), stderr=subprocess.PIPE)
        time.sleep(chance.uniform(0.05, 0.9) * once_s)
        workers = _workers(process.pid) if process.poll() is None else []
        process.send_signal(signal.SIGKILL)
        process.wait()
        psutil.wait_procs(workers, timeout=20)
        assert not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)
        if (tmp_path / "a").exists():  # it came through before it was killed
            Archive.open(tmp_path / "a")
    subprocess.run(command(recordings, tmp_path / "a", "--workers", "2"), check=True)
    assert same(tmp_path / "whole", tmp_path / "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "videos", "whole"]


@pytest.fixture
def ray_address(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("ray", reason="needs Ray: pip install 'edge-c2vl[cluster]'")
    program = Path(sys.executable).with_name("ray")
    port = free_port()
    options = ["--head", "--block", "--num-cpus", "2", "--port", str(port), "--include-dashboard", "false"]
    options += ["--object-store-memory", "100000000", "--disable-usage-stats"]
    with (tmp_path / "ray.log").open("w") as log:
        process = subprocess.Popen([program, "start", *options], stdout=log, stderr=log)
    end = time.monotonic() + 240
    while "started" not in (tmp_path / "ray.log").read_text() and time.monotonic() < end:
        assert process.poll() is None, (tmp_path / "ray.log").read_text()
        time.sleep(0.5)
    yield f"127.0.0.1:{port}"
    children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    process.wait(60)
    for child in psutil.wait_procs(children, timeout=20)[1]:
        child.kill()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_ray_cluster_gives_the_same_archive(recordings: Path, tmp_path: Path, ray_address: str) -> None:
    (recordings / "text.mp4").write_text("no video at all\n" * 100)
    subprocess.run(command(recordings, tmp_path / "local", "--workers", "1", "--skip-failed"), check=True)
    subprocess.run(command(recordings, tmp_path / "ray", "--ray", ray_address, "--skip-failed"), check=True)
    assert same(tmp_path / "local", tmp_path / "ray")


def test_no_ray_cluster_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install 'edge-c2vl[cluster]'")
    videos = find_videos([some_videos(tmp_path / "videos")])
    from train.workers import run_ray

    with pytest.raises(UsageError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        extract(videos, tmp_path / "a", Recipe(), runner=lambda queue, how: run_ray(queue, how, "127.0.0.1:1"))
