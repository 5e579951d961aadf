"""Where something may listen: on this machine alone, or beyond it with a token."""

from __future__ import annotations

import hmac
import ipaddress
import os

from edge_c2vl.errors import UsageError

TOKEN_VARIABLE = "EDGE_C2VL_TOKEN"
MIN_TOKEN = 16


def parse_address(text: str, default_port: int) -> tuple[str, int]:
    """(host, port) of HOST:PORT, PORT, HOST or nothing; the host is 127.0.0.1 unless named. Raises UsageError."""
    host, colon, port = text.rpartition(":")
    if not colon:
        host, port = ("", text) if text.isdigit() else (text, "")
    host = host.strip("[]") or "127.0.0.1"
    try:
        number = int(port or default_port)
    except ValueError:
        number = -1
    if (port and not port.isdigit()) or not 0 <= number <= 65535:
        raise UsageError(f"{text}: not an address; write HOST:PORT, such as 127.0.0.1:{default_port}")
    return host, number


def token_for(host: str, what: str) -> str | None:
    """The token that callers must show: none on this machine alone, EDGE_C2VL_TOKEN beyond it. Raises UsageError where
    that is not set, or too short to be a secret."""
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token and is_loopback(host):
        return None
    remedy = f"set the environment variable {TOKEN_VARIABLE} to a secret of at least {MIN_TOKEN} characters"
    if not token:
        raise UsageError(f"{what} on {host} can be reached from other machines: {remedy}, or use 127.0.0.1")
    if len(token) < MIN_TOKEN:
        raise UsageError(f"{what}: the token is too short to be a secret: {remedy}")
    return token


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def allowed(token: str | None, authorization: str | None) -> bool:
    """Whether an Authorization header shows the token ("Bearer TOKEN")."""
    if token is None:
        return True
    return hmac.compare_digest((authorization or "").encode(), f"Bearer {token}".encode())
