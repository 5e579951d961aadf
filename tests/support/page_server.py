"""A page's server, and those who ask it."""

from __future__ import annotations

import http.client
import json

from websockets.sync.client import connect

from edge_c2vl.outputs.page import RunDescription

ABOUT = RunDescription(
    lambda: "camera", "onnxruntime:cpu", "int8", "a-bundle", ["attentive", "distracted"], ["distracted"]
)
TOKEN = "a-secret-of-some-length"


def read(connection, kind, timeout=10):
    """The next message of that kind."""
    while True:
        message = json.loads(connection.recv(timeout))
        if message["kind"] == kind:
            return message


def get(page, path, host=None, **headers):
    """(status, headers, body)"""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    connection.putrequest("GET", path, skip_host=True)
    for name, value in {"Host": host or f"127.0.0.1:{page.port}", **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, body


def viewer(page, **more):
    return connect(f"ws://127.0.0.1:{page.port}/live", open_timeout=10, **more)
