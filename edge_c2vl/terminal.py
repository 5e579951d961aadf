"""Standard error that may go away: a terminal that was closed, a pipe whose reader has ended."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any


class _Lenient(io.RawIOBase):
    """Writes to a file descriptor; what cannot be written is dropped."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any, /) -> int:
        with contextlib.suppress(OSError):
            return os.write(self._descriptor, data)
        return memoryview(data).nbytes


def survive_its_end() -> None:
    """From now on nothing that is said on standard error fails because nobody can hear it. A descriptor of 0 to 2 that
    is closed is opened on /dev/null, so that no file gets its number and is written into."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    if sys.stderr is None or (sys.stderr is sys.__stderr__ and isinstance(sys.stderr, io.TextIOWrapper)):
        encoding = "utf-8" if sys.stderr is None else sys.stderr.encoding
        sys.stderr = io.TextIOWrapper(
            io.BufferedWriter(_Lenient(2)), encoding, errors="backslashreplace", line_buffering=True
        )
