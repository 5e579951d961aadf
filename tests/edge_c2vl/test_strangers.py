"""Clients that hold places, drip and send nonsense, against the real servers, in small numbers. With processes and
hundreds of clients: tests/faults/test_strangers.py."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import socket
import struct
import threading
from types import SimpleNamespace

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from edge_c2vl.outputs.page import Page
from edge_c2vl.outputs.prometheus import Prometheus
from edge_c2vl.utils.once import Once
from edge_c2vl.web import app, connections
from tests.support.hostile import closed, connect, websocket
from tests.support.page_server import ABOUT, TOKEN, get, read, viewer
from tests.support.records import DECISION
from tests.support.waiting import wait_for


@pytest.fixture
def few(monkeypatch):
    """Servers that take eight connections, and look often for those that have timed out."""
    monkeypatch.setattr("edge_c2vl.web.server.connection_limit", lambda most: 8)
    monkeypatch.setattr(connections, "CHECK_INTERVAL_S", 0.05)


@pytest.fixture
def page(few):
    opened = Page("127.0.0.1:0", ABOUT)
    yield opened
    opened.close()


@pytest.fixture
def locked(few, monkeypatch):
    monkeypatch.setenv("EDGE_C2VL_TOKEN", TOKEN)
    opened = Page("127.0.0.1:0", ABOUT)
    yield opened
    opened.close()


@pytest.fixture
def metrics(few):
    opened = Prometheus("127.0.0.1:0")
    yield opened
    opened.close()


def ask(port, path="/", host=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


HALVES = ("", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Filler: ", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")


@pytest.mark.parametrize("text", HALVES, ids=["silent", "half a request", "a request"])
def test_idle_connections_make_room(page, metrics, caplog, text):
    for server, path in ((page, "/healthz"), (metrics, "/metrics")):
        idle = [connect(server.port, text) for _ in range(40)]
        assert ask(server.port, path)[0] == 200
        assert sum(closed(client) for client in idle[:30]) == 30
        for client in idle:
            client.close()
    assert len(caplog.records) == 2  # one line a server, whatever comes
    assert all("more than 8 connections" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("text", HALVES[:2], ids=["silent", "half a request"])
def test_whoever_brings_no_whole_request_is_closed(page, metrics, monkeypatch, text):
    monkeypatch.setattr(connections, "REQUEST_TIMEOUT_S", 0.3)
    for server in (page, metrics):
        client = connect(server.port, text)
        assert closed(client)


def test_a_request_that_drips_is_closed_and_nobody_waits_for_it(metrics, monkeypatch):
    monkeypatch.setattr(connections, "REQUEST_TIMEOUT_S", 1.0)
    client = connect(metrics.port, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Filler: ")
    assert ask(metrics.port)[0] == 200
    client.settimeout(0.05)
    for _ in range(600):
        if closed(client):
            break
        client.sendall(b"a")
    else:
        pytest.fail("it was not closed")


def test_a_websocket_that_shows_no_token_is_closed_and_takes_no_pages_place(locked, monkeypatch):
    monkeypatch.setattr(app, "MAX_VIEWERS", 1)
    strangers = [connect(locked.port, websocket(locked.port)) for _ in range(6)]
    try:
        for client in strangers:
            assert client.recv(100).startswith(b"HTTP/1.1 101")
        with viewer(locked, additional_headers={"Authorization": f"Bearer {TOKEN}"}) as owner:
            assert read(owner, "hello")["bundle"] == "a-bundle"
    finally:
        for client in strangers:
            client.close()


def test_strangers_that_come_again_and_again_do_not_keep_the_owner_out(locked):
    ended = threading.Event()

    def besiege():
        while not ended.is_set():
            with contextlib.suppress(OSError), connect(locked.port, websocket(locked.port)) as client:
                client.settimeout(0.5)
                closed(client)

    besieging = [threading.Thread(target=besiege, daemon=True) for _ in range(12)]
    for thread in besieging:
        thread.start()
    try:
        for _ in range(5):
            # The strangers have one address and the owner another, so one of theirs makes room each time.
            with viewer(locked, source_address=("127.0.0.2", 0)) as owner:
                owner.send(json.dumps({"kind": "open", "token": TOKEN}))
                read(owner, "hello")
                locked.decision(DECISION)
                read(owner, "decision")
    finally:
        ended.set()
        for thread in besieging:
            thread.join(30)


def test_who_makes_room_first():
    """Of the address that has the most: the idle ones, the oldest first; then those being answered. No open page."""
    closed_in_turn = []

    def one(name, address, idle_since_s, **more):
        transport = SimpleNamespace(abort=lambda: closed_in_turn.append(name) or kept.pop(name))
        kept[name] = connections.Connection(SimpleNamespace(fileno=lambda: 3), transport, address, idle_since_s, **more)

    with socket.socket() as listener:
        served = connections.Connections(listener, 8, "--serve", Once())
        kept = served._open
        one("page", "10.0.0.5", 0.0, admitted=True)
        one("answered", "10.0.0.5", 1.0, busy=True)
        one("another's", "10.0.0.6", 2.0)
        one("new", "10.0.0.5", 4.0)
        one("old", "10.0.0.5", 3.0)
        for _ in range(3):
            asyncio.run(served._make_room())
    assert closed_in_turn[:2] == ["old", "new"]
    assert "page" in kept


def test_an_open_page_stays_open_whoever_comes(page):
    with viewer(page) as owner:
        read(owner, "hello")
        for _ in range(40):
            connect(page.port).close()
        idle = [connect(page.port) for _ in range(20)]
        assert ask(page.port, "/healthz")[0] == 200
        page.decision(DECISION)
        read(owner, "decision")
        for client in idle:
            client.close()


def test_open_pages_leave_half_of_the_connections(page):
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            read(stack.enter_context(viewer(page)), "hello")
        with viewer(page) as fifth, pytest.raises(ConnectionClosed) as refused:
            fifth.recv(10)
        assert refused.value.rcvd.code == app.TRY_LATER
        assert ask(page.port, "/healthz")[0] == 200


ODD = (
    '{"token":"\\ud800"}',
    "[" * 4000,
    '{"token":' * 400,
    '{"token":' + "9" * 4000 + "}",
    '{"token":NaN}',
    '{"token":1e999}',
    '{"token":["' + TOKEN + '"]}',
    f'{{"token":"{TOKEN}é"}}',
    "\0",
    b"\xff\xfe",
    TOKEN.encode(),
)


@pytest.mark.parametrize("first", ODD, ids=range(len(ODD)))
def test_an_odd_first_message_closes_the_connection_without_a_word_in_the_log(locked, caplog, capfd, first):
    with caplog.at_level(logging.DEBUG, "edge_c2vl"), viewer(locked) as connection:
        connection.send(first)
        with pytest.raises(ConnectionClosed) as refused:
            connection.recv(10)
        assert refused.value.rcvd.code == 4401
    assert not caplog.records
    assert capfd.readouterr().err == ""


def frame(opcode, payload, length=None):
    """A masked WebSocket frame; `length`: what it claims."""
    length = len(payload) if length is None else length
    head = bytes([0x80 | opcode])
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 1 << 16:
        head += b"\xfe" + struct.pack(">H", length)
    else:
        head += b"\xff" + struct.pack(">Q", length)
    return head + b"\0\0\0\0" + payload


@pytest.mark.parametrize(
    "data",
    [
        frame(1, b"x" * 100_000),
        frame(2, b"", 1 << 62),
        frame(1, b"\xff\xfe"),
        frame(7, b""),
        frame(8, b"\0"),
        frame(9, b"x" * 200),
        b"\x81\x05hello",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["long", "huge", "no UTF-8", "no opcode", "half a code", "long ping", "no mask", "HTTP"],
)
def test_broken_frames_close_the_connection_without_a_word_in_the_log(locked, monkeypatch, caplog, capfd, data):
    # A client that does not answer to being told to close.
    client = connect(locked.port, websocket(locked.port))
    client.sendall(data)
    with monkeypatch.context() as patch:
        patch.setattr(connections, "REQUEST_TIMEOUT_S", 0.5)
        assert closed(client)
    client.close()
    assert get(locked, "/healthz")[0] == 200
    assert not caplog.records
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "text",
    [
        "\0\1\2\3\r\n\r\n",
        "GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: \xff\r\nAuthorization: \xff\r\n\r\n",
        "GET /%ff%00?%ff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\nx",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + "y" * 100_000,
        "GET / HTTP/9.9\r\n\r\n",
    ],
    ids=[
        "binary",
        "half a handshake",
        "another protocol",
        "bytes",
        "odd path",
        "half a body",
        "long header",
        "version",
    ],
)
def test_broken_requests_leave_no_word_in_the_log(page, metrics, caplog, capfd, text):
    for server in (page, metrics):
        client = connect(server.port)
        client.sendall(text.encode("latin-1"))
        client.close()
        assert ask(server.port, "/healthz")[0] == 200
    assert not caplog.records
    assert capfd.readouterr().err == ""


def test_metrics_are_guarded_as_the_page_is(metrics):
    assert ask(metrics.port, "/metrics", "evil.example")[0] == 421
    assert ask(metrics.port, "/metrics", "localhost:1")[0] == 200


def test_an_error_of_our_own_is_one_line_in_the_log(metrics, monkeypatch, caplog):
    monkeypatch.setattr("edge_c2vl.outputs.prometheus.temperature_c", lambda: 1 / 0)
    assert [ask(metrics.port)[0] for _ in range(3)] == [500, 500, 500]
    assert ["ZeroDivisionError" in record.getMessage() for record in caplog.records] == [True]
    monkeypatch.undo()
    assert ask(metrics.port)[0] == 200


def test_a_server_that_ends_does_not_wait_for_strangers(few):
    sink = Prometheus("127.0.0.1:0")
    idle = [connect(sink.port, text) for text in HALVES[:2]]
    sink.close()
    assert all(closed(client) for client in idle)
    assert not [thread.name for thread in threading.enumerate() if thread.name == "metrics"]


def test_a_page_from_elsewhere_is_still_refused(page):
    with pytest.raises(InvalidStatus, match="403"), viewer(page, origin="http://evil.example"):
        pass


def test_connections_that_end_leave_no_trace(page):
    for _ in range(50):
        connect(page.port, HALVES[2]).close()
    assert ask(page.port, "/healthz")[0] == 200
    kept = page._server._connections
    wait_for(lambda: not kept._strangers())
