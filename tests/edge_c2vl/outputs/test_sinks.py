"""Outputs: JSON lines, video, the status line."""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge_c2vl.errors import EdgeC2VLError, OutputError, UsageError
from edge_c2vl.face.contours import RINGS
from edge_c2vl.face.landmarks import EYES
from edge_c2vl.monitoring.events import Alert, Episode, SeenFrame
from edge_c2vl.monitoring.policy import State
from edge_c2vl.monitoring.standing import Level, Reason
from edge_c2vl.outputs.display import Display
from edge_c2vl.outputs.jsonl import JsonLines
from edge_c2vl.outputs.overlay import COLOURS, draw
from edge_c2vl.outputs.status import StatusLine
from edge_c2vl.outputs.video import VideoFile
from tests.support.disk import files_of_at_most
from tests.support.faces import a_face, turned
from tests.support.programs import needs
from tests.support.records import DECISION, landmarks
from tests.support.waiting import wait_for

NOTHING = replace(
    DECISION, state=State.NOBODY, label=None, probability=None, distraction=None, probabilities=None, encoder_ms=None
)


def test_decisions_are_one_json_object_a_line_and_readable_at_once(tmp_path):
    path = tmp_path / "decisions.jsonl"
    sink = JsonLines(str(path), "decision")
    sink.decision(DECISION)
    assert json.loads(path.read_text()) == {
        "schema": 3,
        "kind": "decision",
        "time": "2026-03-01T08:00:00.000Z",
        "timestamp_s": 12.5,
        "state": "distracted",
        "label": "distracted",
        "probability": 0.93,
        "distraction": 0.88,
        "probabilities": {"attentive": 0.07, "distracted": 0.93},
        "words": None,
        "unusual": None,
        "learnt": None,
        "offset": None,
        "awareness": 1.0,
        "alert": "none",
        "alerts": [],
        "reasons": {},
        "face": None,
        "speed_kmh": None,
        "missing": None,
        "arms": 1.0,
        "pose_confidence": 0.91,
        "age_ms": 24.1,
        "encoder_ms": 4.2,
    }
    sink.decision(NOTHING)
    sink.close()
    again = JsonLines(str(path), "decision")
    again.decision(DECISION)
    again.close()
    assert [json.loads(line)["state"] for line in path.read_text().splitlines()] == [
        "distracted",
        "nobody",
        "distracted",
    ]


def test_events_hold_what_the_state_was(tmp_path):
    episode = Episode(DECISION)
    episode.add(replace(DECISION, timestamp_s=13.0, label="distracted", probability=0.99, pose_confidence=0.81))
    episode.add(replace(DECISION, timestamp_s=13.5, label="attentive", probability=0.51, pose_confidence=0.71))
    path = tmp_path / "events.jsonl"
    sink = JsonLines(str(path), "state")
    sink.decision(DECISION)
    sink.state(episode.ended(14.0, State.ATTENTIVE, 1772352001.5, 30.0))
    sink.close()
    assert json.loads(path.read_text()) == {
        "schema": 3,
        "kind": "state",
        "time": "2026-03-01T08:00:01.500Z",
        "state": "distracted",
        "start_s": 12.5,
        "end_s": 14.0,
        "label": "distracted",
        "probability": 0.96,
        "pose_confidence": 0.81,
        "next_state": "attentive",
        "missing": None,
        "latency_ms": 30.0,
    }


def test_a_folder_that_is_not_there_is_told():
    with pytest.raises(EdgeC2VLError, match=r"nowhere/x\.jsonl: cannot write there"):
        JsonLines("nowhere/x.jsonl", "decision")


def test_video_keeps_the_recordings_time_and_appears_when_whole(tmp_path):
    path = tmp_path / "seen.mp4"
    sink = VideoFile(str(path), 25.0)
    image = np.full((120, 160, 3), 90, np.uint8)
    # 2 s in frames at uneven times: 10 a second at first, then 25.
    stamps = [*np.arange(0, 1, 0.1), *np.arange(1, 2, 0.04)]
    for stamp in stamps:
        sink.frame(SeenFrame(image, landmarks(), float(stamp), DECISION))
        assert not path.exists()
    sink.close()
    video = cv2.VideoCapture(str(path))
    frames = []
    while (read := video.read())[0]:
        frames.append(read[1])
    assert abs(len(frames) / video.get(cv2.CAP_PROP_FPS) - 2.0) <= 0.05
    # The skeleton is in the picture, and so is the state's colour in the corner.
    assert np.abs(frames[0][15:].astype(int) - 90).max() > 60
    np.testing.assert_allclose(frames[0][5, 1], COLOURS[State.DISTRACTED], atol=12)
    assert [entry.name for entry in tmp_path.iterdir()] == ["seen.mp4"]


def test_a_video_is_for_this_user_alone_and_one_run_at_a_time_writes_it(tmp_path):
    path = tmp_path / "seen.mp4"
    sink = VideoFile(str(path), 25.0)
    noise = np.random.default_rng(0)
    for index in range(50):
        sink.frame(SeenFrame(noise.integers(0, 255, (120, 160, 3), np.uint8), None, index / 25, DECISION))
    with pytest.raises(UsageError, match=r"seen\.mp4 is in use by another run"):
        VideoFile(str(path), 25.0)
    sink.close()
    assert sum(1 for _ in iter(cv2.VideoCapture(str(path)).grab, False)) == 50
    assert path.stat().st_mode & 0o777 == 0o600
    VideoFile(str(path), 25.0).close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["seen.mp4"]


