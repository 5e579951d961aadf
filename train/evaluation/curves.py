"""Reads what runs and measurements left behind, for pictures of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_c2vl.errors import UsageError
from edge_c2vl.utils.texts import why_unread

# The stages that a frame passes one after the other; others ("capture", "frame age") hold time spent waiting.
WORK = ("pose", "window", "encoder", "policy")
# Not figures of what was learnt.
_LEFT_OUT = ("step", "clips_per_second")


def read_metrics(run: Path) -> list[dict[str, float]]:
    """A row an epoch from a run's metrics.jsonl. Raises UsageError where there is none, or it cannot be read."""
    path = run / "metrics.jsonl"
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        kept = [{name: float(row[name]) for name in row if name not in _LEFT_OUT} for row in rows]
        if not kept or any("epoch" not in row for row in kept):
            raise ValueError("no epoch is finished")
    except OSError as error:
        raise UsageError(f"{run} is no training run: {path}: {error.strerror}") from None
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path} holds no metrics of a run: {why_unread(error)}") from None
    return kept


def read_stages(path: Path) -> dict[str, dict[str, float]]:
    """Stage -> p50_ms, p95_ms, from the JSON of `edge-c2vl run --json` or `bench --json`. Raises UsageError."""
    try:
        values: Any = json.loads(path.read_text("utf-8"))
        stages = values.get("run", values)["stages"]
        # The encoder is not asked where there was nothing to judge by.
        there = [name for name in WORK if name in stages]
        kept = {name: {figure: float(stages[name][figure]) for figure in ("p50_ms", "p95_ms")} for name in there}
        if not kept:
            raise ValueError("no stage is in it")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{path} is no output of edge-c2vl run --json or bench --json: {why_unread(error)}") from None
    return kept
