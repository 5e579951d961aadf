"""What a fleet connects to: MQTT with a real broker, Prometheus, webhooks, skeleton clips, rotated JSON lines."""

from __future__ import annotations

import json
import os
import threading
import urllib.error
import urllib.request
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.listen import parse_address, token_for
from edge_c2vl.policy import Level, Reason, State
from edge_c2vl.records import Alert, SeenSkeleton
from edge_c2vl.sinks.jsonl import JsonLines
from edge_c2vl.sinks.mqtt import Mqtt
from edge_c2vl.sinks.prometheus import Prometheus
from edge_c2vl.sinks.skeleton_clips import SkeletonClips
from edge_c2vl.sinks.webhook import Webhook
from edge_c2vl.spool import Spool
from edge_c2vl.summary import Summary
from edge_c2vl.timing import Timings
from tests.edge_c2vl.test_sinks import DECISION, landmarks
from tests.edge_c2vl.test_speed import wait_for

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


class Listener:
    """Subscribes to everything below `edge` and keeps what comes."""

    def __init__(self, port):
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.got, self.ready = [], threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("edge/#", qos=1)
        self._client.on_subscribe = lambda *_: self.ready.set()
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


@pytest.fixture
def listener(broker):
    subscriber = Listener(broker.port)
    yield subscriber
    subscriber.close()


def test_mqtt_delivers_in_order_and_says_when_it_comes_and_goes(broker, listener):
    sink = Mqtt(f"mqtt://127.0.0.1:{broker.port}/edge")
    for number in range(1, 6):
        sink.alert(alert(number))
    wait_for(lambda: len(listener.alerts()) == 5)
    sink.close()
    wait_for(lambda: listener.got[-1] == ("edge/availability", "offline"))
    assert listener.got[0] == ("edge/availability", "online")
    assert [record["number"] for record in listener.alerts()] == [1, 2, 3, 4, 5]
    assert listener.alerts()[0] == ALERT.to_json()


def test_mqtt_keeps_what_a_broker_that_is_away_cannot_take(broker, tmp_path):
    broker.kill()
    queue = tmp_path / "queue.db"
    address = f"mqtt://127.0.0.1:{broker.port}/edge"
    first = Mqtt(address, str(queue))
    for number in range(1, 4):
        first.alert(alert(number))
    assert first.waiting == 3
    first.close()
    broker.start()
    listener = Listener(broker.port)
    second = Mqtt(address, str(queue))
    second.alert(alert(4))
    wait_for(lambda: len(listener.alerts()) == 4)
    wait_for(lambda: second.waiting == 0)
    second.close()
    listener.close()
    assert [record["number"] for record in listener.alerts()] == [1, 2, 3, 4]


def test_mqtt_announces_itself_to_home_assistant(broker):
    from paho.mqtt import subscribe

    sink = Mqtt(f"mqtt://127.0.0.1:{broker.port}/edge", home_assistant=True)
    wait_for(lambda: sink.connections == 1)
    sink.close()
    told = subscribe.simple("homeassistant/#", msg_count=2, port=broker.port)
    for message in told:
        about = json.loads(message.payload)
        assert message.retain
        assert about["availability_topic"] == "edge/availability"
        assert about["state_topic"] == "edge/decision"
        assert about["value_template"].removeprefix("{{ value_json.").removesuffix(" }}") in DECISION.to_json()


def test_spool_is_bounded_and_survives(tmp_path):
    path = tmp_path / "queue.db"
    spool = Spool(path, limit=3)
    for number in range(5):
        spool.put("topic", str(number))
    assert (len(spool), spool.dropped) == (3, 2)
    first = spool.first()
    assert (first.payload, first.attempts) == ("2", 0)
    spool.tried(first)
    spool.close()
    again = Spool(path, limit=3)
    assert again.first().attempts == 1
    again.done(again.first())
    assert (again.first().payload, len(again)) == ("3", 2)
    again.close()


