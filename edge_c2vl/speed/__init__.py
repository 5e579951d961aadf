"""Where the vehicle's speed comes from: one file a kind, one line here where it is listed."""

from __future__ import annotations

from edge_c2vl.errors import UsageError
from edge_c2vl.speed.base import FixedSpeed, Speed
from edge_c2vl.utils.redact import redact

SCHEMES = ("unix", "mqtt", "mqtts", "can")


def open_speed(kmh: float | None, uri: str | None) -> Speed:
    """From --speed-kmh or --speed. Without either the speed is unknown, which counts as fast.

    unix:PATH (a socket that takes lines), mqtt://[USER[:PASSWORD]@]HOST[:PORT]/TOPIC (mqtts: with TLS),
    can:CHANNEL?dbc=FILE&signal=NAME[&interface=socketcan]. Raises UsageError for anything else.
    """
    if kmh is not None and uri is not None:
        raise UsageError("--speed-kmh and --speed exclude each other; give one")
    if uri is None:
        return FixedSpeed(kmh)
    scheme = uri.partition(":")[0]
    if scheme == "unix":
        from edge_c2vl.speed.unix import UnixSpeed

        return UnixSpeed(uri.removeprefix("unix:").removeprefix("//"))
    if scheme in ("mqtt", "mqtts"):
        from edge_c2vl.speed.mqtt import MqttSpeed

        return MqttSpeed(uri)
    if scheme == "can":
        from edge_c2vl.speed.can import CanSpeed

        return CanSpeed(uri)
    raise UsageError(f"--speed {redact(uri)}: it begins with one of {', '.join(name + ':' for name in SCHEMES)}")
