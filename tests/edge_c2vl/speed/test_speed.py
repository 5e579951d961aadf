"""Speed sources, each with the real thing: a socket, a broker, a virtual CAN bus."""

from __future__ import annotations

import errno
import math
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_c2vl.errors import UsageError
from edge_c2vl.speed import open_speed
from edge_c2vl.speed.base import Speed, parse_kmh
from edge_c2vl.speed.unix import MAX_CLIENTS
from edge_c2vl.utils.mqtt_client import parse_broker
from tests.support.waiting import wait_for


@given(st.one_of(st.binary(max_size=80), st.text(max_size=80)))
def test_whatever_the_text_it_is_a_speed_or_nothing(text):
    value = parse_kmh(text)
    assert value is None or 0 <= value <= 500


@pytest.mark.parametrize(
    ("text", "kmh"),
    [("87.5", 87.5), (b"speed 12\r", 12.0), ("0", 0.0), ("-1", None), ("501", None), ("nan", None), ("", None)],
)
def test_lines(text, kmh):
    assert parse_kmh(text) == kmh


def test_without_a_source_the_speed_is_unknown_and_a_fixed_one_never_stale():
    assert open_speed(None, None).latest()[0] is None
    assert open_speed(80.0, None).latest() == (80.0, 0.0)


@pytest.mark.parametrize(
    ("kmh", "uri", "message"),
    [
        (50.0, "unix:x", "exclude each other"),
        (None, "ftp://x", "begins with one of"),
        (None, "mqtt://host", "not whole"),
        (None, "mqtt://host/a/#", "not whole|without #"),
        (None, "mqtt://host:port/x", "cannot be read"),
        (None, "mqtt://host/x?verify=0", "not verify"),
        (None, "can:vcan0", "write can:"),
        (None, "can:vcan0?dbc=nowhere.dbc&signal=S", "no such DBC file"),
        (None, "unix:/nowhere/speed.sock", "No such file"),
    ],
)
def test_an_address_that_is_wrong_is_told(kmh, uri, message):
    with pytest.raises(UsageError, match=message):
        open_speed(kmh, uri)


def test_unix_socket_takes_lines_from_several_clients(tmp_path):
    path = tmp_path / "speed.sock"
    with open_speed(None, f"unix:{path}") as speed:
        assert speed.latest()[0] is None
        clients = []
        for kmh in (30.0, 60.0):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(path))
            client.sendall(f"{kmh}\n".encode())
            wait_for(lambda kmh=kmh: speed.latest()[0] == kmh)
            clients.append(client)
        assert speed.latest()[1] < 5
        clients[0].sendall(b"speed 4")
        clients[0].sendall(b"5.5\nfast\n")
        wait_for(lambda: speed.refused == 1)
        assert speed.latest()[0] == 45.5
        clients[1].sendall(b"1" * 5000)
        wait_for(lambda: speed.refused == 2)
        assert speed.latest()[0] == 45.5
        for client in clients:
            client.close()
    assert not path.exists()


def test_silent_clients_keep_no_speed_out(tmp_path, caplog):
    path = tmp_path / "speed.sock"

    def client(text=b""):
        made = socket.socket(socket.AF_UNIX)
        made.connect(str(path))
        made.sendall(text)
        return made

    with open_speed(None, f"unix:{path}") as speed:
        car = client(b"50\n")
        wait_for(lambda: speed.latest()[0] == 50)
        silent = [client() for _ in range(40)]
        wait_for(lambda: len(speed._clients) == MAX_CLIENTS)
        car.sendall(b"60\n")
        wait_for(lambda: speed.latest()[0] == 60)
        another = client(b"70\n")
        wait_for(lambda: speed.latest()[0] == 70)
        for one in (car, another, *silent):
            one.close()
    assert len(caplog.records) == 1


def test_a_machine_out_of_files_is_told_once_and_not_asked_without_pause(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("edge_c2vl.speed.unix.ACCEPT_PAUSE_S", 0.2)
    path, calls = tmp_path / "speed.sock", []

    def exhausted(_listener):
        calls.append(1)
        raise OSError(errno.EMFILE, "Too many open files")

    with open_speed(None, f"unix:{path}") as speed, socket.socket(socket.AF_UNIX) as client:
        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, "accept", exhausted)
            client.connect(str(path))
            client.sendall(b"50\n")
            wait_for(lambda: len(calls) >= 2)
            time.sleep(0.1)
            assert len(calls) < 20
        wait_for(lambda: speed.latest()[0] == 50)
    assert ["no further client for now: Too many open files" in r.getMessage() for r in caplog.records] == [True]


