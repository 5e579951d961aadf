"""A page's server, and those who ask it."""

from __future__ import annotations

import json

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