def test_a_video_on_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    frame = SeenFrame(np.zeros((120, 160, 3), np.uint8), None, 0.0, DECISION)
    sink = VideoFile(str(tmp_path / "seen.mp4"), 25.0)
    with files_of_at_most(0), pytest.raises(EdgeC2VLError, match="cannot write a video"):
        sink.frame(frame)
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_a_full_disk_cut_short_is_told_and_removed(tmp_path):
    noise = np.random.default_rng(0)
    sink = VideoFile(str(tmp_path / "seen.mp4"), 25.0)
    with files_of_at_most(20_000):
        for index in range(10):
            sink.frame(SeenFrame(noise.integers(0, 255, (120, 160, 3), np.uint8), None, index / 25, DECISION))
        with pytest.raises(OutputError, match=r"seen\.mp4: the video could not be finished.*disk full"):
            sink.close()
    assert list(tmp_path.iterdir()) == []


def test_a_landmark_that_was_not_seen_is_not_drawn():
    image = np.full((120, 160, 3), 90, np.uint8)
    drawn = draw(SeenFrame(image, landmarks(confidence=0.3), 0.0, NOTHING))
    np.testing.assert_array_equal(drawn[20:], image[20:])
    assert (image == 90).all()


def test_the_face_its_gaze_and_the_loudest_reason_are_drawn():
    image = np.full((480, 640, 3), 90, np.uint8)
    face = a_face(turned(yaw=20))
    decision = replace(NOTHING, alerts={Reason.LOOKING_AWAY: Level.WARNING})
    drawn = draw(SeenFrame(image, None, 0.0, decision, face))
    iris = face.points[EYES["left"].iris[0], :2].round().astype(int)
    assert (drawn[iris[1], iris[0]] == (178, 114, 0)).all()
    chin = face.points[RINGS[0][18], :2].round().astype(int)
    assert drawn[chin[1], chin[0]].min() > 200
    without = draw(SeenFrame(image, None, 0.0, NOTHING))
    assert (drawn[:30] != without[:30]).any()


@pytest.mark.parametrize(("name", "error"), [("seen.avi", UsageError), ("nowhere/seen.mp4", OutputError)])
def test_a_video_that_cannot_be_written_is_told_before_the_run(tmp_path, name, error, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match="--output"):
        VideoFile(name, 30)


def test_a_run_without_frames_leaves_no_video(tmp_path):
    VideoFile(str(tmp_path / "seen.mp4"), 30).close()
    assert list(tmp_path.iterdir()) == []


def test_status_line_is_rewritten_on_a_terminal_only():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal, plain = Terminal(), io.StringIO()
    change = Episode(DECISION).ended(14.0, State.NOBODY, 0.0, 1.0)
    alert = Alert(1, "run", Level.WARNING, Reason.LONG, State.DISTRACTED, "phone", 0.5, None, 12.5, 0.0, 24.1)
    for stream in (terminal, plain):
        sink = StatusLine(stream)
        sink.decision(DECISION)
        sink.decision(NOTHING)
        sink.state(change)
        sink.alert(alert)
        sink.alert(replace(alert, level=Level.NONE))
        sink.close()
    assert terminal.getvalue().count("\r") == 4
    assert "distracted" in terminal.getvalue()
    assert plain.getvalue().splitlines() == [
        "   12.50 to    14.00 s  distracted (distracted 0.93)",
        "    12.5 s  WARNING: long distraction",
        "    12.5 s  ended: long distraction",
    ]


def test_of_a_live_camera_the_status_line_tells_the_time_of_day(monkeypatch):
    monkeypatch.setattr(time, "localtime", time.gmtime)
    stream = io.StringIO()
    sink = StatusLine(stream, live=True)
    noon_s = 1_764_331_200.0  # 2025-11-28 12:00:00 UTC
    # The state ended with the decision before the camera failed; it is told an hour later, when the camera is back.
    sink.decision(replace(NOTHING, timestamp_s=3614.0, wall_s=noon_s + 3600))
    sink.state(Episode(DECISION).ended(14.0, State.NOBODY, noon_s + 3600, 1.0))
    sink.alert(Alert(1, "run", Level.WARNING, Reason.LONG, State.DISTRACTED, "phone", 0.5, None, 49206.3, noon_s, 24.1))
    assert stream.getvalue().splitlines() == [
        "11:59:58 to 12:00:00  distracted (distracted 0.93)",
        "12:00:00  WARNING: long distraction",
    ]
    black = np.zeros((240, 320, 3), np.uint8)
    pictures = [draw(SeenFrame(black, None, stamp, NOTHING, wall_s=noon_s)) for stamp in (1.0, 49206.3)]
    assert np.array_equal(*pictures)


@pytest.mark.parametrize("display", [None, ":77"])
def test_a_window_needs_a_screen_and_its_lack_ends_no_process(monkeypatch, display):
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    if display is not None:
        monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(OutputError, match="--show: no window can be opened"):
        Display()


@pytest.fixture
def screen(monkeypatch):
    """A real X server without a monitor; the process."""
    read, write = os.pipe()
    server = subprocess.Popen([needs("Xvfb", "xvfb"), "-displayfd", str(write)], pass_fds=[write], stderr=-3)
    os.close(write)
    with open(read) as said:
        monkeypatch.setenv("DISPLAY", f":{said.readline().strip()}")
    yield server
    server.kill()
    server.wait()


def test_a_window_shows_frames_and_outlives_no_display(screen):
    sink = Display()
    for _ in range(3):
        sink.frame(SeenFrame(np.zeros((120, 160, 3), np.uint8), None, 0.0, DECISION))
        assert sink.poll()
    sink.close()
    assert sink.poll() is False  # what closes the window, such as a user, ends the run
    sink = Display()
    sink.frame(SeenFrame(np.zeros((120, 160, 3), np.uint8), None, 0.0, DECISION))
    screen.terminate()
    with pytest.raises(OutputError, match="the window has gone"):
        wait_for(lambda: not sink.poll())
    sink.close()
