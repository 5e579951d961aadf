"""Going on with a run: its own settings, from settings.json in its folder, and which of them may change."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from edge_c2vl.errors import UsageError
from edge_c2vl.settings.fields import flag
from edge_c2vl.utils.texts import read_json

SETTINGS = "settings.json"
VERDICT = "verdict.json"  # of train pretrain
# What does not change what was learnt so far. More epochs stretch the learning rate's schedule from there on.
MAY_CHANGE = ("epochs", "checkpoint_every", "evaluate_every", "tensorboard", "threads")
_SECTIONS = ("augment", "data", "pretraining", "objective", "loop")


def recorded(run: Path) -> dict[str, Any]:
    """The settings of the run in that folder, or of the first of its runs (seed0, ...), by name; with `banks`,
    `pretrained` (paths) and `freeze`. Raises UsageError where there is no run to go on with."""
    files = [run / SETTINGS, *sorted(run.glob(f"seed*/{SETTINGS}"))]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise UsageError(f"there is no run in {run} to go on with: leave --resume out to begin one")
    try:
        kept = read_json(file)
        values = dict(kept["model"]["encoder"])
        for section in _SECTIONS:
            values |= kept.get(section, {})
        return values | {name: kept[name] for name in ("banks", "pretrained", "freeze") if name in kept}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file} cannot be read ({type(error).__name__}: {error}): begin a new run") from None


def check_unchanged(run: Path, before: dict[str, Any], *settings: Any) -> None:
    """Before anything slow begins. Raises UsageError where a setting is not what the run had, and may not change."""
    different = [
        f"{flag(field.name)} was {before[field.name]}"
        for values in settings
        for field in dataclasses.fields(values)
        if field.metadata and field.name not in (*MAY_CHANGE, "seed")
        if field.name in before and before[field.name] != getattr(values, field.name)
    ]
    if different:
        raise UsageError(
            f"the run in {run} had other settings: {'; '.join(different)}; leave them out to go on with it"
        )


def epochs_done(folder: Path) -> int:
    """How many epochs the run in that folder has finished."""
    try:
        return len((folder / "metrics.jsonl").read_bytes().splitlines())
    except OSError:
        return 0
