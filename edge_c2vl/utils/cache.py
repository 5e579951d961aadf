"""Where what can be made again is kept: clips, features, archives made on the way, kernel timings."""

from __future__ import annotations

import functools
import logging
import os
import stat
import tempfile
from pathlib import Path

from edge_c2vl.errors import EdgeC2VLError

log = logging.getLogger("edge_c2vl")
VARIABLE = "EDGE_C2VL_CACHE"


def default_cache() -> Path:
    """A folder that can be written: the one that EDGE_C2VL_CACHE names, else edge-c2vl in XDG_CACHE_HOME or ~/.cache.
    Where those cannot be written (a service without a home, a read-only home): one of this user's in the temporary
    folder, which a warning tells.

    Raises EdgeC2VLError, naming the variable to set, where the named folder or all of them cannot be written.
    """
    named = os.environ.get(VARIABLE)
    if named:
        why = _unusable(Path(named))
        if why:
            raise EdgeC2VLError(f"the cache {named} cannot be written ({why}): set {VARIABLE} to another folder")
        return Path(named)
    return _found(os.environ.get("XDG_CACHE_HOME", ""), os.path.expanduser("~"), os.geteuid())


@functools.cache  # warns once
def _found(base: str, home: str, user: int) -> Path:
    """base, home: as in the environment; "~" where nobody knows a home. user: the number."""
    # A path that is not absolute is to be ignored (XDG base directory specification).
    chosen = Path(base) if os.path.isabs(base) else Path(home) / ".cache"
    folder = chosen / "edge-c2vl"
    why = _unusable(folder) if folder.is_absolute() else "there is no home"
    if not why:
        return folder
    try:
        temporary = Path(tempfile.gettempdir()) / f"edge-c2vl-{user}"
        temporary_why = _unusable(temporary, 0o700) or _foreign(temporary, user)
    except OSError as error:  # no temporary folder either
        temporary_why = error.strerror or str(error)
    if temporary_why:
        raise EdgeC2VLError(
            f"no folder for a cache: {folder}: {why}; in the temporary folder: {temporary_why}; "
            f"set {VARIABLE} to a folder that can be written"
        )
    log.warning("the cache is %s (%s: %s); set %s to a folder that stays", temporary, folder, why, VARIABLE)
    return temporary


def _unusable(folder: Path, mode: int = 0o777) -> str:
    """Why nothing can be written there, after trying to make it; empty where it can."""
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _foreign(folder: Path, user: int) -> str:
    """Whether somebody else made that folder, in a place where everybody may, or could change what is in it."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != user or status.st_mode & 0o022:
        return f"{folder} belongs to somebody else"
    return ""
