"""MQTT: alerts and changes of state to a broker, in order, none lost while it is away."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import threading
import time
from pathlib import Path
from typing import Any

from edge_c2vl.errors import EdgeC2VLError, OutputError, UsageError
from edge_c2vl.monitoring.events import Alert, Decision, StateChange
from edge_c2vl.outputs.base import Sink
from edge_c2vl.outputs.mqtt_queue import Message, MqttQueue
from edge_c2vl.utils.mqtt_client import make_client, parse_broker

log = logging.getLogger("edge_c2vl")

ACK_TIMEOUT_S = 10.0
BACKOFF_S = (0.5, 30.0)
# What is left is sent at the end of a run for at most this long; the rest waits on the disk for the next run.
CLOSE_TIMEOUT_S = 2.0


# Of Home Assistant: sensor -> its value from the newest decision, and what else is announced of it. alert: the loudest
# level; reason: the loudest one's; alerts: every reason that stands, the loudest first; calibration: the least of what
# is learnt.
_SENSORS: dict[str, tuple[str, dict[str, str]]] = {
    "state": ("value_json.state", {}),
    "alert": ("value_json.alert", {}),
    "reason": ("value_json.alerts | map(attribute='reason') | first | default('none', true)", {}),
    "alerts": ("value_json.alerts | map(attribute='reason') | join(', ') or 'none'", {}),
    "calibration": (
        "((value_json.reasons.values() | map(attribute='learnt') | list + [value_json.learnt]) | select('number')"
        " | list + [1]) | min * 100",
        {"unit_of_measurement": "%"},
    ),
}


class Queue(Sink):
    """Keeps what waits for the broker in a file, over a restart. It takes no records: they come by the spool, which it
    shares with `Mqtt`, and which that closes when it has said goodbye."""

    def __init__(self, spool: MqttQueue, path: str, replace_damaged: bool) -> None:
        spool.open(Path(path), replace_damaged)


class Mqtt(Sink):
    """Publishes below the topic of `uri` (see `broker.parse_broker`), QoS 1:

    TOPIC/alert, TOPIC/state      one JSON object each (docs/events.md), sent one after another: the next only when the
                                  broker has acknowledged the one before. What was sent and not acknowledged is sent
                                  again with "repeated": true.
    TOPIC/decision                the newest decision, QoS 0, retained; at most one a second, none while away
    TOPIC/availability            "online" or "offline", retained; the broker says "offline" when the connection breaks

    home_assistant: announces state and alert to Home Assistant's MQTT discovery.
    """

    def __init__(self, uri: str, spool: MqttQueue | None = None, home_assistant: bool = False) -> None:
        self._broker = parse_broker(uri, default_topic="edge-c2vl")
        try:
            make_client(self._broker)  # invalid certificates fail here, not in a thread
        except UsageError as error:
            raise OutputError(str(error)) from None
        self._home_assistant = home_assistant
        self._spool = MqttQueue() if spool is None else spool
        self._wake = self._spool.arrived
        self._closing = threading.Event()
        self._lost = threading.Event()
        self._client: Any = None
        self._decided_s = 0.0
        self.connections = 0
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Messages that no broker has acknowledged yet."""
        return len(self._spool)

    def alert(self, alert: Alert) -> None:
        self._put("alert", alert.to_json())

    def state(self, change: StateChange) -> None:
        self._put("state", change.to_json())

    def decision(self, decision: Decision) -> None:
        client = self._client
        if client is None or abs(decision.wall_s - self._decided_s) < 1:
            return
        self._decided_s = decision.wall_s
        client.publish(f"{self._broker.topic}/decision", json.dumps(decision.to_json()), qos=0, retain=True)

    def close(self) -> None:
        self._closing.set()
        self._wake.set()
        self._thread.join()
        if self._spool.dropped or len(self._spool):
            log.warning("MQTT: %d messages not sent, %d dropped", len(self._spool), self._spool.dropped)
        self._spool.close()

    def _put(self, name: str, record: dict[str, Any]) -> None:
        self._spool.put(f"{self._broker.topic}/{name}", json.dumps(record))

    def _run(self) -> None:
        delay_s = BACKOFF_S[0]
        complaint = ""
        while not self._closing.is_set():
            client, why = None, ""
            try:
                # A new client for every connection: paho would send unacknowledged messages again by itself, unmarked.
                client = self._connect()
                delay_s, complaint = BACKOFF_S[0], ""
                self.connections += 1
                self._client = client
                self._send(client)
            except Exception as error:  # this thread must live as long as the run, whatever broker and paho do
                why = str(error)
            self._client = None
            if client is not None:
                with contextlib.suppress(Exception):  # whatever is wrong with a connection that is given up
                    client.disconnect()
                    client.loop_stop()
            if why:
                if why != complaint:
                    log.warning("MQTT: no connection to %s (%s); trying on", self._broker, why)
                    complaint = why
                self._closing.wait(delay_s)
                delay_s = min(delay_s * 2, BACKOFF_S[1])

    def _connect(self) -> Any:
        """A client that the broker has accepted. Raises what stands in the way."""
        client = make_client(self._broker)
        answered = threading.Event()
        lost = threading.Event()
        refused: list[str] = []
        self._lost = lost

        def on_connect(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            if reason.is_failure:
                refused.append(f"it answers: {reason}")
            answered.set()

        def on_disconnect(*_: Any) -> None:
            lost.set()
            self._wake.set()

        client.on_connect, client.on_disconnect = on_connect, on_disconnect
        client.will_set(f"{self._broker.topic}/availability", "offline", qos=1, retain=True)
        client.connect(self._broker.host, self._broker.port, keepalive=15)
        client.loop_start()
        if not answered.wait(ACK_TIMEOUT_S) or refused:
            client.loop_stop()
            raise EdgeC2VLError(refused[0] if refused else f"no answer within {ACK_TIMEOUT_S:.0f} s")
        return client

    def _send(self, client: Any) -> None:
        """Sends until the connection breaks or the run ends."""
        for topic, payload in self._greeting():
            client.publish(topic, payload, qos=1, retain=True)
        while not self._lost.is_set():
            message = self._spool.first()
            if message is not None:
                if not self._deliver(client, message):
                    return
            elif self._closing.is_set():
                farewell = client.publish(f"{self._broker.topic}/availability", "offline", qos=1, retain=True)
                self._acknowledged(farewell, CLOSE_TIMEOUT_S)
                return
            else:
                self._wake.wait()
                self._wake.clear()

    def _deliver(self, client: Any, message: Message) -> bool:
        payload = message.payload
        if message.attempts:
            payload = json.dumps(json.loads(payload) | {"repeated": True})
        self._spool.tried(message)
        info = client.publish(message.topic, payload, qos=1)
        if not self._acknowledged(info, CLOSE_TIMEOUT_S if self._closing.is_set() else ACK_TIMEOUT_S):
            return False
        self._spool.done(message)
        return True

    def _acknowledged(self, info: Any, patience_s: float) -> bool:
        end_s = time.monotonic() + patience_s
        with contextlib.suppress(RuntimeError, ValueError):  # paho's way of saying that the connection is gone
            while not info.is_published() and not self._lost.is_set() and time.monotonic() < end_s:
                info.wait_for_publish(0.1)
            return bool(info.is_published())
        return False

    def _greeting(self) -> list[tuple[str, str]]:
        topic = self._broker.topic
        greeting = [(f"{topic}/availability", "online")]
        if self._home_assistant:
            name = home_assistant_id(topic)
            device = {"identifiers": [name], "name": "Edge-C2VL driver monitor"}
            # All from the decision, which is retained and renewed: an alert's end may get lost with a process.
            for key, (value, more) in _SENSORS.items():
                about = {
                    "name": f"Driver {key}",
                    "unique_id": f"{name}_{key}",
                    "state_topic": f"{topic}/decision",
                    "value_template": f"{{{{ {value} }}}}",
                    "json_attributes_topic": f"{topic}/{'alert' if key == 'alert' else 'decision'}",
                    "availability_topic": f"{topic}/availability",
                    "device": device,
                } | more
                greeting.append((f"homeassistant/sensor/{name}/{key}/config", json.dumps(about)))
        return greeting


def home_assistant_id(topic: str) -> str:
    """Of the characters that Home Assistant takes (letters, digits, _ and -), and another one for every topic."""
    plain = topic.replace("/", "_")
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", plain)
    return name if name == plain else f"{name}_{hashlib.sha256(topic.encode()).hexdigest()[:8]}"
