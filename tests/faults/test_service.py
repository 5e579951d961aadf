"""A run as a service sees it: what systemd hears, who can reach it, and what the logs tell."""

from __future__ import annotations

import signal
import socket
import time
import urllib.error
import urllib.request

import psutil
import pytest

from tests.conftest import free_port
from tests.faults.live import LiveRun

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
CAMERA = "simulated:story?fps=10&size=480x270"
SECRET = "pass-word-0123456789"


def test_systemd_hears_ready_progress_and_end_and_reload_is_heard(tmp_path):
    settings = tmp_path / "settings.yaml"
    settings.write_text("policy:\n  warning_fast_s: 2\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000000"}
        with LiveRun(tmp_path, CAMERA, "--quiet", "--settings", str(settings), env=env) as run:
            assert systemd.recv(1000) == b"READY=1"
            began = time.monotonic()
            heard = [systemd.recv(1000).decode() for _ in range(5)]
            assert time.monotonic() - began < 15
            assert all(line.startswith("WATCHDOG=1\nSTATUS=") for line in heard)
            run.process.send_signal(signal.SIGHUP)
            run.wait(lambda: "settings read again" in run.errors)
            settings.write_text("policy: 3")
            run.process.send_signal(signal.SIGHUP)
            run.wait(lambda: "settings kept" in run.errors)
        last = b""
        while last != b"STOPPING=1":
            last = systemd.recv(1000)


def test_nothing_listens_beyond_this_machine_unless_told_to(tmp_path):
    page, speed = free_port(), tmp_path / "speed.sock"
    with LiveRun(tmp_path, CAMERA, "--quiet", "--serve", str(page), "--speed", f"unix:{speed}") as run:
        run.wait_for_frames()
        listening = {
            connection.laddr
            for connection in psutil.Process(run.process.pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert {tuple(address) for address in listening} == {("127.0.0.1", page), ("127.0.0.1", run.port)}
        assert speed.stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize("option", ["--metrics", "--serve"])
def test_beyond_this_machine_only_with_a_token(tmp_path, option):
    for token in ("", "too-easy"):
        refused = LiveRun(tmp_path, CAMERA, option, f"0.0.0.0:{free_port()}", env={"EDGE_C2VL_TOKEN": token})
        assert refused.process.wait(60) == 2
        assert "set the environment variable EDGE_C2VL_TOKEN" in refused.errors
        assert "too-easy" not in refused.errors


def test_metrics_for_other_machines_want_the_token(tmp_path):
    # What the live page does with it is in test_page_server.py.
    port = free_port()
    with LiveRun(tmp_path, CAMERA, "--metrics", f"0.0.0.0:{port}", env={"EDGE_C2VL_TOKEN": SECRET}) as run:
        run.wait_for_decisions(1)
        request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(request, timeout=5)
        request.add_header("Authorization", f"Bearer {SECRET}")
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert b"edge_c2vl_frames_total" in answer.read()
    assert SECRET not in run.errors


def test_no_log_holds_a_secret(tmp_path):
    """Cameras, brokers and hooks that are not there, with a password or token each, and --debug."""
    port = free_port()
    env = {"EDGE_C2VL_MQTT_PASSWORD": SECRET, "EDGE_C2VL_WEBHOOK_TOKEN": SECRET, "EDGE_C2VL_TOKEN": SECRET}
    outputs = [
        "--mqtt", f"mqtt://fleet:{SECRET}@127.0.0.1:{port}/edge", "--speed", f"mqtt://u:{SECRET}@127.0.0.1:{port}/v",
        "--webhook", f"http://127.0.0.1:{port}/alerts?key={SECRET}", "--serve", f"0.0.0.0:{free_port()}", "--debug",
    ]  # fmt: skip
    with LiveRun(tmp_path, CAMERA, "--duration", "20", *outputs, env=env) as run:
        run.wait_for_state("attentive", "distracted")
        run.wait(lambda: "MQTT" in run.errors)
        run.process.wait(60)
    assert SECRET not in run.errors
    assert SECRET not in run.events_file.read_text()
    for camera in (
        f"rtsp://u:{SECRET}@127.0.0.1:{port}/x",
        f"http://127.0.0.1:{port}/?key={SECRET}",
        f"x://u:{SECRET}@h",
        f"rtsp://u:{SECRET}@{SECRET}/x@127.0.0.1:{port}/cam",
        f"u:{SECRET}@127.0.0.1/cam",
    ):
        failed = LiveRun(tmp_path, camera, "--debug")
        assert failed.process.wait(60) in (1, 2)
        assert SECRET not in failed.errors
    for mqtt in (f"mqtt://u:12/{SECRET}@127.0.0.1:{port}/car", f"mqtt://u:12?{SECRET}=x@127.0.0.1:{port}/car"):
        failed = LiveRun(tmp_path, CAMERA, "--mqtt", mqtt)
        assert failed.process.wait(60) == 2
        assert SECRET not in failed.errors
