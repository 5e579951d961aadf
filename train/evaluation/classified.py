"""Classes judged on one or several test sets: the figures of each, their mean, all pooled, and the report's parts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl import plots
from train.evaluation.report import ReportPicture, Table, Text, confusion_csv, percent
from train.metrics import Figures, confusion, figures, mean_and_spread, per_class, reliability

FIGURES = (("balanced", "balanced"), ("top1", "top-1"), ("ece", "ECE"))


@dataclass(frozen=True)
class Scored:
    """What a model said of the rows of one test set: labels (N,) in [0, K), probabilities (N, K)."""

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    @property
    def predicted(self) -> NDArray[np.int64]:
        return self.probabilities.argmax(axis=1)


class Classified:
    """`name`: what is classified (a level, a split). `classes`: the class names. `sets`: test set -> what was said of
    it. pooled=True where the test sets together are one meaningful whole, as a data set's folds are.
    probabilistic=False where the probabilities are mere answers (0 or 1), of which calibration says nothing."""

    def __init__(
        self,
        name: str,
        classes: list[str],
        sets: dict[str, Scored],
        pooled: bool = True,
        probabilistic: bool = True,
    ) -> None:
        self.name, self.classes, self.sets, self._probabilistic = name, classes, sets, probabilistic
        self._shown = [row for row in FIGURES if probabilistic or row[0] != "ece"]
        self.figures: dict[str, Figures] = {
            key: figures(scored.labels, scored.probabilities) for key, scored in sets.items()
        }
        if pooled and len(sets) > 1:
            whole = Scored(
                np.concatenate([scored.labels for scored in sets.values()]),
                np.concatenate([scored.probabilities for scored in sets.values()]),
            )
            self.pooled: Scored | None = whole
            self.pooled_figures: Figures | None = figures(whole.labels, whole.probabilities)
        else:
            self.pooled = next(iter(sets.values())) if len(sets) == 1 else None
            self.pooled_figures = None

    def mean(self, name: str) -> tuple[float, float | None]:
        """Mean and sample standard deviation of a figure over the test sets."""
        return mean_and_spread([float(getattr(found, name)) for found in self.figures.values()])

    def accuracy(self) -> dict[str, dict[str, float]]:
        """What a bundle's manifest states of each test set."""
        return {key: {"top1": f.top1, "balanced": f.balanced, "clips": f.n} for key, f in self.figures.items()}

    def to_json(self) -> dict[str, Any]:
        values: dict[str, Any] = {
            "classes": self.classes,
            "splits": {key: found.to_json() | self._details(self.sets[key]) for key, found in self.figures.items()},
        }
        if len(self.sets) > 1:
            means = {name: self.mean(name) for name, _ in self._shown}
            values["mean"] = {name: mean for name, (mean, _) in means.items()}
            values["spread"] = {name: spread for name, (_, spread) in means.items()}
        if self.pooled is not None and self.pooled_figures is not None:
            values["pooled"] = self.pooled_figures.to_json() | self._details(self.pooled)
        return values

    def _details(self, scored: Scored) -> dict[str, Any]:
        matrix = confusion(scored.labels, scored.predicted, len(self.classes))
        values: dict[str, Any] = {"per_class": per_class(matrix, self.classes), "confusion": matrix.tolist()}
        if self._probabilistic:
            bins = reliability(scored.probabilities.max(axis=1), scored.predicted == scored.labels)
            return values | {"reliability": bins}
        return values | {"ece": None}

    def summary(self) -> Table:
        """A row each test set, then mean and pooled."""
        rows = [self._row(key, found) for key, found in self.figures.items()]
        if len(self.sets) > 1:
            cells = []
            for name, _ in self._shown:
                mean, spread = self.mean(name)
                cells.append(f"{percent(mean)} ± {percent(spread)}")
            rows.append(["mean ± sd", *cells, "", ""])
        if self.pooled_figures is not None:
            rows.append(self._row("pooled", self.pooled_figures))
        return Table(self.name, ("per cent", *(title for _, title in self._shown), "clips", "classes"), rows)

    def _row(self, name: str, found: Figures) -> list[str]:
        values = [percent(getattr(found, figure)) for figure, _ in self._shown]
        return [name, *values, str(found.n), f"{found.classes}/{len(self.classes)}"]

    def parts(self, prefix: str = "") -> tuple[list[Text | Table | ReportPicture], dict[str, str]]:
        """The report's parts, and the files beside it: confusion matrices as CSV. prefix: of the files' names."""
        parts: list[Text | Table | ReportPicture] = [self.summary()]
        files = {}
        whole = {"pooled": self.pooled} if self.pooled_figures is not None and self.pooled is not None else {}
        for key, scored in (self.sets | whole).items():
            matrix = confusion(scored.labels, scored.predicted, len(self.classes))
            name = f"{prefix}{key}".replace(" ", "_").replace("/", "_")
            files[f"confusion_{name}.csv"] = confusion_csv(matrix, self.classes)
            title = f"{self.name}, {key}"
            parts += [
                _per_class_table(f"{title}: each class", per_class(matrix, self.classes)),
                ReportPicture(
                    f"{title}: confusion", partial(plots.confusion, matrix, self.classes, title), f"confusion_{name}"
                ),
            ]
            if self._probabilistic:
                bins = reliability(scored.probabilities.max(axis=1), scored.predicted == scored.labels)
                draw = partial(plots.reliability, bins, title)
                parts.append(ReportPicture(f"{title}: calibration", draw, f"calibration_{name}"))
        return parts, files


def _per_class_table(title: str, rows: list[dict[str, Any]]) -> Table:
    header = ("class", "clips", "answered", "recall", "precision", "F1")
    cells = [
        [
            row["name"],
            str(row["count"]),
            str(row["predicted"]),
            percent(row["recall"], 1),
            percent(row["precision"], 1),
            percent(row["f1"], 1),
        ]
        for row in rows
    ]
    return Table(title, header, cells)
