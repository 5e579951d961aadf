"""Speed from a CAN bus: a signal that a DBC file describes."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from edge_c2vl.errors import UsageError
from edge_c2vl.speed.base import Speed, parse_kmh
from edge_c2vl.utils.redact import redact

_FACTORS = {"km/h": 1.0, "kmh": 1.0, "kph": 1.0, "m/s": 3.6, "mph": 1.609344}


class CanSpeed(Speed):
    """can:CHANNEL?dbc=FILE&signal=NAME[&message=NAME][&interface=socketcan]. The signal's unit in the DBC file (km/h,
    m/s, mph) is converted; another unit is refused, since a wrong one would be dangerous."""

    def __init__(self, uri: str) -> None:
        super().__init__()
        channel, _, query = uri.removeprefix("can:").removeprefix("//").partition("?")
        options = {name: values[-1] for name, values in parse_qs(query).items()}
        missing = {"dbc", "signal"} - set(options)
        unknown = set(options) - {"dbc", "signal", "message", "interface"}
        if missing or unknown or not channel:
            raise UsageError(
                f"--speed {redact(uri)}: write can:CHANNEL?dbc=FILE&signal=NAME, with &message= and &interface="
            )
        self._message, self._signal, self._factor = _find(options)
        import can

        try:
            self._bus: Any = can.Bus(
                channel=channel,
                interface=options.get("interface", "socketcan"),
                can_filters=[
                    {
                        "can_id": self._message.frame_id,
                        "can_mask": 0x1FFFFFFF if self._message.is_extended_frame else 0x7FF,
                        "extended": self._message.is_extended_frame,
                    }
                ],
            )
        except Exception as error:  # each interface has its own exceptions
            raise UsageError(f"--speed {redact(uri)}: the bus does not open: {' '.join(str(error).split())}") from None
        self._notifier = can.Notifier(self._bus, [self._receive], timeout=0.2)

    def close(self) -> None:
        self._notifier.stop()
        self._bus.shutdown()

    def _receive(self, frame: Any) -> None:
        if frame.arbitration_id != self._message.frame_id or frame.is_error_frame or frame.is_remote_frame:
            return
        try:
            value = float(self._message.decode(bytes(frame.data), decode_choices=False)[self._signal]) * self._factor
        except Exception:  # cantools raises by what is broken: too short, not multiplexed in, no number
            self.set(None)
            return
        self.set(parse_kmh(str(value)))


def _find(options: dict[str, str]) -> tuple[Any, str, float]:
    """The DBC's message that holds the signal, the signal's name, and the factor to km/h."""
    import cantools

    path, name = options["dbc"], options["signal"]
    try:
        database = cantools.database.load_file(path)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such DBC file") from None
    except Exception as error:  # its parsers raise a family of exceptions
        raise UsageError(f"{path}: not a DBC file that can be read: {' '.join(str(error).split())[:120]}") from None
    messages = [
        message
        for message in getattr(database, "messages", [])
        if options.get("message", message.name) == message.name and any(s.name == name for s in message.signals)
    ]
    if len(messages) != 1:
        where = ", ".join(message.name for message in messages) or "no message"
        raise UsageError(f"{path}: signal {name} is in {where}; name the message with &message=")
    unit = (messages[0].get_signal_by_name(name).unit or "").strip().lower()
    if unit not in _FACTORS:
        raise UsageError(f"{path}: signal {name} has the unit {unit!r}; a speed is in {', '.join(_FACTORS)}")
    return messages[0], name, _FACTORS[unit]
