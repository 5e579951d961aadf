"""Files that a run keeps: for this user alone, held by one run at a time, and set aside where they are damaged."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
from pathlib import Path

from edge_c2vl.errors import UsageError

# What a run keeps tells who drove and how.
PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700

log = logging.getLogger("edge_c2vl")


def open_held(path: str | Path, flags: int, stands_for: Path | None = None) -> int:
    """Opens a file, or makes an empty one, and holds it until the descriptor is closed; the kernel does that for a
    process that is killed, so that no lock outlives its run. Raises UsageError where another run, or another output of
    this one, holds it, and OSError where it cannot be opened. What is no file (a pipe, a terminal) is not held.
    stands_for: the file that messages name instead."""
    while True:
        descriptor = os.open(path, flags | os.O_CREAT, PRIVATE_FILE)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return descriptor
            _hold(descriptor, stands_for or path)
            # The process that held the lock may have renamed or removed the file since it was opened here.
            if _is_named(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


class Lock:
    """Keeps a second run away from a file that is replaced as a whole, by a file beside it that `release` removes."""

    def __init__(self, path: Path) -> None:
        path = path.resolve()
        self._path = path.with_name(f".{path.name}.lock")
        self._descriptor = open_held(self._path, os.O_RDWR, stands_for=path)

    def release(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def set_aside(path: Path, why: str) -> None:
    """Renames a damaged file to NAME.damaged, or NAME.damaged-2, ..., and says so in the log."""
    number, aside = 1, path.with_name(f"{path.name}.damaged")
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{number}")
    path.rename(aside)
    log.warning("%s was damaged (%s) and is now %s; a new one was begun", path, why, aside)


def _hold(descriptor: int, path: str | Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise _in_use(path) from None
        # Some file systems (FUSE, network shares) know no locks.
        log.warning("%s cannot be locked there (%s): see that no second run writes to it", path, error.strerror)


def _in_use(path: str | Path) -> UsageError:
    return UsageError(f"{path} is in use by another run, or by another output of this one; name another file")


def _is_named(descriptor: int, path: str | Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