def test_a_socket_left_behind_is_replaced_a_living_one_is_not(tmp_path):
    path = tmp_path / "speed.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    with open_speed(None, f"unix:{path}"), pytest.raises(UsageError, match="another process"):
        open_speed(None, f"unix:{path}")
    path.write_text("mine")
    with pytest.raises(UsageError, match="no socket"):
        open_speed(None, f"unix:{path}")
    assert path.read_text() == "mine"


def test_mqtt_topic(broker):
    from paho.mqtt import publish

    publish.single("car/speed", "99", retain=True, port=broker.port)
    with open_speed(None, f"mqtt://127.0.0.1:{broker.port}/car/speed") as speed:

        def told():
            publish.single("car/speed", "42.5", port=broker.port)
            return speed.latest()[0] is not None

        wait_for(told)
        assert speed.latest()[0] == 42.5
        publish.single("car/speed", "fast", port=broker.port)
        wait_for(lambda: speed.refused == 1)


DBC = """VERSION ""
NS_ :
BS_:
BU_: ECU
BO_ 291 Motion: 8 ECU
 SG_ VehicleSpeed : 0|16@1+ (0.01,0) [0|655.35] "{unit}" ECU
 SG_ Gear : 16|4@1+ (1,0) [0|15] "" ECU
"""


def test_can_bus(tmp_path):
    can = pytest.importorskip("can")
    path = tmp_path / "car.dbc"
    path.write_text(DBC.format(unit="m/s"))
    uri = f"can:test?dbc={path}&signal=VehicleSpeed&interface=virtual"
    with open_speed(None, uri) as speed, can.Bus("test", interface="virtual") as bus:
        bus.send(can.Message(arbitration_id=0x7DF, data=b"\xff" * 8, is_extended_id=False))
        bus.send(can.Message(arbitration_id=291, data=(2500).to_bytes(2, "little") + bytes(6), is_extended_id=False))
        wait_for(lambda: speed.latest()[0] is not None)
        assert speed.latest()[0] == pytest.approx(90.0)
        bus.send(can.Message(arbitration_id=291, data=b"", is_extended_id=False))
        bus.send(can.Message(arbitration_id=291, data=b"\xff" * 8, is_extended_id=False))
        wait_for(lambda: speed.refused == 2)
        assert speed.latest()[0] == pytest.approx(90.0)


@pytest.mark.parametrize(
    ("unit", "signal", "message"),
    [("km/h", "Speed", "in no message"), ("rpm", "VehicleSpeed", "unit 'rpm'"), ("km/h", "Gear", "unit ''")],
)
def test_a_signal_that_is_no_speed_is_refused(tmp_path, unit, signal, message):
    pytest.importorskip("cantools")
    path = tmp_path / "car.dbc"
    path.write_text(DBC.format(unit=unit))
    with pytest.raises(UsageError, match=message):
        open_speed(None, f"can:test?dbc={path}&signal={signal}&interface=virtual")


def test_a_dbc_that_is_none_is_refused(tmp_path):
    pytest.importorskip("cantools")
    path = tmp_path / "car.dbc"
    path.write_text("speed goes here")
    with pytest.raises(UsageError, match="not a DBC file"):
        open_speed(None, f"can:test?dbc={path}&signal=S&interface=virtual")


def test_a_password_is_never_shown(monkeypatch):
    broker = parse_broker("mqtts://fleet:s3cret%40@host/car")
    assert (broker.password, broker.port, broker.tls) == ("s3cret@", 8883, True)
    assert "s3cret" not in f"{broker} {broker!r}"
    monkeypatch.setenv("EDGE_C2VL_MQTT_PASSWORD", "other")
    assert parse_broker("mqtt://fleet@host/car").password == "other"


def test_a_speed_that_was_never_told_is_infinitely_old():
    assert math.isinf(Speed().latest()[1])
