"""Webhook: alerts by HTTP POST."""

from __future__ import annotations

import json
import os
import re
import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from urllib.parse import urlsplit

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.records import Alert
from edge_c2vl.sinks import Sink

TOKEN_VARIABLE = "EDGE_C2VL_WEBHOOK_TOKEN"
TIMEOUT_S = 5.0
GIVE_UP_S = 60.0
_PRINTABLE = re.compile(r"[!-~]*")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to another host."""

    def redirect_request(self, *_: object) -> None:
        return None


class Webhook(Sink):
    """POSTs each alert as JSON (docs/events.md) to `url`, in order. Where the environment variable
    EDGE_C2VL_WEBHOOK_TOKEN is set, it is sent as a bearer token. An answer other than 2xx is tried again after 1, 2, 4,
    ... seconds; after a minute that alert is given up (the JSON lines still have it)."""

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            valid = False
        if not valid or not _PRINTABLE.fullmatch(url):
            raise UsageError("--webhook: not a web address; write http://HOST[:PORT]/PATH or https://...")
        if "@" in parts.netloc:
            raise UsageError(
                f"--webhook: no user and password in the address; a bearer token goes into {TOKEN_VARIABLE}"
            )
        # Read from a file it often ends with a line end, and what http.client says of one quotes it.
        self._token = os.environ.get(TOKEN_VARIABLE, "").strip()
        if not _PRINTABLE.fullmatch(self._token):
            raise UsageError(f"{TOKEN_VARIABLE} holds characters that no HTTP header can: spaces, line ends or umlauts")
        # What may stand in a message: path and query may hold a secret.
        self._shown = f"{parts.scheme}://{parts.hostname}"
        self._url = url
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._closing = threading.Event()

    def alert(self, alert: Alert) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "edge-c2vl"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        body = json.dumps(alert.to_json()).encode()
        request = urllib.request.Request(self._url, body, headers, method="POST")
        end_s, delay_s = time.monotonic() + GIVE_UP_S, 1.0
        while True:
            try:
                with self._opener.open(request, timeout=TIMEOUT_S):
                    return
            except urllib.error.HTTPError as error:
                why = f"it answered {error.code}"
                error.close()
            except (OSError, HTTPException) as error:
                why = str(getattr(error, "reason", error))
            if time.monotonic() + delay_s > end_s or self._closing.wait(delay_s):
                raise EdgeC2VLError(f"webhook {self._shown}: alert {alert.number} was not taken: {why}")
            delay_s = min(2 * delay_s, 16.0)

    def interrupt(self) -> None:
        self._closing.set()
