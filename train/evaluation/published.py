"""Figures of the literature that are printed beside ours: a row each, as the papers or leaderboards list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from train.evaluation.report import Table

# Where a figure was seen. A paper's own table, unless it says more.
LISTED = "C2VL's listing; protocol unknown, below AimCLR's joint stream"
LEADERBOARD = "leaderboard's row, the method's own paper not seen; probably Lerch et al., arXiv 2606.02352"
USDRL, GFP, MAMP = "Weng et al., AAAI 2025", "arXiv 2509.03609", "Mao et al., ICCV 2023"
DRIVE_ACT = "Martin et al., ICCV 2019"
AIMCLR = "Guo et al., AAAI 2022"
SLIM = "arXiv 2603.10648"
C2VL = "C2VL, listed"


@dataclass(frozen=True)
class Row:
    """dataset: eval's name. task: level, split or protocol that the figure is of. value: per cent. source: where it was
    seen."""

    dataset: str
    task: str
    method: str
    metric: str
    value: float
    source: str

    def to_json(self) -> dict[str, str | float]:
        return asdict(self)


def _linear(dataset: str, method: str, source: str, **values: float) -> list[Row]:
    """Rows of one method without labels in pretraining, frozen, under a linear classifier: split -> top-1."""
    return [Row(dataset, f"{split}, linear", method, "top-1", value, source) for split, value in values.items()]


_MIDLEVEL = "midlevel, test"
ROWS = (
    Row("drive-act", _MIDLEVEL, "IR, best listed self-supervised", "balanced", 57.16, LEADERBOARD),
    Row("drive-act", _MIDLEVEL, "Depth, best listed self-supervised", "balanced", 51.71, LEADERBOARD),
    Row("drive-act", _MIDLEVEL, "Skeleton, best listed self-supervised", "balanced", 35.70, LEADERBOARD),
    Row("drive-act", _MIDLEVEL, "driver's IR view, best listed self-supervised", "balanced", 41.19, LEADERBOARD),
    Row("drive-act", _MIDLEVEL, "co-driver's IR view, best listed self-supervised", "balanced", 48.38, LEADERBOARD),
    Row("drive-act", _MIDLEVEL, "Kinect IR view, best listed self-supervised", "balanced", 57.16, LEADERBOARD),
    Row("drive-act", _MIDLEVEL, "Pose, supervised", "balanced", 44.36, DRIVE_ACT),
    Row("drive-act", _MIDLEVEL, "Interior, supervised", "balanced", 40.30, DRIVE_ACT),
    Row("drive-act", _MIDLEVEL, "Three-stream, supervised", "balanced", 46.95, DRIVE_ACT),
    Row("drive-act", _MIDLEVEL, "I3D, supervised", "balanced", 63.64, DRIVE_ACT),
    *_linear("ntu60", "SLiM", SLIM, xsub=87.9, xview=93.2),
    *_linear("ntu60", "USDRL, three streams", USDRL, xsub=87.1, xview=93.2),
    *_linear("ntu60", "GFP", GFP, xsub=85.9, xview=92.0),
    *_linear("ntu60", "USDRL", USDRL, xsub=85.2, xview=91.7),
    *_linear("ntu60", "MAMP", MAMP, xsub=84.9, xview=89.1),
    *_linear("ntu60", "AimCLR, joint stream", AIMCLR, xsub=74.3, xview=79.7),
    *_linear("ntu60", "SkeletonCLR, joint stream", AIMCLR, xsub=68.3, xview=76.4),
    *_linear("ntu60", C2VL, LISTED, xsub=69.4, xview=76.6),
    *_linear("ntu120", "USDRL, three streams", USDRL, xsub=79.3, xset=80.6),
    *_linear("ntu120", "MAMP", MAMP, xsub=78.6, xset=79.1),
    *_linear("ntu120", C2VL, LISTED, xsub=55.7, xset=54.7),
    Row("nw-ucla", "xview, no labels in pretraining", "Predict & Cluster", "top-1", 84.9, "Su et al., CVPR 2020"),
    Row("nw-ucla", "xview, supervised", "CTR-GCN", "top-1", 96.5, "Chen et al., ICCV 2021"),
    Row("sktdd", "one-class, all views", "RAPID, frame level", "ROC-AUC", 91.0, "RAPID's own"),
)


def rows_for(dataset: str, part: str) -> list[Row]:
    """The rows of a data set whose task begins with `part`: a level, split or protocol."""
    return [row for row in ROWS if row.dataset == dataset and row.task.partition(",")[0] == part]


def published_table(rows: Sequence[Row]) -> Table:
    """The literature's figures as a table."""
    return Table(
        "Published, for comparison",
        ("method", "of", "metric", "source", "per cent"),
        [[row.method, row.task, row.metric, row.source, f"{row.value:.2f}"] for row in rows],
        words=4,
    )
