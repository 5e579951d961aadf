"""Files and folders that appear whole or not at all, and what of a folder is looked at."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from edge_c2vl.errors import DatasetError
from edge_c2vl.names import short

# What other systems leave beside people's files, besides names with a dot in front: macOS's ._NAME and .DS_Store.
_LEFT_BY_SYSTEMS = frozenset(
    ("__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information", "lost+found")
)

# How the names of files end that are being written. A process that is killed leaves them behind.
PART = ".part"


def is_hidden(name: str) -> bool:
    """Whether a file or folder of that name is nobody's data: hidden, or left there by macOS, Windows or a NAS."""
    return name.startswith(".") or name.casefold() in _LEFT_BY_SYSTEMS


def files_below(folder: Path, pattern: str = "*") -> list[Path]:
    """The files in `folder`, at any depth, whose name fits the pattern, sorted; hidden ones and what lies in hidden
    folders is left out. Raises DatasetError where a folder cannot be read: what it holds would be missing unnoticed."""

    def refuse(error: OSError) -> None:
        raise DatasetError(f"cannot read the folder {error.filename}: {error.strerror}") from None

    found = []
    for place, folders, names in os.walk(folder, onerror=refuse if folder.is_dir() else None):
        folders[:] = [name for name in folders if not is_hidden(name)]
        found += [Path(place, name) for name in names if fnmatchcase(name, pattern) and not is_hidden(name)]
    return sorted(found)


@contextmanager
def whole_file(path: Path, mode: int = 0o666) -> Iterator[Path]:
    """A new empty file beside `path`, for the block to write. At the block's end it takes the place of `path`; after an
    error it is removed, and what stood at `path` stays. mode: as of `open`, less the umask."""
    part = path.with_name(f".{short(path.name)}.{secrets.token_hex(4)}{PART}")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_file(path: Path, content: str | bytes) -> None:
    """Writes a text (UTF-8) or bytes, whole or not at all."""
    with whole_file(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def temporary_beside(target: Path) -> Path:
    """An empty folder on the target's own disk, hidden, so that `put_in_place` is a rename and nothing is copied."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{short(target.name)}.", dir=target.parent))
    folder.chmod(0o755)  # mkdtemp makes it private
    return folder


def put_in_place(folder: Path, target: Path) -> None:
    """Renames `folder` to `target`; what stood there is removed only after that."""
    if not target.exists():
        folder.rename(target)
        return
    aside = folder.with_name(folder.name + ".old")
    target.rename(aside)
    folder.rename(target)
    shutil.rmtree(aside)


def exists_already(target: Path, mark: Path) -> str:
    """What to say of a target that is there and is not to be replaced. mark: the file in it that shows it is one of
    ours, so that --overwrite, which every command that writes one has, replaces it."""
    if mark.is_file():
        return f"{target} exists already: give --overwrite to replace it, or name another folder"
    return f"{target} exists already, and holds something else: remove it, or name another folder"
