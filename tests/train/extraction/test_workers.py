"""Real videos in real processes: broken ones, killed workers, a cluster."""

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
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from click.testing import CliRunner

from cli import edge_c2vl
from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from tests.support.programs import free_port
from tests.support.scripted_videos import same, some_videos
from tests.support.videos import Recordings
from train.extraction.extract import extract, find_videos
from train.extraction.video import ExtractSettings
from train.extraction.workers import Done, Failed, Job, Moved, run_local


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
    for event in run_local(queue, ExtractSettings(), 2):
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
    return [sys.executable, str(Path(__file__).parents[3] / "cli.py"), "extract", str(folder), str(target), *more]


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
    from train.extraction.workers import run_ray

    with pytest.raises(UsageError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        extract(videos, tmp_path / "a", ExtractSettings(), runner=lambda queue, how: run_ray(queue, how, "127.0.0.1:1"))
