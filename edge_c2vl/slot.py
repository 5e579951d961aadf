"""Handing the newest item from one thread to the next."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """Holds one item. Live (`lossless=False`) a new item replaces one that nobody has taken; from a file
    (`lossless=True`) the giver waits until it has been taken."""

    def __init__(self, lossless: bool) -> None:
        self.dropped = 0
        self._lossless = lossless
        self._item: T | None = None
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: T) -> bool:
        """Leaves an item; False where the slot is closed."""
        with self._changed:
            while self._lossless and self._item is not None and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            if self._item is not None:
                self.dropped += 1
            self._item = item
            self._changed.notify_all()
            return True

    def take(self) -> T | None:
        """Waits for an item; None once the slot is closed and empty."""
        with self._changed:
            while self._item is None and not self._closed:
                self._changed.wait()
            item, self._item = self._item, None
            self._changed.notify_all()
            return item

    def close(self, discard: bool = False) -> None:
        """No item comes any more. An item that lies there can still be taken, unless discarded."""
        with self._changed:
            self._closed = True
            if discard:
                self._item = None
            self._changed.notify_all()
