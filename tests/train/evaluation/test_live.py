"""`edge-c2vl eval FILE... --live`: truth from a CSV, events from what the live pipeline says."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from cli import edge_c2vl
from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.errors import DatasetError, EdgeC2VLError, UsageError
from edge_c2vl.monitoring.events import SeenSkeleton
from edge_c2vl.monitoring.policy import State
from edge_c2vl.monitoring.standing import Level, Reason
from tests.support.videos import Recordings
from train.evaluation.live import Recorder
from train.extraction.label_files import OwnLabels, Span, read_truth

LABELS = ["attentive", "distracted"]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_truth(tmp_path: Path) -> None:
    text = "\ufefflabel,start,end,remark\ndistracted, 0.5, 2 ,phone\nattentive,2,3.25,\n"
    assert read_truth(write(tmp_path / "a.csv", text), LABELS) == [
        Span(0.5, 2, "distracted"),
        Span(2, 3.25, "attentive"),
    ]


@pytest.mark.parametrize(("text", "message"), [
    ("start,label\n0,distracted\n", "line 1 lacks the columns end"),
    ("", "line 1 lacks the columns start, end, label"),
    ("start,end,label\n0,1,distracted\n1,2,asleep\n", "line 3: the label 'asleep' is unknown; there are"),
    ("start,end,label\n0,x,distracted\n", "line 2: '0' and 'x' should be seconds"),
    ("start,end,label\n3,1,distracted\n", "line 2: from 3 to 1 s is no span"),
    ("start,end,label\nnan,1,distracted\n", "line 2: from nan to 1 s is no span"),
    ("start,end,label\n-1,1,distracted\n", "line 2: from -1 to 1 s is no span"),
    ("start,end,label\n1,11,distracted\n", "line 2: 11 s lies beyond the video's end at 10.00 s"),
    ("start,end,label\n1\n", "line 2: '1' and None should be seconds"),
    ("start,end,label\n0,8,attentive\n1,2,attentive\n3,4,distracted\n", "line 4: it begins at 3 s, when 'attentive'"),
    ('start,end,label\n1,2,"distracted\n', "line 2: unexpected end of data"),
])  # fmt: skip
def test_broken_truth_is_one_line_with_its_row(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=r"a\.csv") as caught:
        read_truth(write(tmp_path / "a.csv", text), LABELS, 10.0)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet='0123456789.,"\n\r aendstrilb\0', max_size=80))
def test_junk_is_refused_not_crashed_on(tmp_path: Path, junk: str) -> None:
    path = write(tmp_path / "junk.csv", "start,end,label\n" + junk)
    try:
        spans = read_truth(path, LABELS)
    except DatasetError:
        return
    assert all(0 <= span.start_s < span.end_s and span.label in LABELS for span in spans)


@dataclass
class Said:
    """As much of a decision, a change of state or an alert as the recorder looks at."""

    timestamp_s: float = 0.0
    state: State = State.ATTENTIVE
    label: str | None = None
    start_s: float = 0.0
    end_s: float = 0.0
    level: Level = Level.NONE
    reason: Reason | None = None


def test_labels_within_a_distraction_are_told_apart() -> None:
    recorder = Recorder()
    recorder.decisions = [  # type: ignore[assignment]
        Said(0.0, State.STARTING),
        Said(0.5, State.DISTRACTED, "phone"),
        Said(1.0, State.DISTRACTED, "phone"),
        Said(1.5, State.DISTRACTED, "drink"),
        Said(2.0, State.ATTENTIVE, "attentive"),
        Said(2.5, State.CANNOT_SEE),
        Said(3.0, State.DISTRACTED, "drink"),
        Said(3.5, State.DISTRACTED, "drink"),
    ]
    assert recorder.labelled() == [Span(0.5, 1.5, "phone"), Span(1.5, 2.0, "drink"), Span(3.0, 3.5, "drink")]
    recorder.changes = [  # type: ignore[assignment]
        Said(state=State.STARTING, start_s=0, end_s=0.5),
        Said(state=State.DISTRACTED, start_s=0.5, end_s=2.0),
    ]
    assert recorder.distracted() == [Span(0.5, 2.0)]


def test_an_alert_that_grows_is_one_alert() -> None:
    recorder = Recorder()
    recorder.alerts = [  # type: ignore[assignment]
        Said(1.0, level=Level.NOTICE, reason=Reason.LONG),
        Said(2.0, level=Level.WARNING, reason=Reason.LONG),
        Said(2.5, level=Level.WARNING, reason=Reason.CUMULATIVE),
        Said(2.5, level=Level.CRITICAL, reason=Reason.UNRESPONSIVE),
        Said(3.0, level=Level.NONE, reason=Reason.LONG),
        Said(3.0, level=Level.NONE, reason=Reason.UNRESPONSIVE),
        Said(3.5, level=Level.NOTICE, reason=Reason.ELSEWHERE),
        Said(4.0, level=Level.NOTICE, reason=Reason.CANNOT_SEE),
        Said(4.5, level=Level.NOTICE, reason=Reason.LONG),
        Said(4.6, level=Level.NONE, reason=Reason.LONG),
        Said(5.0, level=Level.NONE, reason=Reason.CUMULATIVE),
        Said(6.0, level=Level.WARNING, reason=Reason.CUMULATIVE),
    ]
    assert recorder.alert_times() == [1.0, 6.0]


def test_hours_are_those_that_were_watched() -> None:
    recorder = Recorder()
    for index in range(46):
        recorder.skeleton(SeenSkeleton(None, index / 30))
    for index in range(45):
        recorder.skeleton(SeenSkeleton(None, 41.5 + index / 30))
    assert recorder.seconds == pytest.approx(1.5 + 1.0 + 44 / 30)
    recorder.decisions = [  # type: ignore[assignment]
        Said(1.0, State.DISTRACTED, "phone"),
        Said(1.5, State.DISTRACTED, "phone"),
        Said(41.5, State.DISTRACTED, "phone"),
        Said(42.0, State.DISTRACTED, "phone"),
    ]
    assert recorder.labelled() == [Span(1.0, 1.5, "phone"), Span(41.5, 42.0, "phone")]


def test_ambiguous_spans_and_gaps_are_no_time_to_divide_by() -> None:
    recorder = Recorder([Span(2.0, 4.0, "-")])
    for tenth in (*range(0, 60), *range(1000, 1010)):
        recorder.skeleton(SeenSkeleton(None, tenth / 10))
    # 0 to 5.9 s without 2.0 to 4.0, at most `max_step_s` of the gap, 100.0 to 100.9 s.
    assert recorder.seconds == pytest.approx(5.9 - 2.1 + 1.0 + 0.9)


@pytest.mark.parametrize("label", ["-", "?"])
def test_a_span_can_be_marked_as_ambiguous(tmp_path: Path, label: str) -> None:
    text = f"start,end,label\n0,1,{label}\n1,2,distracted\n"
    path = write(tmp_path / "a.csv", text)
    assert [span.label for span in read_truth(path, LABELS)] == [label, "distracted"]
    times_s = np.arange(0, 3, 0.5)
    labels = OwnLabels(("attentive", "distracted")).of(str(tmp_path / "a.mp4"), times_s)
    assert labels.tolist() == [-1, -1, 1, 1, 0, 0]


def call(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(edge_c2vl, [str(argument) for argument in arguments], standalone_mode=False)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


# Recordings and their seconds.
DRIVES = {"phoning.mp4": 5, "video/action_recognition.gif": 3}


@pytest.fixture(params=DRIVES)
def drive(request: pytest.FixtureRequest, recording: Recordings, tmp_path: Path) -> Path:
    """Some seconds of somebody phoning at the wheel, whom the default bundle takes for distracted."""
    original = recording(request.param)
    video = tmp_path / f"drive{original.suffix}"
    shutil.copy(original, video)
    write(tmp_path / "drive.csv", f"start,end,label\n0,{DRIVES[request.param] - 0.1},distracted\n")
    return video


@pytest.fixture
def seconds(drive: Path) -> int:
    return next(seconds for name, seconds in DRIVES.items() if name.endswith(drive.suffix))


def test_a_recording_through_the_whole_pipeline(drive: Path, seconds: int, tmp_path: Path) -> None:
    told = call("eval", drive, "--live", "--hop", "0.1", "--report", tmp_path / "report")
    assert "delay p50 s" in told.stdout
    values = json.loads((tmp_path / "report" / "report.json").read_text())
    events = values["events"]
    assert (events["truth"], events["noticed"]) == (1, 1)
    # The window has to be half full (1.5 s) before there is a first decision.
    assert 1.3 <= events["delay_median_s"] <= 2.9
    assert events["hours"] == pytest.approx((seconds - 0.1) / 3600, rel=0.05)
    assert events["false_alerts"] == events["false_events"] == 0
    page = (tmp_path / "report" / "report.html").read_text()
    assert "data:image/png;base64," in page


def simulated(folder: Path, seconds: float) -> None:
    """A simulated driver as numbered pictures, 5 a second."""
    folder.mkdir(parents=True)
    with open_camera("simulated:texting?size=320x240&live=no&fps=5", CameraOptions()) as camera:
        for number in range(round(5 * seconds)):
            cv2.imwrite(str(folder / f"{number:04d}.png"), camera.read().image)


def test_a_folder_is_all_that_lies_in_it_and_a_rate_says_of_how_much(tmp_path: Path) -> None:
    simulated(tmp_path / "frames", 4)
    film = tmp_path / "drives" / "anna" / "monday.avi"
    film.parent.mkdir(parents=True)
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 5, (320, 240))
    for picture in sorted((tmp_path / "frames").iterdir()):
        writer.write(cv2.imread(str(picture)))
    writer.release()
    (film.parent / "._monday.avi").write_bytes(b"Mac OS X")
    write(film.with_suffix(".csv"), "start,end,label\n0,1,-\n")
    write(tmp_path / "frames.csv", "\ufeffstart,end,label,reasons\n0,4,attentive,drowsy\n")
    told = call(
        "eval", tmp_path / "drives", tmp_path / "frames", "--live", "--fps", "5", "--report", tmp_path / "report"
    )
    values = json.loads((tmp_path / "report" / "report.json").read_text())
    recordings = {Path(name).name: found for name, found in values["recordings"].items()}
    assert set(recordings) == {"monday.avi", "frames"}
    assert recordings["frames"]["seconds"] == pytest.approx(3.8)
    assert recordings["monday.avi"]["seconds"] == pytest.approx(2.8)  # less what is ambiguous
    assert values["events"]["seconds"] == pytest.approx(6.6)
    assert " in 7 s)" in told.stdout
    # Of the recording that tells reasons: an alert was due, and without the face none comes.
    found = values["reasons"]["drowsy"]
    assert (found["due"], found["alerts"], found["recall"]) == (1, 0, 0.0)
    assert found["seconds"] == pytest.approx(3.8)
    assert recordings["monday.avi"]["reasons"] == {}
    assert "Each reason for alerts" in told.stdout
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UsageError, match="holds no video"):
        call("eval", tmp_path / "nothing", "--live")


def test_labels_are_checked_before_anything_is_played(drive: Path, seconds: int, tmp_path: Path) -> None:
    beyond = seconds + 1
    write(tmp_path / "drive.csv", f"start,end,label\n0,2,distracted\n1,{beyond},distracted\n")
    with pytest.raises(DatasetError, match=rf"csv, line 3: {beyond} s lies beyond the video's end at {seconds}\.00 s"):
        call("eval", drive, "--live")
    (tmp_path / "drive.csv").unlink()
    with pytest.raises(DatasetError, match=r"drive\.csv does not exist"):
        call("eval", drive, "--live")
    with pytest.raises(EdgeC2VLError, match="there is no file"):
        call("eval", tmp_path / "nowhere.mp4", "--live")


def test_a_recording_without_live_is_told_how(drive: Path) -> None:
    with pytest.raises(Exception, match="for a recording of your own add --live"):
        call("eval", drive)
