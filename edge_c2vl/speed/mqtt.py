"""Speed from an MQTT topic: each message is a number in km/h."""

from __future__ import annotations

from typing import Any

from edge_c2vl.speed.base import Speed, parse_kmh
from edge_c2vl.utils.mqtt_client import make_client, parse_broker


class MqttSpeed(Speed):
    """Subscribes. Connects to an unreachable broker again and again; meanwhile the speed becomes stale."""

    def __init__(self, uri: str) -> None:
        super().__init__()
        broker = parse_broker(uri)
        self._client = make_client(broker)

        def connected(client: Any, *_: Any) -> None:
            client.subscribe(broker.topic)

        def received(_client: Any, _data: Any, message: Any) -> None:
            # The age of a retained message is unknown, and an old speed must not count as the present one.
            if not message.retain:
                self.set(parse_kmh(message.payload[:64]))

        self._client.on_connect, self._client.on_message = connected, received
        self._client.connect_async(broker.host, broker.port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
