"""What test_disk.py and other tests share."""

from __future__ import annotations

import json
from pathlib import Path


def records(folder: Path) -> list[dict]:
    """All lines of events.jsonl and its older files, oldest first. A line that is no JSON fails the test."""
    files = sorted(
        folder.glob("events.jsonl*"), key=lambda file: -int(file.suffix[1:]) if file.suffix[1:].isdigit() else 0
    )
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]
