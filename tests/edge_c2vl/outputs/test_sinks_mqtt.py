"""MQTT with a real broker, and the queue on the disk while the broker is away."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from dataclasses import replace

import pytest

from edge_c2vl.errors import OutputError, UsageError
from edge_c2vl.monitoring.standing import Aspect, Condition, Level, Reason, ReasonState
from edge_c2vl.outputs.mqtt import Mqtt
from edge_c2vl.outputs.mqtt_queue import MqttQueue
from tests.support.fleet import ALERT, Listener, alert, spool_at
from tests.support.records import DECISION
from tests.support.waiting import wait_for


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
    first = Mqtt(address, spool_at(queue))
    for number in range(1, 4):
        first.alert(alert(number))
    assert first.waiting == 3
    first.close()
    broker.start()
    listener = Listener(broker.port)
    second = Mqtt(address, spool_at(queue))
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
    told = subscribe.simple("homeassistant/#", msg_count=5, port=broker.port)
    jinja2 = pytest.importorskip("jinja2")
    standing = {Reason.LONG: Level.CRITICAL, Reason.CANNOT_SEE: Level.NOTICE}
    watched = {
        Aspect.ACTIVITY: ReasonState(Condition.DISTRACTED),
        Aspect.EYES: ReasonState(Condition.OPEN, learnt=0.42),
    }
    shown = {}
    for message in told:
        about = json.loads(message.payload)
        template = jinja2.Template(about["value_template"])
        shown[about["name"]] = [
            template.render(value_json=json.loads(json.dumps(decision.to_json())))
            for decision in (DECISION, replace(DECISION, level=Level.CRITICAL, alerts=standing, reasons=watched))
        ]
        assert message.retain
        assert about["availability_topic"] == "edge/availability"
        assert about["state_topic"] == "edge/decision"
    assert shown == {
        "Driver state": [DECISION.state.value] * 2,
        "Driver alert": ["none", "critical"],
        "Driver reason": ["none", "long distraction"],
        "Driver alerts": ["none", "long distraction, cannot see"],
        "Driver calibration": ["100", "42.0"],
    }


def test_spool_is_bounded_and_survives(tmp_path):
    path = tmp_path / "queue.db"
    spool = spool_at(path, limit=3)
    for number in range(5):
        spool.put("topic", json.dumps({"number": number}))
    assert (len(spool), spool.dropped) == (3, 2)
    first = spool.first()
    assert (first.payload, first.attempts) == ('{"number": 2}', 0)
    spool.tried(first)
    spool.close()
    again = spool_at(path, limit=3)
    assert again.first().attempts == 1
    again.done(again.first())
    assert (again.first().payload, len(again)) == ('{"number": 3}', 2)
    again.close()


def test_a_queue_that_is_no_queue_is_told(tmp_path):
    path = tmp_path / "queue.db"
    path.write_text("these are not the bytes of a database, but quite a lot of other bytes" * 20)
    with pytest.raises(OutputError, match="no queue can be kept there"):
        spool_at(path)


def test_a_journal_that_fails_leaves_the_queue_in_memory(tmp_path, caplog):
    spool = spool_at(tmp_path / "queue.db")
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


@pytest.mark.parametrize("topic", ["a%0Ab", "$SYS/car", "x" * 70_000], ids=["line break", "reserved", "long"])
def test_a_topic_that_no_broker_takes_is_wrong_usage(topic):
    from edge_c2vl.utils.mqtt_client import parse_broker

    with pytest.raises(UsageError, match="an MQTT topic is UTF-8") as caught:
        parse_broker(f"mqtt://h/{topic}")
    assert len(str(caught.value)) < 200


def test_a_topic_of_bytes_that_are_no_utf8_is_wrong_usage():
    from edge_c2vl.utils.mqtt_client import parse_broker

    with pytest.raises(UsageError, match="an MQTT topic is UTF-8"):
        parse_broker(f"mqtt://h/{os.fsdecode(bytes([0xE4]))}")


def test_home_assistant_takes_the_name_of_every_topic():
    from edge_c2vl.outputs.mqtt import home_assistant_id

    assert home_assistant_id("fleet/car-17") == "fleet_car-17"
    odd = [home_assistant_id(topic) for topic in ("wagen 1", "wagen.1", "wägen|1", "{{ x }}")]
    assert len(set(odd)) == 4
    assert all(re.fullmatch("[a-zA-Z0-9_-]+", name) for name in odd)


def numbers(spool):
    found = []
    while (message := spool.first()) is not None:
        found.append(json.loads(message.payload)["number"])
        spool.done(message)
    return found


def test_a_queue_whose_disk_comes_late_takes_what_has_come_meanwhile(tmp_path):
    path = tmp_path / "disk" / "queue.db"
    kept = spool_at(path)
    kept.put("topic", json.dumps({"number": 1}))
    kept.close()
    spool = MqttQueue()
    for number in (2, 3):
        spool.put("topic", json.dumps({"number": number}))
    spool.open(path)
    spool.put("topic", json.dumps({"number": 4}))
    spool.close()
    assert numbers(spool_at(path)) == [1, 2, 3, 4]


@pytest.mark.parametrize("content", [b"no database at all, but many bytes" * 50, b"\0" * 8192], ids=["text", "zeros"])
def test_a_damaged_queue_is_set_aside_where_that_is_asked_for(tmp_path, caplog, content):
    path = tmp_path / "queue.db"
    path.write_bytes(content)
    spool = MqttQueue()
    spool.open(path, replace_damaged=True)
    spool.put("topic", json.dumps({"number": 1}))
    spool.close()
    assert (tmp_path / "queue.db.damaged").read_bytes() == content
    assert "queue.db.damaged" in caplog.text
    assert numbers(spool_at(path)) == [1]


def test_rows_that_are_no_messages_are_a_damaged_queue(tmp_path):
    path = tmp_path / "queue.db"
    spool_at(path).close()
    with sqlite3.connect(path) as journal:
        journal.execute("INSERT INTO messages VALUES (1, 'topic', 'no JSON', 0)")
    journal.close()
    with pytest.raises(OutputError, match="something other than messages"):
        spool_at(path)


def test_one_run_at_a_time_has_a_queue_and_it_is_for_this_user_alone(tmp_path):
    path = tmp_path / "queue.db"
    first = spool_at(path)
    first.put("topic", json.dumps({"number": 1}))
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    with pytest.raises(UsageError, match="in use by another run"):
        spool_at(path)
    first.put("topic", json.dumps({"number": 2}))
    first.close()
    assert numbers(spool_at(path)) == [1, 2]
