"""JSON lines: decisions, or state changes and alerts, one object a line, to a file or standard output."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from pathlib import Path

from edge_c2vl.errors import OutputError
from edge_c2vl.monitoring.events import Alert, Decision, StateChange
from edge_c2vl.outputs.base import Sink
from edge_c2vl.utils.files import open_held, set_aside

# A line of ours is shorter; a longer rest without a line end is not a line that was cut off, so it is not ours to mend.
MAX_LINE = 1 << 16


class JsonLines(Sink):
    """Appends to `target` ("-": standard output). kind: "decision" or "state".

    A line is written by one call, so that a reader who follows the file sees it whole. An alert is on the disk (fsync)
    before the next record is taken. A line that a power cut left unfinished is removed when the file is opened again,
    and one that a full disk cut short at once. With `rotate_bytes` the file moves on to target.1, target.2, ... of
    which `keep` are kept.

    The file is readable by this user only, and one run at a time writes to it. replace_damaged: a file that begins with
    zeros, as a power cut may leave it, is set aside and a new one begun. Raises OutputError where it cannot be written,
    UsageError where another run has it.
    """

    def __init__(
        self,
        target: str,
        kind: str,
        rotate_bytes: int | None = None,
        keep: int = 5,
        replace_damaged: bool = False,
    ) -> None:
        self._kind, self._target, self._replace_damaged = kind, target, replace_damaged
        self._rotate_bytes, self._keep = rotate_bytes, keep
        self._is_stdout = target == "-"
        self._fd = self._open()
        self._regular = stat.S_ISREG(os.fstat(self._fd).st_mode)

    def decision(self, decision: Decision) -> None:
        if self._kind == "decision":
            self._write(decision.to_json())

    def state(self, change: StateChange) -> None:
        if self._kind == "state":
            self._write(change.to_json())

    def alert(self, alert: Alert) -> None:
        if self._kind == "state":
            self._write(alert.to_json())
            if self._regular:
                os.fsync(self._fd)

    def close(self) -> None:
        if not self._is_stdout:
            os.close(self._fd)

    def _open(self) -> int:
        if self._is_stdout:
            if sys.stdout is None:
                raise OutputError("-: standard output is closed; name a file")
            sys.stdout.flush()
            return sys.stdout.fileno()
        try:
            descriptor = self._open_file()
        except OSError as error:
            raise OutputError(f"{self._target}: cannot write there: {error.strerror}") from None
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            _sync_folder(Path(self._target))
        return descriptor

    def _open_file(self) -> int:
        try:
            descriptor = open_held(self._target, os.O_RDWR | os.O_APPEND)
        except OSError:
            if Path(self._target).is_file():
                raise
            # A pipe or a device may not let itself be read.
            return os.open(self._target, os.O_WRONLY | os.O_APPEND)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return descriptor
            why = _damage(descriptor) if self._replace_damaged else None
            if why is None:
                _mend(descriptor, self._target)
                return descriptor
            set_aside(Path(self._target), why)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return self._open_file()

    def _write(self, record: dict[str, object]) -> None:
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        if self._regular and self._rotate_bytes and not self._is_stdout:
            self._rotate(len(line))
        size = os.fstat(self._fd).st_size if self._regular else 0
        written = 0
        try:
            while written < len(line):
                written += os.write(self._fd, line[written:])
        except OSError:
            if self._regular and written:
                os.ftruncate(self._fd, size)
            raise

    def _rotate(self, coming: int) -> None:
        assert self._rotate_bytes is not None
        size = os.fstat(self._fd).st_size
        if size == 0 or size + coming <= self._rotate_bytes:
            return
        path = Path(self._target)
        fresh = path.with_name(f"{path.name}.new")
        descriptor = -1
        try:
            os.fsync(self._fd)
            # Held before it takes the name, so that at no moment a second run could have it.
            descriptor = open_held(fresh, os.O_RDWR | os.O_APPEND | os.O_TRUNC)
            os.fchmod(descriptor, stat.S_IMODE(os.fstat(self._fd).st_mode))
            for number in range(self._keep - 1, 0, -1):
                older = path.with_name(f"{path.name}.{number}")
                if older.exists():
                    older.replace(path.with_name(f"{path.name}.{number + 1}"))
            if path.exists():
                path.replace(path.with_name(f"{path.name}.1"))
            fresh.replace(path)
        except OSError:
            # A disk without room for one more file: the line goes to the old one, which is still open.
            if descriptor >= 0:
                os.close(descriptor)
            return
        self._fd, old = descriptor, self._fd
        os.close(old)
        _sync_folder(path)


def _sync_folder(path: Path) -> None:
    """Puts the file's name on the disk, too: after a power cut its content alone would not be found."""
    # Some file systems (network shares, FUSE) cannot, and keep names safe by themselves or not at all.
    with contextlib.suppress(OSError):
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _damage(descriptor: int) -> str | None:
    """What is wrong with a file that a power cut filled with zeros beyond mending; None where nothing is."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, 0) == b"\0":
        return "it begins with zeros"
    tail = os.pread(descriptor, MAX_LINE, max(0, size - MAX_LINE))
    return "it ends in zeros" if len(tail) == MAX_LINE and not tail.strip(b"\0") else None


def _mend(descriptor: int, name: str) -> None:
    """Cuts off an unfinished last line. Raises OutputError where the file holds something other than JSON lines."""
    size = os.fstat(descriptor).st_size
    if size == 0:
        return
    tail = os.pread(descriptor, MAX_LINE, max(0, size - MAX_LINE))
    if os.pread(descriptor, 1, 0) != b"{" or (b"\n" not in tail and size > MAX_LINE):
        raise OutputError(f"{name} exists and holds no JSON lines; name another file")
    if not tail.endswith(b"\n"):
        os.ftruncate(descriptor, size - len(tail) + tail.rfind(b"\n") + 1)
