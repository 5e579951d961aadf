"""Listening addresses: on this machine without a token, beyond it only with one."""

from __future__ import annotations

import hmac
import ipaddress
import re
import resource
from dataclasses import dataclass
from urllib.parse import urlsplit

from edge_c2vl.errors import UsageError
from edge_c2vl.utils.redact import secret_from

TOKEN_VARIABLE = "EDGE_C2VL_TOKEN"
MIN_TOKEN = 16
# A share of the file descriptors: the page, the metrics and the speed socket together leave most of them to the camera,
# the models and the files.
SHARE_OF_FILES = 8

_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[^\[\]]*)\]|(?P<host>[^:\[\]\s]*))(?::(?P<port>[0-9]{0,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_address(text: str, default_port: int) -> tuple[str, int]:
    """(host, port) of HOST:PORT, PORT, HOST or nothing, an IPv6 address as ::1, [::1] or [::1]:PORT; the host is
    127.0.0.1 unless named. Raises UsageError."""
    if _is_ipv6(text):
        return text, default_port
    if text.isdigit():
        text = f":{text}"
    found = _ADDRESS.fullmatch(text)
    if found is None or (found["ipv6"] is not None and not _is_ipv6(found["ipv6"])):
        number = -1
    else:
        number = int(found["port"] or default_port)
    if found is None or not 0 <= number <= 65535:
        raise UsageError(
            f"{text}: not an address; write HOST:PORT, such as 127.0.0.1:{default_port} or [::1]:{default_port}"
        )
    return found["ipv6"] or found["host"] or "127.0.0.1", number


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def connection_limit(most: int) -> int:
    """How many connections one server may hold at a time: `most`, or fewer where this process may open few files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if soft == resource.RLIM_INFINITY else max(2, min(most, soft // SHARE_OF_FILES))


@dataclass(frozen=True)
class PublicUrl:
    """Where others find a server that stands behind a proxy. origin: as a browser writes it (scheme://host, and the
    port where it is not the scheme's own). path: without a slash at its end, so "" for the root."""

    origin: str
    host: str
    path: str

    @property
    def url(self) -> str:
        return f"{self.origin}{self.path}/"


def parse_public_url(text: str) -> PublicUrl:
    """Raises UsageError."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    plain = re.fullmatch(r"[!-~]+", text) and not re.search(r"[@?#%\\]", text)
    if not plain or not host or parts.scheme not in _DEFAULT_PORTS:
        raise UsageError(
            "--public-url: not the web address of a page; write https://HOST[:PORT][/PATH], "
            "without user name, password and anything behind the path"
        )
    shown = f"[{host}]" if ":" in host else host
    if port not in (None, _DEFAULT_PORTS[parts.scheme]):
        shown += f":{port}"
    return PublicUrl(f"{parts.scheme}://{shown}", host.rstrip("."), parts.path.rstrip("/"))


def token_for(host: str, what: str, public: PublicUrl | None = None) -> str | None:
    """The token that callers must show: none on this machine alone, EDGE_C2VL_TOKEN beyond it, which a proxy's public
    address may be. Raises UsageError where that is not set, too short to be a secret, or no header could hold it."""
    if public is not None and is_loopback(host) and not is_loopback(public.host):
        host, what = public.host, "--public-url"
    token = secret_from(TOKEN_VARIABLE)
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
    # JSON can hold half of a surrogate pair, which UTF-8 cannot.
    return hmac.compare_digest((authorization or "").encode("utf-8", "surrogatepass"), f"Bearer {token}".encode())
