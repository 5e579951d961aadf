"""Unix sockets: listening where a dead process left one, and never in a living one's place."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from edge_c2vl.errors import UsageError


def listen(path: Path, mode: int, backlog: int, what: str) -> socket.socket:
    """A listening stream socket at `path`, with the file mode from its first moment on. what: the option, for messages.
    Raises UsageError where nobody can listen there."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists():
            _remove_stale(path, what)
        # Of the socket before it has a name: between bind and chmod of the file anybody could connect.
        os.fchmod(listener.fileno(), mode)
        listener.bind(str(path))
        os.chmod(path, mode)
        listener.listen(backlog)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise UsageError(f"{what}: {error.strerror or error}") from None
    except UsageError:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path, what: str) -> None:
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise UsageError(f"{what}: a file that is no socket stands there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise UsageError(f"{what}: another process listens there")
    path.unlink()
