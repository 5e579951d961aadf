"""The newest speed that is known, and how it is read from text."""

from __future__ import annotations

import math
import threading
import time
from types import TracebackType

# Beyond it a figure is no speed of a road vehicle but a mistake in unit or scaling.
MAX_KMH = 500.0


def parse_kmh(text: bytes | str) -> float | None:
    """A speed in km/h from text such as "87.5" or "speed 87.5"; None where it is none between 0 and 500."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    try:
        value = float(text.strip().removeprefix("speed").strip())
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value <= MAX_KMH else None


class Speed:
    """The newest speed that is known. A context manager; subclasses call `set` from a thread of their own."""

    def __init__(self, kmh: float | None = None) -> None:
        self.refused = 0
        self._lock = threading.Lock()
        self._kmh = kmh
        self._set_s = -math.inf

    @property
    def told(self) -> bool:
        """Whether there is a source of the speed at all, whatever it has said so far."""
        return True

    def latest(self) -> tuple[float | None, float]:
        """(km/h or None where it was never told, its age in seconds)."""
        with self._lock:
            return self._kmh, time.monotonic() - self._set_s

    def set(self, kmh: float | None) -> None:
        """Takes a reading; None (not a speed) is counted and changes nothing."""
        with self._lock:
            if kmh is None:
                self.refused += 1
            else:
                self._kmh, self._set_s = kmh, time.monotonic()

    def close(self) -> None: ...

    def __enter__(self) -> Speed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class FixedSpeed(Speed):
    """A constant speed that is never stale. None: there is no speed source."""

    @property
    def told(self) -> bool:
        return self._kmh is not None

    def latest(self) -> tuple[float | None, float]:
        return self._kmh, 0.0
