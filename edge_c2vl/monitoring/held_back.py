"""What may be learnt from only once nothing has come after it that speaks against it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class HeldBack(Generic[T]):
    """Gives things back, in order, once they are `seconds` old and were not cleared before."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: deque[tuple[float, T]] = deque()

    def add(self, time_s: float, thing: T) -> Iterator[T]:
        """Times rise; where they do not, what waits belongs to another time."""
        if self._waiting and time_s < self._waiting[-1][0]:
            self._waiting.clear()
        self._waiting.append((time_s, thing))
        while self._waiting[0][0] <= time_s - self._seconds:
            yield self._waiting.popleft()[1]

    def clear(self) -> None:
        self._waiting.clear()
