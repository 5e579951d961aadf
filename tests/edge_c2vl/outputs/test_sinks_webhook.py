"""Webhooks against a real HTTP server."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.outputs.webhook import Webhook
from tests.support.fleet import alert
from tests.support.hostile import dripping, server
from tests.support.waiting import wait_for


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


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["headers", "continue"])
def test_webhook_leaves_a_server_that_drips(kind, monkeypatch):
    """Until an alert's minute is over, which here is at once."""
    monkeypatch.setattr("edge_c2vl.outputs.webhook.TIMEOUT_S", 0.3)
    with server(dripping(kind)) as port:
        sink = Webhook(f"http://127.0.0.1:{port}/")
        sink.interrupt()
        with pytest.raises(EdgeC2VLError, match="no whole answer within"):
            sink.alert(alert(1))
