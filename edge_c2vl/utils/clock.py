"""Unix time as text."""

from __future__ import annotations

import time
from datetime import datetime, timezone


def iso_utc(unix_s: float) -> str:
    """ISO 8601 with milliseconds and a Z."""
    return datetime.fromtimestamp(unix_s, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_of_day(unix_s: float) -> str:
    """Hours, minutes and seconds where the machine is."""
    return time.strftime("%H:%M:%S", time.localtime(unix_s))
