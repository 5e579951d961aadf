"""File names as libraries take them, and as messages show them.

A Linux file name is bytes: any but / and NUL. Python keeps bytes that are no UTF-8 as surrogates, which crash OpenCV
and which no terminal, log or JSON reader takes; FFmpeg reads `concat:a.mp4` as a command rather than as a name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Of the 255 bytes that a name may have; the rest is for a dot, a random part and a suffix.
MAX_SHORT_BYTES = 200


def printable(text: str) -> str:
    """The text in one line for a terminal, log or JSON: line breaks, control characters and bytes that are no UTF-8
    appear as escapes such as \\n and \\xe4."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def short(name: str) -> str:
    """A part of the names of temporary files beside the file `name`: the name itself, or a digest of it where it is so
    long that nothing can be added to it, or no UTF-8."""
    content = os.fsencode(name)
    fits = len(content) <= MAX_SHORT_BYTES and _is_utf8(name)
    return name if fits else hashlib.sha256(content).hexdigest()[:16]


@contextmanager
def utf8_name(path: str | Path) -> Iterator[str]:
    """A name of the file at `path` that is UTF-8: its own, or one by way of the open folder or file. For libraries that
    take no other; valid until the block ends, so the library has to open the file within it.

    The file may be a new one where its own name, without the folder's, is UTF-8. Raises OSError where the folder or
    file cannot be opened.
    """
    name = os.fspath(path)
    if _is_utf8(name):
        yield name
        return
    folder, last = os.path.split(name)
    by_folder = _is_utf8(last)
    descriptor = os.open((folder or ".") if by_folder else name, os.O_PATH | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}" + (f"/{last}" if by_folder else "")
    finally:
        os.close(descriptor)


@contextmanager
def for_ffmpeg(path: str | Path) -> Iterator[str]:
    """The same for FFmpeg, also that in OpenCV, which without the prefix takes `concat:a.mp4` for its own syntax."""
    with utf8_name(path) as name:
        yield f"file:{name}"


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
