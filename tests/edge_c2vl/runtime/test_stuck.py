"""systemd hears how a run goes, a stage that hangs ends it, and lesser faults end nothing."""

from __future__ import annotations

import errno
import socket
import threading

import numpy as np
import pytest

from edge_c2vl.device.systemd import Notifier
from edge_c2vl.monitoring.policy import State
from edge_c2vl.runtime import pipeline as pipeline_module
from edge_c2vl.runtime import upkeep as upkeep_module
from edge_c2vl.runtime.upkeep import Stuck
from tests.support.pipeline import Blinking, Camera, Encoder, Kept, Pose, build
from tests.support.waiting import wait_for


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    address = tmp_path / "notify"
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(address))
    monkeypatch.setenv("NOTIFY_SOCKET", str(address))
    monkeypatch.setattr(upkeep_module, "CHECK_INTERVAL_S", 0.05)
    told = []

    def listen():
        while (line := channel.recv(1000).decode()) != "the end":
            told.append(line)

    listener = threading.Thread(target=listen)
    listener.start()
    yield told
    channel.close()


def test_systemd_hears_of_start_progress_and_end(systemd):
    build(Blinking(300, ())).run()
    Notifier().send("the end")
    wait_for(lambda: systemd[-1:] == ["STOPPING=1"])
    assert systemd[0] == "READY=1"
    assert any(line.startswith("WATCHDOG=1\nSTATUS=") for line in systemd)


def test_systemd_is_told_also_when_no_file_can_be_opened(systemd, monkeypatch):
    notifier = Notifier()
    notifier.send("READY=1")

    def exhausted(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("edge_c2vl.device.systemd.socket.socket", exhausted)
    notifier.send("WATCHDOG=1")
    notifier.send("the end")
    notifier.close()
    wait_for(lambda: systemd == ["READY=1", "WATCHDOG=1"])


@pytest.mark.parametrize("what", ["upkeep.temperature_c", "upkeep.Throttle.update", "pipeline.psutil.Process"])
def test_what_fails_in_looking_after_a_run_is_told_once_and_ends_nothing(what, monkeypatch, caplog):
    def fails(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(upkeep_module, "CHECK_INTERVAL_S", 0.02)
    monkeypatch.setattr(f"edge_c2vl.runtime.{what}", fails)
    kept = Kept()
    summary = build(Blinking(300, ()), Pose(), sinks=[kept]).run()
    assert summary.frames > 0
    assert kept.decisions
    assert ["Too many open files" in record.getMessage() for record in caplog.records] == [True]


class Window(Kept):
    """A window whose display has gone."""

    on_main_thread = True

    def poll(self):
        raise RuntimeError("no display")


def test_a_window_that_fails_is_told_once_and_the_run_goes_on(caplog):
    window = Window()
    build(Blinking(200, ()), Pose(), sinks=[window]).run()
    assert window.decisions
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "Window failed, and the run goes on without it"
    ]


class Hanging(Pose):
    def __init__(self):
        super().__init__()
        self.release = threading.Event()

    def estimate(self, image_bgr, timestamp_s):
        if self._index == 30:
            self.release.wait(20)
        return super().estimate(image_bgr, timestamp_s)


def test_a_stage_that_hangs_ends_the_run_with_everything_flushed(monkeypatch):
    monkeypatch.setattr(upkeep_module, "CHECK_INTERVAL_S", 0.05)
    monkeypatch.setattr(pipeline_module, "STAGE_STOP_TIMEOUT_S", 0.2)
    kept, pose = Kept(), Hanging()
    with pytest.raises(Stuck, match="start the process again"):
        build(Blinking(10**6, ()), pose, Encoder(), [kept], watchdog_s=0.5).run()
    assert kept.closed == 1
    assert kept.decisions
    pose.release.set()


class HangingEncoder(Encoder):
    def __init__(self):
        super().__init__()
        self.release = threading.Event()

    def _infer(self, clip):
        if len(self.clips) == 5:
            self.release.wait(20)
        return super()._infer(clip)


def test_an_encoder_that_hangs_ends_the_run_too(monkeypatch):
    monkeypatch.setattr(upkeep_module, "CHECK_INTERVAL_S", 0.05)
    monkeypatch.setattr(pipeline_module, "STAGE_STOP_TIMEOUT_S", 0.2)
    kept, encoder = Kept(), HangingEncoder()
    with pytest.raises(Stuck, match="no progress of encoder"):
        build(Blinking(10**6, ()), Pose(), encoder, [kept], watchdog_s=0.5).run()
    assert kept.closed == 1
    encoder.release.set()


def test_a_stage_that_hangs_does_not_keep_a_run_from_being_ended(monkeypatch):
    monkeypatch.setattr(pipeline_module, "STAGE_STOP_TIMEOUT_S", 0.2)
    kept, pose = Kept(), Hanging()
    pipeline = build(Blinking(10**6, ()), pose, sinks=[kept])
    threading.Timer(1.0, pipeline.stop).start()
    pipeline.run()
    assert kept.closed == 1
    pose.release.set()


class Overflowing(Encoder):
    """Gives no number for the 20th to 40th clip, as a network that was quantised badly may."""

    def _infer(self, clip):
        logits, embedding = super()._infer(clip)
        return (logits * np.nan if 20 <= len(self.clips) < 40 else logits), embedding


def test_an_encoder_that_gives_no_number_cannot_see_and_recovers():
    kept = Kept()
    build(Camera(600), encoder=Overflowing(), sinks=[kept]).run()
    assert [change.state for change in kept.states] == [
        State.STARTING,
        State.DISTRACTED,
        State.CANNOT_SEE,
        State.DISTRACTED,
    ]
