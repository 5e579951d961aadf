"""What tests of alerts, their outputs and the page share: an alert, a broker's subscriber, a run's counts."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

from edge_c2vl.policy import Level, Reason, State
from edge_c2vl.records import Alert
from edge_c2vl.spool import Spool
from edge_c2vl.summary import Summary
from edge_c2vl.timing import Timings

ALERT = Alert(
    number=1,
    run="abc",
    level=Level.WARNING,
    reason=Reason.LONG,
    state=State.DISTRACTED,
    label="distracted",
    awareness=0.5,
    speed_kmh=None,
    timestamp_s=20.0,
    wall_s=1772352000.0,
    latency_ms=12.0,
)


def alert(number, **more):
    return replace(ALERT, number=number, **more)


def spool_at(path, limit=10_000):
    """A queue that is kept in that file."""
    spool = Spool(limit)
    spool.open(path)
    return spool


class Listener:
    """Subscribes to everything below `edge` and keeps what comes."""

    def __init__(self, port):
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.got, self.ready, self.lost = [], threading.Event(), threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("edge/#", qos=1)
        self._client.on_subscribe = lambda *_: self.ready.set()
        self._client.on_disconnect = lambda *_: self.lost.set()
        self._client.on_message = lambda _client, _data, message: self.got.append(
            (message.topic, message.payload.decode())
        )
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self.ready.wait(10)

    def alerts(self):
        return [json.loads(text) for topic, text in self.got if topic == "edge/alert"]

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


class Run:
    dropped_frames, reconnects, reduced, refused_speeds = 4, 2, 1, 3
    damaged_pictures, misfit = 5, True

    def __init__(self):
        self.summary, self.timings = Summary(frames=90, poses=80), Timings()

    def sink_failures(self):
        return {"JsonLines": 1}

    def outputs_down(self):
        return {"events": "no room", "decisions": None}
