"""Webhook: alerts by HTTP POST."""

from __future__ import annotations

import json
import re
import threading
import time
from http.client import HTTPException
from urllib.parse import urlsplit

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.monitoring.events import Alert
from edge_c2vl.outputs.base import Sink
from edge_c2vl.utils.http_client import post
from edge_c2vl.utils.redact import secret_from

TOKEN_VARIABLE = "EDGE_C2VL_WEBHOOK_TOKEN"
TIMEOUT_S = 5.0
DELIVERY_TIMEOUT_S = 60.0
_PRINTABLE = re.compile(r"[!-~]*")


class Webhook(Sink):
    """POSTs each alert as JSON (docs/events.md) to `url`, in order. Where the environment variable
    EDGE_C2VL_WEBHOOK_TOKEN is set, it is sent as a bearer token. An answer other than 2xx, or none within TIMEOUT_S, is
    tried again after 1, 2, 4, ... seconds; after a minute that alert is given up (the JSON lines still have it)."""

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            valid = False
        if not valid or not _PRINTABLE.fullmatch(url):
            raise UsageError("--webhook: not a web address; write http://HOST[:PORT]/PATH or https://...")
        if "@" in url:
            raise UsageError(
                f"--webhook: no user and password in the address; a bearer token goes into {TOKEN_VARIABLE} (and an @ "
                "of a path is written %40)"
            )
        self._token = secret_from(TOKEN_VARIABLE)
        # What may stand in a message: path and query may hold a secret.
        self._shown = f"{parts.scheme}://{parts.hostname}"
        self._url = url
        self._closing = threading.Event()

    def alert(self, alert: Alert) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "edge-c2vl"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        body = json.dumps(alert.to_json()).encode()
        end_s, delay_s = time.monotonic() + DELIVERY_TIMEOUT_S, 1.0
        while True:
            try:
                status = post(self._url, body, headers, TIMEOUT_S).status
                if 200 <= status < 300:
                    return
                why = f"it answered {status}"
            except (OSError, HTTPException) as error:
                why = str(error)
            if time.monotonic() + delay_s > end_s or self._closing.wait(delay_s):
                raise EdgeC2VLError(f"webhook {self._shown}: alert {alert.number} was not taken: {why}")
            delay_s = min(2 * delay_s, 16.0)

    def interrupt(self) -> None:
        self._closing.set()
