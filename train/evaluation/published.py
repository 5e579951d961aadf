"""Figures of the literature that are printed beside ours: a row each, as the papers or leaderboards list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from train.evaluation.report import Table

C2VL = "C2VL (self-supervised, linear evaluation)"


@dataclass(frozen=True)
class Row:
    """dataset: eval's name. task: level, split or protocol that the figure is of. value: per cent."""

    dataset: str
    task: str
    method: str
    metric: str
    value: float

    def to_json(self) -> dict[str, str | float]:
        return asdict(self)


ROWS = (
    Row("drive-act", "midlevel, test", "IR, best listed self-supervised", "balanced", 57.16),
    Row("drive-act", "midlevel, test", "Depth, best listed self-supervised", "balanced", 51.71),
    Row("drive-act", "midlevel, test", "Skeleton, best listed self-supervised", "balanced", 35.70),
    Row("drive-act", "midlevel, test", "driver's IR view, best listed self-supervised", "balanced", 41.19),
    Row("drive-act", "midlevel, test", "co-driver's IR view, best listed self-supervised", "balanced", 48.38),
    Row("drive-act", "midlevel, test", "Kinect IR view, best listed self-supervised", "balanced", 57.16),
    Row("drive-act", "midlevel, test", "Pose, supervised", "balanced", 44.36),
    Row("drive-act", "midlevel, test", "Interior, supervised", "balanced", 40.30),
    Row("drive-act", "midlevel, test", "Three-stream, supervised", "balanced", 46.95),
    Row("drive-act", "midlevel, test", "I3D, supervised", "balanced", 63.64),
    Row("ntu60", "xsub, linear", C2VL, "top-1", 69.4),
    Row("ntu60", "xview, linear", C2VL, "top-1", 76.6),
    Row("ntu60", "xsub, linear", "SkeletonCLR, joint stream", "top-1", 68.3),
    Row("ntu60", "xsub, linear", "AimCLR, joint stream", "top-1", 74.3),
    Row("ntu120", "xsub, linear", C2VL, "top-1", 55.7),
    Row("ntu120", "xset, linear", C2VL, "top-1", 54.7),
    Row("nw-ucla", "xview, no labels in pretraining", "Predict & Cluster", "top-1", 84.9),
    Row("nw-ucla", "xview, supervised", "CTR-GCN", "top-1", 96.5),
    Row("sktdd", "one-class, all views", "RAPID, frame level", "ROC-AUC", 91.0),
)


def rows_for(dataset: str, part: str) -> list[Row]:
    """The rows of a data set whose task begins with `part`: a level, split or protocol."""
    return [row for row in ROWS if row.dataset == dataset and row.task.partition(",")[0] == part]


def published_table(rows: Sequence[Row]) -> Table:
    """The literature's figures as a table."""
    return Table(
        "Published, for comparison",
        ("method", "of", "metric", "per cent"),
        [[row.method, row.task, row.metric, f"{row.value:.2f}"] for row in rows],
        words=3,
    )
