"""A broker that is killed again and again."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace

import pytest

from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.sinks import mqtt
from tests.edge_c2vl.fleet import ALERT, Listener, spool_at
from tests.edge_c2vl.test_speed import wait_for


@pytest.mark.slow
def test_ten_kills_of_the_broker_lose_no_alert(broker, tmp_path, monkeypatch):
    monkeypatch.setattr(mqtt, "BACKOFF_S", (0.1, 0.5))
    # A broker that was killed has forgotten who listens, and acknowledges what nobody hears: the sink comes back only
    # when the listener has.
    gate = threading.Event()
    connect = mqtt.Mqtt._connect

    def connect_when_heard(sink):
        if not gate.wait(0.05):
            raise EdgeC2VLError("nobody listens yet")
        return connect(sink)

    monkeypatch.setattr(mqtt.Mqtt, "_connect", connect_when_heard)
    generator = random.Random(1)
    sink = mqtt.Mqtt(f"mqtt://127.0.0.1:{broker.port}/edge", spool_at(tmp_path / "queue.db"))
    listeners, number = [], 0

    def send(seconds):
        nonlocal number
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            number += 1
            sink.alert(replace(ALERT, number=number))
            time.sleep(0.01)

    for _ in range(10):
        listeners.append(Listener(broker.port))
        before = sink.connections
        gate.set()
        wait_for(lambda before=before: sink.connections > before, 30)
        send(generator.uniform(0.3, 1.0))
        gate.clear()
        broker.kill()
        wait_for(listeners[-1].lost.is_set, 30)  # when it has read all that the broker had sent
        listeners[-1].close()  # or it would come back to the next broker as well
        send(generator.uniform(0.1, 0.5))
        broker.start()
    listeners.append(Listener(broker.port))
    gate.set()
    wait_for(lambda: sink.waiting == 0, 30)
    sink.close()
    # The broker acknowledges before the listener has heard.
    wait_for(lambda: any(record["number"] == number for record in listeners[-1].alerts()), 30)
    listeners[-1].close()
    # Per broker's life: in order, and what was sent twice is marked.
    got = [record for listener in listeners for record in listener.alerts()]
    unmarked = [record["number"] for record in got if not record.get("repeated")]
    assert len(unmarked) == len(set(unmarked))
    first_time = list(dict.fromkeys(record["number"] for record in got))
    assert first_time == sorted(first_time)
    assert set(first_time) == set(range(1, number + 1))
