"""A sink that is slow, hangs or fails, and what that means for the one who gives."""

from __future__ import annotations

import logging
import threading

import pytest

from edge_c2vl import outlet as module
from edge_c2vl.outlet import Outlet
from edge_c2vl.records import Decision, Episode, SeenFrame
from edge_c2vl.sinks import Sink
from tests.edge_c2vl.test_sinks import DECISION


class Gate(Sink):
    """Lets nothing through until it is opened."""

    def __init__(self):
        self.open, self.got, self.entered = threading.Event(), [], threading.Event()

    def decision(self, decision):
        self.entered.set()
        self.open.wait()
        self.got.append(decision)

    state = alert = frame = decision


def change():
    return Episode(DECISION).ended(14.0, None, 0.0, 1.0)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(module, "LIMIT", 5)
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)


def test_live_a_blocked_sink_never_delays_and_loses_old_decisions_only():
    gate = Gate()
    outlet = Outlet(gate, lossless=False, failed=pytest.fail)
    outlet.start()
    outlet.give(DECISION)
    gate.entered.wait()
    changes = [change(), change()]
    outlet.give(changes[0])
    for _ in range(100):
        outlet.give(DECISION)
    outlet.give(changes[1])
    gate.open.set()
    outlet.close()
    assert [record for record in gate.got if not isinstance(record, Decision)] == changes
    assert len(gate.got) == 1 + 5
    assert outlet.dropped == 97


def test_live_a_sink_that_hangs_is_given_up_at_the_end(caplog):
    gate = Gate()
    outlet = Outlet(gate, lossless=False, failed=pytest.fail)
    outlet.start()
    outlet.give(DECISION)
    gate.entered.wait()
    with caplog.at_level(logging.WARNING):
        outlet.close()
    assert "Gate did not finish" in caplog.text
    gate.open.set()


def test_from_a_file_every_record_arrives_in_order():
    gate = Gate()
    gate.open.set()
    outlet = Outlet(gate, lossless=True, failed=pytest.fail)
    outlet.start()
    records = [DECISION, change(), *[DECISION] * 50, change()]
    for record in records:
        outlet.give(record)
    outlet.close()
    assert gate.got == records
    assert outlet.dropped == 0


def test_the_newest_frame_replaces_one_that_was_not_taken():
    gate = Gate()
    outlet = Outlet(gate, lossless=False, failed=pytest.fail)
    outlet.start()
    frames = [SeenFrame(None, None, float(index), None) for index in range(10)]
    outlet.give_frame(frames[0])
    gate.entered.wait()
    for frame in frames[1:]:
        outlet.give_frame(frame)
    gate.open.set()
    outlet.close()
    assert gate.got == [frames[0], frames[-1]]


class Flaky(Sink):
    def __init__(self):
        self.calls, self.closed = 0, False

    def decision(self, decision):
        self.calls += 1
        raise OSError(28, "No space left on device")

    def close(self):
        self.closed = True


def test_live_a_sink_that_fails_is_told_of_once_and_tried_again(caplog):
    flaky = Flaky()
    outlet = Outlet(flaky, lossless=False, failed=pytest.fail)
    outlet.start()
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            outlet.give(DECISION)
        outlet.close()
    assert flaky.calls == outlet.failures == 4
    assert flaky.closed
    assert caplog.text.count("No space left on device") == 1


def test_from_a_file_a_sink_that_fails_ends_the_run():
    errors = []
    outlet = Outlet(Flaky(), lossless=True, failed=errors.append)
    outlet.start()
    for _ in range(50):
        outlet.give(DECISION)
    outlet.close()
    assert [error.errno for error in errors][:1] == [28]
