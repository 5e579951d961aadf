"""Text files as people's programs write them: a byte-order mark in front is no part of the text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def decoded(content: bytes) -> str:
    """UTF-8 text, or UTF-16 where it begins with that mark, as PowerShell writes it. Raises UnicodeDecodeError."""
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    return content.decode("utf-16" if wide else "utf-8-sig")


def read_text(path: Path) -> str:
    """A file's text without its byte-order mark. Raises OSError, UnicodeDecodeError (a ValueError)."""
    return decoded(path.read_bytes())


def read_json(path: Path) -> Any:
    """A JSON file's value. Raises OSError, and ValueError for whatever is wrong with its content."""
    try:
        return json.loads(read_text(path))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def why_unread(error: Exception) -> str:
    """What is wrong with a file that was read, in one short line that quotes none of its bytes."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, UnicodeError):
        return "it is no text"
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    return " ".join(str(error).split())[:200] or type(error).__name__
