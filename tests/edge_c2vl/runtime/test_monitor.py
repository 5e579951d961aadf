"""edge_c2vl.Monitor: the same run as `edge-c2vl run`, inside a program."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import typing
from typing import ClassVar

import numpy as np
import pytest

import edge_c2vl
from edge_c2vl import Alert, Bundle, Decision, Level, Monitor, Reason, Sink, State, open_camera
from edge_c2vl.errors import CameraError, UsageError
from edge_c2vl.runtime.keywords import RunKeywords
from edge_c2vl.runtime.monitor import _Handover
from edge_c2vl.runtime.settings import RunSettings
from edge_c2vl.settings.fields import options_of
from edge_c2vl.skeletons.clip import ClipSpec
from tests.support.commands import call
from tests.support.imports import FORBIDDEN, imported
from tests.support.pipeline import Encoder, Pose
from tests.support.records import DECISION
from tests.support.tiny_bundle import LABELS, clips, make_bundle

pytestmark = pytest.mark.usefixtures("kept_answers")

# What differs from run to run.
CLOCKS = ("time", "age_ms", "encoder_ms", "latency_ms", "run")


def plain(record):
    return {name: value for name, value in record.items() if name not in CLOCKS}


@pytest.fixture(scope="module")
def told_by_command(recording, tmp_path_factory):
    """A film, and the JSON lines of the command about it: decisions, and changes of state and alerts."""
    film, folder = str(recording("story.mp4")), tmp_path_factory.mktemp("command")
    files = [folder / "decisions.jsonl", folder / "events.jsonl"]
    call("run", "--camera", film, "--decisions", files[0], "--events", files[1], "--quiet")
    return film, *([plain(json.loads(line)) for line in file.read_text().splitlines()] for file in files)


def test_iterating_gives_the_decisions_of_the_command(told_by_command):
    film, decisions, events = told_by_command
    told = []
    monitor = Monitor(film, on_state=told.append, on_alert=told.append)
    assert [plain(decision.to_json()) for decision in monitor] == decisions
    assert [plain(record.to_json()) for record in told] == events
    assert monitor.summary.decisions == len(decisions) > 10


def test_pushing_gives_the_decisions_of_the_command(told_by_command):
    film, decisions, events = told_by_command
    told, found = [], []
    with Monitor(on_state=told.append, on_alert=told.append) as monitor, open_camera(film) as camera:
        assert monitor.labels == Bundle.open("default").manifest.labels
        while (frame := camera.read()) is not None:
            decision = monitor.push(frame.image, frame.timestamp_s)
            found += [] if decision is None else [plain(decision.to_json())]
    assert found == decisions
    assert [plain(record.to_json()) for record in told] == events
    assert any(decision["probabilities"] for decision in decisions)
    assert monitor.summary.frames > len(found)


class StillPose(Pose):
    """Stands for PoseEstimator."""

    name = "scripted"
    shapes: ClassVar[list[tuple[int, ...]]] = []
    asked: ClassVar[dict[str, object]] = {}

    def __init__(self, _model, **asked):
        super().__init__()
        self.shapes.clear()
        self.asked.clear()
        self.asked.update(asked)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def estimate(self, image_bgr, timestamp_s):
        self.shapes.append(image_bgr.shape)
        return super().estimate(image_bgr, timestamp_s)


class SmallEncoder(Encoder):
    """Says that the driver is distracted, all the time."""

    def __init__(self):
        super().__init__(3.0)
        self.clip_shape = (3, 8, 25)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Keywords of a monitor without networks."""
    monkeypatch.setattr("edge_c2vl.inference.select.open_backend", lambda *_: SmallEncoder())
    monkeypatch.setattr("edge_c2vl.pose.PoseEstimator", StillPose)
    return {"bundle": str(make_bundle(tmp_path / "bundle", clip=ClipSpec(frames=8, seconds=2.0)).path)}