def test_a_queue_that_is_no_queue_is_told(tmp_path):
    path = tmp_path / "queue.db"
    path.write_text("these are not the bytes of a database, but quite a lot of other bytes" * 20)
    with pytest.raises(UsageError, match="no queue can be kept there"):
        Spool(path)


def test_a_journal_that_fails_leaves_the_queue_in_memory(tmp_path, caplog):
    spool = Spool(tmp_path / "queue.db")
    spool.put("topic", "0")
    spool._journal.close()  # as a full disk: every statement fails from now on
    for number in (1, 2):
        spool.put("topic", str(number))
    sent = []
    while (message := spool.first()) is not None:
        spool.tried(message)
        assert spool.first().attempts == 1
        sent.append(message.payload)
        spool.done(message)
    assert sent == ["0", "1", "2"]
    assert caplog.text.count("it goes on in memory") == 1


def test_a_broker_that_refuses_is_told_of_with_its_reason_and_without_the_password(broker, monkeypatch, caplog):
    broker.kill()
    broker.start("allow_anonymous false")
    monkeypatch.setenv("EDGE_C2VL_MQTT_PASSWORD", "s3cret")
    sink = Mqtt(f"mqtt://fleet@127.0.0.1:{broker.port}/edge")
    wait_for(lambda: caplog.text)
    sink.close()
    assert "Not authorized" in caplog.text
    assert "s3cret" not in caplog.text


class Run:
    dropped_frames, reconnects, reduced, refused_speeds = 4, 2, 1, 3

    def __init__(self):
        self.summary, self.timings = Summary(frames=90, poses=80), Timings()

    def sink_failures(self):
        return {"JsonLines": 1}


def fetch(port, token=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read().decode()


def test_prometheus_serves_what_the_run_counts():
    from prometheus_client.parser import text_string_to_metric_families

    sink = Prometheus("127.0.0.1:0")
    run = Run()
    run.timings.add("pose", 20.0)
    sink.attach(run)
    sink.decision(DECISION)
    sink.alert(ALERT)
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(fetch(sink.port))
        for sample in family.samples
    }
    sink.close()
    assert samples["edge_c2vl_frames_total",] == 90
    assert samples["edge_c2vl_dropped_frames_total",] == 4
    assert samples["edge_c2vl_reconnects_total",] == 2
    assert samples["edge_c2vl_reduced",] == 1
    assert samples["edge_c2vl_refused_speeds_total",] == 3
    assert samples["edge_c2vl_state", "distracted"] == 1
    assert samples["edge_c2vl_state", "attentive"] == 0
    assert samples["edge_c2vl_alerts_total", "warning", "long distraction"] == 1
    assert samples["edge_c2vl_decision_age_seconds_count",] == 1
    assert samples["edge_c2vl_stage_seconds_sum", "pose"] == pytest.approx(0.02)
    assert samples["edge_c2vl_sink_failures_total", "JsonLines"] == 1


def test_prometheus_asks_for_the_token(monkeypatch):
    monkeypatch.setenv("EDGE_C2VL_TOKEN", "a-secret-of-some-length")
    sink = Prometheus("127.0.0.1:0")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        fetch(sink.port)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        fetch(sink.port, "another")
    assert "edge_c2vl_awareness" in fetch(sink.port, "a-secret-of-some-length")
    sink.close()


def test_on_this_machine_an_empty_token_is_none(monkeypatch):
    monkeypatch.setenv("EDGE_C2VL_TOKEN", "")
    assert token_for("127.0.0.1", "--metrics") is None


def test_nothing_listens_for_other_machines_without_a_token(monkeypatch):
    monkeypatch.delenv("EDGE_C2VL_TOKEN", raising=False)
    with pytest.raises(UsageError, match="EDGE_C2VL_TOKEN"):
        Prometheus("0.0.0.0:0")
    monkeypatch.setenv("EDGE_C2VL_TOKEN", "short")
    with pytest.raises(UsageError, match="at least 16"):
        Prometheus("0.0.0.0:0")


