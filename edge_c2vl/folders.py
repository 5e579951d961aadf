"""Folders that appear whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from edge_c2vl.names import short


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