def pictures(seconds, fps=10):
    """Noise at the times of a recording."""
    random = np.random.default_rng(0)
    for index in range(int(seconds * fps)):
        yield random.integers(0, 255, (48, 64, 3), np.uint8), index / fps


def test_alerts_are_called_for_as_they_change_and_outputs_are_given_them_too(small, tmp_path):
    told: list[Alert] = []

    class Kept(Sink):
        def __init__(self):
            self.alerts, self.closed = [], 0

        def alert(self, alert):
            self.alerts.append(alert)

        def close(self):
            self.closed += 1

    kept, events = Kept(), tmp_path / "events.jsonl"
    with Monitor(on_alert=told.append, sinks=[kept], events=str(events), **small) as monitor:
        for picture, time_s in pictures(20):
            monitor.push(picture, time_s)
    assert Level.CRITICAL in {alert.level for alert in told}
    assert told[-1].level is Level.NONE  # at the end of the run
    assert kept.alerts == told
    assert kept.closed == 1
    kinds = [json.loads(line)["kind"] for line in events.read_text().splitlines()]
    assert kinds.count("alert") == len(told)
    assert kinds[-1] == "state"


def test_what_a_callback_raises_reaches_the_caller(small):
    def fail(alert):
        raise RuntimeError("no horn")

    monitor = Monitor(on_alert=fail, **small)

    def push_all():
        for picture, time_s in pictures(20):
            monitor.push(picture, time_s)

    with pytest.raises(RuntimeError, match="no horn"):
        push_all()
    with pytest.raises(RuntimeError, match="no horn"):  # the alert's end
        monitor.close()
    monitor.close()


def test_a_camera_that_hangs_cannot_see(small):
    picture = np.zeros((48, 64, 3), np.uint8)
    with Monitor(**small) as monitor:
        states = [decision.state.value for index in range(100) if (decision := monitor.push(picture, index / 10))]
    assert states[-1] == "cannot see"


@pytest.mark.parametrize(
    ("frame", "time_s", "message"),
    [
        (np.zeros((4, 4, 4), np.uint8), 0.0, "uint8 .4, 4, 4."),
        (np.zeros((4, 4, 3)), 0.0, "float64"),
        (None, 0.0, "NoneType"),
        (np.zeros((4, 4, 3), np.uint8), float("nan"), "timestamp_s is nan"),
    ],
)
def test_a_frame_that_is_none_is_told(small, frame, time_s, message):
    with Monitor(**small) as monitor, pytest.raises(ValueError, match=message):
        monitor.push(frame, time_s)


def test_the_crop_and_the_rotation_hold_for_pushed_frames_too(small):
    with Monitor(crop="0,0,1,0.5", rotate="90", **small) as monitor:
        monitor.push(np.zeros((48, 64), np.uint8), 0.0)
    assert StillPose.shapes == [(32, 48, 3)]


def test_the_pose_network_is_opened_as_asked(small):
    with Monitor(min_detection=0.2, threads=3, **small):
        assert str(StillPose.asked.pop("bundle").path) == small["bundle"]
        assert StillPose.asked == {"kind": "auto", "threads": 3, "min_detection_confidence": 0.2}


def test_self_calibration_can_be_switched_off(small):
    for off in (False, True):
        with Monitor(no_self_calibration=off, **small) as monitor:
            told = [decision for frame in pictures(1) if (decision := monitor.push(*frame)) is not None]
        assert {decision.learnt is None for decision in told} == {off}


def test_wrong_use_is_told(small):
    with pytest.raises(UsageError, match="no option --hopp"):
        Monitor("0", hopp=1)  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="--hop"):
        Monitor("0", hop=9)
    with pytest.raises(UsageError, match="main thread"):
        Monitor("0", show=True)  # type: ignore[call-arg]
    with pytest.raises(CameraError, match="missing.mp4"):
        next(iter(Monitor("missing.mp4", **small)))
    with pytest.raises(UsageError, match="no camera"):
        next(iter(Monitor(**small)))
    with pytest.raises(UsageError, match="reads its camera"):
        Monitor("0").push(np.zeros((4, 4, 3), np.uint8), 0.0)
    closed = Monitor(**small)
    closed.close()
    with pytest.raises(UsageError, match="is closed"):
        closed.push(np.zeros((4, 4, 3), np.uint8), 0.0)


