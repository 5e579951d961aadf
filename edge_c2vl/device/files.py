"""Files by which the system tells about itself."""

from __future__ import annotations

from pathlib import Path


def read_text(path: Path) -> str:
    """A file's text; empty where it cannot be read."""
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
