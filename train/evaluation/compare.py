"""Runs of pretraining side by side: their figures, and in which settings they differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_c2vl.errors import UsageError
from edge_c2vl.names import printable
from edge_c2vl.settings.fields import flag
from edge_c2vl.utils.texts import read_json
from train.evaluation.curves import read_metrics
from train.evaluation.report import Table
from train.settings.resume import SETTINGS, VERDICT, recorded

# Figure -> its heading, and how it is shown. Those that are not in a run are left empty.
FIGURES = {
    "epoch": ("epochs", ".0f"),
    "loss": ("loss", ".3f"),
    "rankme": ("rank", ".1f"),
    "alignment": ("alignment", ".3f"),
    "uniformity": ("uniformity", ".2f"),
    "knn": ("nearest", ".1%"),
    "knn_random": ("untrained", ".1%"),
    "probe": ("probe", ".1%"),
    "probe_random": ("untrained", ".1%"),
}
# What a picture has a panel of.
DRAWN = ("loss", "rankme", "alignment", "uniformity", "knn")


@dataclass(frozen=True)
class RunFolder:
    """name: its folder. settings: by name. epochs: a row an epoch. verdict: see train/evaluation/watch.py."""

    name: str
    settings: dict[str, Any]
    epochs: list[dict[str, float]]
    verdict: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> RunFolder:
        """Raises UsageError where the folder holds no run, or none with a finished epoch."""
        if not (folder / SETTINGS).is_file():
            raise UsageError(f"{folder} is no training run: it has no {SETTINGS}")
        settings = {name: value for name, value in recorded(folder).items() if name != "threads"}
        verdict: dict[str, Any] = {}
        if (folder / VERDICT).is_file():
            try:
                verdict = dict(read_json(folder / VERDICT))
            except (OSError, ValueError, TypeError) as error:
                raise UsageError(f"{folder / VERDICT} cannot be read: {error}") from None
        return cls(printable(str(folder)), settings, read_metrics(folder), verdict)

    def figures(self) -> dict[str, float]:
        """Of the last epoch, and the verdict, which counts where both have one."""
        return self.epochs[-1] | {name: value for name, value in self.verdict.items() if name in FIGURES}


def open_runs(folders: Sequence[Path]) -> list[RunFolder]:
    """The runs; a folder with seed0, seed1, ... stands for as many."""
    found: list[Path] = []
    for folder in folders:
        seeds = sorted(folder.glob(f"seed*/{SETTINGS}"), key=lambda path: (len(path.parent.name), path.parent.name))
        found += [folder] if (folder / SETTINGS).is_file() or not seeds else [path.parent for path in seeds]
    return [RunFolder.open(folder) for folder in found]


def differences(runs: Sequence[RunFolder]) -> dict[str, list[Any]]:
    """Setting -> its value in each run, of those that are not the same in all."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    values = {name: [run.settings.get(name) for run in runs] for name in names}
    return {name: told for name, told in values.items() if len({json.dumps(value) for value in told}) > 1}


def compared(runs: Sequence[RunFolder]) -> Table:
    """A row a run: settings that differ, then figures that any of them has."""
    different, figures = differences(runs), [run.figures() for run in runs]
    there = [name for name in FIGURES if any(name in values for values in figures)]
    header = ["run", *[flag(name)[2:] for name in different], *[FIGURES[name][0] for name in there]]
    rows = []
    for number, (run, values) in enumerate(zip(runs, figures, strict=True)):
        told = [_short(values[number]) for values in different.values()]
        shown = [format(values[name], FIGURES[name][1]) if name in values else "" for name in there]
        rows.append([run.name, *told, *shown])
    return Table("Runs", header, rows, words=1 + len(different))


def drawn(runs: Sequence[RunFolder]) -> dict[str, list[dict[str, float]]]:
    """run -> a row an epoch, of what a picture shows."""
    kept = ("epoch", *DRAWN)
    return {run.name: [{name: row[name] for name in kept if name in row} for row in run.epochs] for run in runs}


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return printable(text if len(text) <= 30 else "..." + text[-27:])
