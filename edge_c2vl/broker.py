"""Connecting to an MQTT broker: what the speed and the events have in common."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from edge_c2vl.errors import UsageError
from edge_c2vl.redact import ENCODE, is_ambiguous

PASSWORD_VARIABLE = "EDGE_C2VL_MQTT_PASSWORD"
# A broker closes the connection where a topic has more than 65,535 bytes; something comes behind ours.
MAX_TOPIC_BYTES = 60_000


@dataclass(frozen=True)
class Broker:
    """Where a broker is. The password is never shown."""

    host: str
    port: int
    tls: bool
    topic: str
    username: str | None
    password: str | None = field(repr=False)
    options: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"mqtt{'s' * self.tls}://{self.host}:{self.port}/{self.topic}"


def parse_broker(uri: str, default_topic: str = "") -> Broker:
    """mqtt[s]://[USER[:PASSWORD]@]HOST[:PORT]/TOPIC[?ca=FILE&cert=FILE&key=FILE]. The password is better given in the
    environment variable EDGE_C2VL_MQTT_PASSWORD, where no process list shows it. Raises UsageError."""
    if is_ambiguous(uri):
        raise UsageError(f"an MQTT address with an @ behind its host: {ENCODE}, and an @ in a topic as %40")
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
        options = {name: values[-1] for name, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()}
    except ValueError:
        # What urlsplit says of it quotes the address, and so may hold part of a password.
        raise UsageError(f"an MQTT address that cannot be read: write mqtt://HOST[:PORT]/TOPIC; {ENCODE}") from None
    topic = unquote(parts.path).strip("/") or default_topic
    if parts.scheme not in ("mqtt", "mqtts") or not host or not topic:
        raise UsageError("an MQTT address that is not whole: write mqtt://HOST[:PORT]/TOPIC, or mqtts:// with TLS")
    if "#" in uri or "#" in topic or "+" in topic or "\0" in topic:
        raise UsageError("an MQTT topic here is one topic, without # and +")
    if topic.startswith("$") or not topic.isprintable() or len(topic.encode()) > MAX_TOPIC_BYTES:
        raise UsageError("an MQTT topic is UTF-8 without control characters, not too long, and does not begin with $")
    unknown = set(options) - {"ca", "cert", "key"}
    if unknown:
        raise UsageError(f"an MQTT address knows ca, cert and key, not {', '.join(sorted(unknown))}")
    tls = parts.scheme == "mqtts"
    return Broker(
        host=host,
        port=port or (8883 if tls else 1883),
        tls=tls,
        topic=topic,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else os.environ.get(PASSWORD_VARIABLE),
        options=options,
    )


def make_client(broker: Broker, client_id: str = "") -> Any:
    """A paho client with credentials and TLS set, which reconnects by itself (after 1 s, up to 30 s)."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    client = Client(CallbackAPIVersion.VERSION2, client_id=client_id)
    if broker.username:
        client.username_pw_set(broker.username, broker.password)
    if broker.tls:
        try:
            client.tls_set(broker.options.get("ca"), broker.options.get("cert"), broker.options.get("key"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{broker}: the certificate files cannot be used: {error}") from None
    client.reconnect_delay_set(1, 30)
    return client
