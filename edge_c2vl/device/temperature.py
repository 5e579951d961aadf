"""How hot the machine is."""

from __future__ import annotations

from pathlib import Path

ZONES = Path("/sys/class/thermal")


def temperature_c() -> float | None:
    """The hottest thermal zone in degrees Celsius; None where none can be read."""
    hottest = None
    try:
        zones = list(ZONES.glob("thermal_zone*/temp"))
    except OSError:  # no file descriptor is left
        return None
    for zone in zones:
        try:
            degrees = int(zone.read_text()) / 1000
        except (OSError, ValueError):
            continue  # a zone may be switched off while the others can be read
        if -40 < degrees < 150 and (hottest is None or degrees > hottest):
            hottest = degrees
    return hottest