def test_prometheus_serves_ipv6_too():
    sink = Prometheus("[::1]:0")
    with urllib.request.urlopen(f"http://[::1]:{sink.port}/metrics", timeout=5) as answer:
        assert b"edge_c2vl_awareness" in answer.read()
    sink.close()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", ("127.0.0.1", 9464)),
        ("8000", ("127.0.0.1", 8000)),
        (":8000", ("127.0.0.1", 8000)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:80", ("::1", 80)),
        ("myhost", ("myhost", 9464)),
    ],
)
def test_addresses(text, address):
    assert parse_address(text, 9464) == address


@pytest.mark.parametrize("text", ["host:port", "1.2.3.4:99999", "²", "9" * 5000])
def test_addresses_that_are_none(text):
    with pytest.raises(UsageError, match="HOST:PORT"):
        parse_address(text, 9464)


@pytest.fixture
def hook():
    """An HTTP server that answers with the codes in `answers`, then 200, and keeps what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            code = server.answers.pop(0) if server.answers else 200
            server.got.append((code, json.loads(body)["number"], self.headers.get("Authorization")))
            self.send_response(code)
            if code == 302:
                self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.answers, server.got = [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_webhook_tries_again_and_keeps_the_order(hook, monkeypatch):
    monkeypatch.setenv("EDGE_C2VL_WEBHOOK_TOKEN", "s3cret")
    hook.answers = [503]
    sink = Webhook(f"http://127.0.0.1:{hook.server_port}/alerts")
    sink.alert(alert(1))
    sink.alert(alert(2))
    assert hook.got == [(503, 1, "Bearer s3cret"), (200, 1, "Bearer s3cret"), (200, 2, "Bearer s3cret")]


def test_webhook_follows_no_redirect_and_shows_no_secret(hook):
    hook.answers = [302]
    sink = Webhook(f"http://127.0.0.1:{hook.server_port}/alerts?key=s3cret")
    sink.interrupt()
    with pytest.raises(EdgeC2VLError, match="alert 1 was not taken: it answered 302") as error:
        sink.alert(alert(1))
    assert "s3cret" not in str(error.value)
    assert len(hook.got) == 1


def test_webhook_wants_a_web_address():
    for url in (
        "ftp://host/x",
        "host/x",
        "http://",
        "http://host:99999/",
        "http://host/a b",
        "http://user:s3cret@host/",
    ):
        with pytest.raises(UsageError, match="--webhook") as error:
            Webhook(url)
        assert "s3cret" not in str(error.value)


def test_webhook_token_ends_at_its_line_end_and_is_never_shown(hook, monkeypatch):
    monkeypatch.setenv("EDGE_C2VL_WEBHOOK_TOKEN", "s3cret\n")
    Webhook(f"http://127.0.0.1:{hook.server_port}/").alert(alert(1))
    assert hook.got == [(200, 1, "Bearer s3cret")]
    monkeypatch.setenv("EDGE_C2VL_WEBHOOK_TOKEN", "s3cret\nX-Other: 1")
    with pytest.raises(UsageError, match="EDGE_C2VL_WEBHOOK_TOKEN") as error:
        Webhook("http://127.0.0.1:1/")
    assert "s3cret" not in str(error.value)


def test_skeleton_clips_hold_what_was_around_an_alert(tmp_path):
    sink = SkeletonClips(str(tmp_path / "clips"), before_s=2, after_s=1)
    for index in range(300):
        now = index / 10
        sink.skeleton(SeenSkeleton(None if index == 195 else landmarks(), now))
        if index == 200:
            sink.alert(ALERT)
        if index == 203:
            sink.alert(alert(2, level=Level.NONE, timestamp_s=now))
    sink.close()
    files = list((tmp_path / "clips").iterdir())
    assert [file.name for file in files] == ["abc-000001.npz"]
    with np.load(files[0]) as clip:
        assert clip["skeletons"].shape == (31, 33, 4)
        assert (clip["timestamps_s"][0], clip["timestamps_s"][-1], clip["alert_s"]) == (18.0, 21.0, 20.0)
        assert not clip["skeletons"][15].any()
        np.testing.assert_array_equal(clip["skeletons"][0], landmarks())


def test_skeleton_clips_are_written_at_the_end_and_the_oldest_go(tmp_path):
    sink = SkeletonClips(str(tmp_path), keep=2)
    for number, level in enumerate([Level.NOTICE, Level.WARNING, Level.CRITICAL], start=1):
        sink.skeleton(SeenSkeleton(landmarks(), 20.0 + number))
        sink.alert(alert(number, level=level, timestamp_s=20.0 + number))
    sink.close()
    assert len(list(tmp_path.iterdir())) == 2


def test_skeleton_clips_written_after_the_clock_was_set_back_are_not_the_oldest(tmp_path):
    sink = SkeletonClips(str(tmp_path), after_s=0, keep=2)
    for number in range(1, 5):
        sink.alert(alert(number, level=Level.NOTICE))
        sink.alert(alert(number, level=Level.NONE))
        sink.skeleton(SeenSkeleton(landmarks(), 20.0 + number))
        os.utime(tmp_path / f"abc-{number:06d}.npz", (1e9 - number, 1e9 - number))
    sink.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["abc-000003.npz", "abc-000004.npz"]


def test_a_disk_without_room_for_another_file_keeps_the_old_one(tmp_path, monkeypatch):
    sink = JsonLines(str(tmp_path / "events.jsonl"), "state", rotate_bytes=1000)
    open_file, full = os.open, True

    def refuse(path, *how):
        if full and str(path).endswith(".new"):
            raise OSError(28, "No space left on device")
        return open_file(path, *how)

    monkeypatch.setattr(os, "open", refuse)
    for number in range(1, 9):
        full = number < 7
        sink.alert(alert(number))
    sink.close()
    files = sorted(tmp_path.iterdir(), key=lambda file: file.name, reverse=True)
    assert [file.name for file in files] == ["events.jsonl.1", "events.jsonl"]
    assert [json.loads(line)["number"] for file in files for line in file.read_text().splitlines()] == [*range(1, 9)]


def test_json_lines_rotate_and_lose_nothing(tmp_path):
    path = tmp_path / "events.jsonl"
    sink = JsonLines(str(path), "state", rotate_bytes=1000, keep=3)
    for number in range(1, 11):
        sink.alert(alert(number))
    sink.close()
    files = sorted(tmp_path.iterdir(), key=lambda file: file.name, reverse=True)
    assert [file.name for file in files] == [
        "events.jsonl.3",
        "events.jsonl.2",
        "events.jsonl.1",
        "events.jsonl",
    ]
    numbers = [json.loads(line)["number"] for file in files for line in file.read_text().splitlines()]
    assert numbers == list(range(numbers[0], 11))
    assert all(file.stat().st_size <= 1000 for file in files)


def test_a_line_that_a_power_cut_left_unfinished_is_removed(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"number": 1}\n{"numb')
    sink = JsonLines(str(path), "state")
    sink.alert(alert(2))
    sink.close()
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == [1, 2]


def test_a_file_that_is_something_else_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("dear diary")
    with pytest.raises(UsageError, match="holds no JSON lines"):
        JsonLines(str(path), "state")
    assert path.read_text() == "dear diary"


def test_webhook_that_hangs_at_the_end_is_let_go(hook):
    hook.answers = [500] * 99
    sink = Webhook(f"http://127.0.0.1:{hook.server_port}/")
    failed = []

    def send():
        try:
            sink.alert(alert(1))
        except EdgeC2VLError as error:
            failed.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    wait_for(lambda: hook.got)
    sink.interrupt()
    thread.join(timeout=30)
    assert failed
