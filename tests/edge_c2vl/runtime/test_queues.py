"""A sink that is slow, hangs or fails, and what that means for the one who gives."""

from __future__ import annotations

import logging
import threading

import pytest

from edge_c2vl.errors import OutputError, UsageError
from edge_c2vl.monitoring.events import Decision, Episode, SeenFrame
from edge_c2vl.outputs.base import Sink
from edge_c2vl.outputs.deferred import Deferred
from edge_c2vl.runtime.queues import OutputQueue
from tests.support.records import DECISION
from tests.support.waiting import wait_for


class Gate(Sink):
    """Lets nothing through until it is opened."""

    def __init__(self):
        self.unlocked, self.got, self.entered = threading.Event(), [], threading.Event()

    def decision(self, decision):
        self.entered.set()
        self.unlocked.wait()
        self.got.append(decision)

    state = alert = frame = decision


def change():
    return Episode(DECISION).ended(14.0, None, 0.0, 1.0)


def small_queue(sink, lossless, failed=pytest.fail, reopen_backoff_s=(0.01, 0.02)):
    return OutputQueue(sink, lossless, failed, 5, 0.2, reopen_backoff_s)


def test_live_a_blocked_sink_never_delays_and_loses_old_decisions_only():
    gate = Gate()
    queue = small_queue(gate, lossless=False)
    queue.start()
    queue.give(DECISION)
    gate.entered.wait()
    changes = [change(), change()]
    queue.give(changes[0])
    for _ in range(100):
        queue.give(DECISION)
    queue.give(changes[1])
    gate.unlocked.set()
    queue.close()
    assert [record for record in gate.got if not isinstance(record, Decision)] == changes
    assert len(gate.got) == 1 + 5
    assert queue.dropped == 97


def test_live_a_sink_that_hangs_is_given_up_at_the_end(caplog):
    gate = Gate()
    queue = small_queue(gate, lossless=False)
    queue.start()
    queue.give(DECISION)
    gate.entered.wait()
    with caplog.at_level(logging.WARNING):
        queue.close()
    assert "Gate did not finish" in caplog.text
    gate.unlocked.set()


def test_from_a_file_every_record_arrives_in_order():
    gate = Gate()
    gate.unlocked.set()
    queue = small_queue(gate, lossless=True)
    queue.start()
    records = [DECISION, change(), *[DECISION] * 50, change()]
    for record in records:
        queue.give(record)
    queue.close()
    assert gate.got == records
    assert queue.dropped == 0


def test_the_newest_frame_replaces_one_that_was_not_taken():
    gate = Gate()
    queue = small_queue(gate, lossless=False)
    queue.start()
    frames = [SeenFrame(None, None, float(index), None) for index in range(10)]
    queue.give_frame(frames[0])
    gate.entered.wait()
    for frame in frames[1:]:
        queue.give_frame(frame)
    gate.unlocked.set()
    queue.close()
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
    queue = small_queue(flaky, lossless=False)
    queue.start()
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            queue.give(DECISION)
        queue.close()
    assert flaky.calls == queue.failures == 4
    assert flaky.closed
    assert caplog.text.count("No space left on device") == 1


def test_from_a_file_a_sink_that_fails_ends_the_run():
    errors = []
    queue = small_queue(Flaky(), lossless=True, failed=errors.append)
    queue.start()
    for _ in range(50):
        queue.give(DECISION)
    queue.close()
    assert [error.errno for error in errors][:1] == [28]


def test_from_a_file_what_the_system_refuses_an_output_is_told_with_its_option():
    errors, flaky = [], Flaky()
    flaky.name = "events"
    queue = small_queue(flaky, lossless=True, failed=errors.append)
    queue.start()
    queue.give(DECISION)
    queue.close()
    assert [(type(error), str(error)) for error in errors] == [
        (OutputError, "--events: cannot write: No space left on device")
    ]


class Late(Sink):
    """Keeps what it is given."""

    def __init__(self):
        self.got = []

    def decision(self, decision):
        self.got.append(decision)

    state = decision


class Door:
    """Builds the sink once it is unlocked."""

    def __init__(self):
        self.unlocked, self.tries, self.sink = False, 0, Late()

    def __call__(self):
        self.tries += 1
        if not self.unlocked:
            raise OutputError("events.jsonl: no room")
        return self.sink


def test_live_an_output_that_cannot_open_is_told_once_and_tried_until_it_opens(caplog):
    door = Door()
    output = Deferred("events", door)
    output.open_first(may_wait=True)
    queue = small_queue(output, lossless=False)
    queue.start()
    changes = [change(), change()]
    queue.give(changes[0])
    for _ in range(100):
        queue.give(DECISION)
    queue.give(changes[1])
    wait_for(lambda: door.tries > 5)
    assert output.problem == "events.jsonl: no room"
    door.unlocked = True
    wait_for(lambda: changes[1] in door.sink.got)
    assert output.problem is None
    queue.close()
    # As of a sink that is behind, old decisions were dropped and nothing else.
    assert [record for record in door.sink.got if not isinstance(record, Decision)] == changes
    assert queue.dropped == 97
    assert caplog.text.count("events.jsonl: no room; the run goes on without --events") == 1
    assert caplog.text.count("--events works again") == 1


def test_live_an_output_that_opens_at_the_very_end_still_gets_what_waited():
    door = Door()
    output = Deferred("events", door)
    output.open_first(may_wait=True)
    queue = small_queue(output, lossless=False, reopen_backoff_s=(100.0, 100.0))
    queue.start()
    kept = change()
    queue.give(kept)
    wait_for(lambda: door.tries == 2)
    door.unlocked = True
    queue.close()
    assert door.sink.got == [kept]


def test_live_an_output_that_never_opens_ends_with_the_run_and_its_records_are_counted():
    door = Door()
    output = Deferred("events", door)
    output.open_first(may_wait=True)
    queue = small_queue(output, lossless=False)
    queue.start()
    queue.give(change())
    queue.close()
    assert queue.dropped == 1


def test_an_output_that_hangs_while_it_opens_does_not_keep_a_run_from_starting(caplog):
    released, sink = threading.Event(), Late()

    def build():
        released.wait()
        return sink

    output = Deferred("events", build)
    output.open_first(may_wait=True, timeout_s=0.1)
    assert "did not open in" in caplog.text
    queue = small_queue(output, lossless=False)
    queue.start()
    queue.give(DECISION)
    released.set()
    wait_for(lambda: sink.got == [DECISION])
    queue.close()


@pytest.mark.parametrize("may_wait", [True, False])
def test_wrong_usage_ends_at_once_and_on_a_recording_everything_does(may_wait):
    def misused():
        raise UsageError("no such address")

    with pytest.raises(UsageError):
        Deferred("mqtt", misused).open_first(may_wait)
    if not may_wait:
        with pytest.raises(OutputError):
            Deferred("events", Door()).open_first(may_wait)


def test_wrong_usage_that_is_found_late_ends_the_run():
    released, errors = threading.Event(), []

    def misused():
        released.wait()
        raise UsageError("no such address")

    output = Deferred("mqtt", misused)
    output.open_first(may_wait=True, timeout_s=0.1)
    released.set()
    queue = small_queue(output, lossless=False, failed=errors.append)
    queue.start()
    wait_for(lambda: errors)
    assert isinstance(errors[0], UsageError)
    queue.close()