def test_a_loop_that_is_left_closes_the_run(small, recording, tmp_path):
    events = tmp_path / "events.jsonl"
    monitor = Monitor(str(recording("story.mp4")), events=str(events), **small)
    for decision in monitor:
        assert isinstance(decision, Decision)
        break
    assert json.loads(events.read_text().splitlines()[-1])["kind"] == "state"
    with pytest.raises(UsageError, match="is closed"):
        next(iter(monitor))


def test_a_monitor_that_was_only_opened_closes_its_outputs(small):
    class Closed(Sink):
        count = 0

        def close(self):
            self.count += 1

    sinks = [Closed(), Closed()]
    with Monitor("simulated:attentive?live=no&seconds=1&size=160x120", sinks=sinks[:1], **small):
        pass
    with Monitor(sinks=sinks[1:], **small):
        pass
    assert [sink.count for sink in sinks] == [1, 1]


def test_a_configuration_file_counts_and_keywords_before_it(tmp_path):
    file = tmp_path / "car.yaml"
    file.write_text("camera: sample\nhop: 0.5\nmirror: true\n")
    asked = Monitor(config=file, hop=0.2)._asked
    assert (asked.source.camera, asked.decision.hop, asked.picture.mirror) == ("sample", 0.2, True)


def test_live_a_newer_decision_replaces_one_that_nobody_took_and_no_alert_is_lost():
    handover = _Handover()
    handover.lossless = False
    alert = Alert(1, "run", Level.NOTICE, Reason.LONG, State.DISTRACTED, None, 1.0, None, 0.0, 0.0, 0.0)
    handover.decision(DECISION)
    handover.alert(alert)
    handover.decision(DECISION)
    handover.decision(DECISION)
    handover.end()
    assert [type(record) for record in iter(handover.take, None)] == [Alert, Decision]


def test_ctrl_c_ends_a_program_with_its_outputs_written(tmp_path):
    events = tmp_path / "events.jsonl"
    program = f"""
from edge_c2vl import Monitor
for decision in Monitor("simulated:attentive?size=160x120", events={str(events)!r}):
    print(decision.state.value, flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert json.loads(events.read_text().splitlines()[-1])["kind"] == "state"


def test_the_keywords_are_the_options_of_the_command():
    hints = typing.get_type_hints(RunKeywords)
    left_out = {"camera", "quiet", "json", "show"}
    options = {option.name: option for option in options_of(RunSettings) if option.name not in left_out}
    assert set(hints) == {*options, "policy"}
    for name, option in options.items():
        assert hints[name] == (option.kind | None if option.optional else option.kind), name


def test_importing_the_package_loads_nothing_heavy():
    assert not imported("import edge_c2vl") & {"numpy", "cv2", "onnxruntime", "click", "yaml"}
    assert not imported("from edge_c2vl import *") & set(FORBIDDEN)
    assert set(edge_c2vl.__all__) == {*edge_c2vl._PUBLIC, "__version__"} <= set(dir(edge_c2vl))
    for name in edge_c2vl.__all__:
        assert getattr(edge_c2vl, name) is not None
    with pytest.raises(AttributeError, match="Monitr"):
        _ = edge_c2vl.Monitr


def test_a_bundle_classifies_clips(tmp_path):
    make_bundle(tmp_path / "bundle")
    with Bundle.open(tmp_path / "bundle", precision="fp32") as bundle:
        found = bundle.classify(clips(3))
        assert bundle.labels == LABELS
        assert found.shape == (3, 2)
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_array_equal(bundle.classify([]), np.zeros((0, 2)))
    with pytest.raises(RuntimeError, match="closed"):
        bundle.classify(clips(1))
