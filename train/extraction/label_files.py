"""Labels of one's own videos: a CSV beside each (start,end,label in seconds), as `edge-c2vl eval --live` reads them."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import DatasetError, UsageError
from edge_c2vl.utils.texts import read_text

# Labels of a span that nobody can judge. Evaluation counts nothing in it, and training learns nothing from it.
AMBIGUOUS = ("-", "?")

COLUMNS = ("start", "end", "label")
# Further column, where there is one: for which reasons an alert is due, with a semicolon between them.
REASONS = "reasons"
# A label may end this much later than its video: containers round times, and lose a frame at their end.
END_TOLERANCE_S = 0.5


def labels_of(video: Path) -> Path:
    """The CSV beside a video, or beside a folder of images."""
    return video.with_name(f"{video.name}.csv") if video.is_dir() else video.with_suffix(".csv")


@dataclass(frozen=True)
class OwnLabels:
    """names: the classes; the first is what no row of a video's CSV covers. test: subjects kept for testing. A video's
    subject is the folder that it lies in (`anna/drive1.mp4`: anna), below the one that was named."""

    names: tuple[str, ...]
    test: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) < 2 or len(set(self.names)) < len(self.names):
            raise UsageError("--labels are two different classes or more, such as attentive,phone,drinking")

    def check(self, videos: Sequence[tuple[str, str]]) -> list[str]:
        """The text of each CSV; videos: (name, path). Raises DatasetError or UsageError before any video is read."""
        for _, path in videos:
            self._spans(path)
        unknown = set(self.test) - {subject_of(name) for name, _ in videos}
        if unknown:
            raise UsageError(f"--test {', '.join(sorted(unknown))}: there is no such folder of videos")
        return [read_text(labels_of(Path(path))) for _, path in videos]

    def of(self, path: str, timestamps_s: NDArray[np.float64]) -> NDArray[np.int16]:
        """The label of each frame (T,), an index into `names`, of the video at `path`; -1 where it is ambiguous."""
        labels = np.zeros(len(timestamps_s), np.int16)
        for start_s, end_s, label in self._spans(path):
            labels[(timestamps_s >= start_s) & (timestamps_s < end_s)] = (
                -1 if label in AMBIGUOUS else self.names.index(label)
            )
        return labels

    def columns(self, name: str) -> dict[str, str]:
        """Further columns of a video's row: a split where subjects are kept for testing."""
        return {"split": "test" if subject_of(name) in self.test else "train"} if self.test else {}

    def _spans(self, path: str) -> list[tuple[float, float, str]]:

        return [(span.start_s, span.end_s, span.label) for span in read_truth(labels_of(Path(path)), self.names)]


def subject_of(name: str) -> str:
    """anna of anna/drive1.mp4; empty where a video lies in no subfolder."""
    return name.rpartition("/")[0]


@dataclass(frozen=True)
class Span:
    """From start_s to end_s seconds. `label`: what takes place. reasons: for which an alert is due; None where the CSV
    has no such column."""

    start_s: float
    end_s: float
    label: str = ""
    reasons: tuple[str, ...] | None = None

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s

    def contains(self, time_s: float) -> bool:
        return self.start_s <= time_s <= self.end_s


def read_truth(
    path: Path, labels: Sequence[str], duration_s: float = math.inf, reasons: Sequence[str] | None = None
) -> list[Span]:
    """The rows of a CSV. reasons: those that there are; None: a column of them is not read. Raises DatasetError, naming
    file and line: no such file or column, no number, an end that is not after the start or lies beyond the video's, a
    label that the bundle does not have, an unknown reason."""
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise DatasetError(f"{path} does not exist: the labels of a video stand beside it, start,end,label") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None
    rows = csv.DictReader(text.splitlines(), strict=True, skipinitialspace=True)
    try:
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or [])]
        if missing:
            raise DatasetError(f"{path}, line 1 lacks the columns {', '.join(missing)}: it should read start,end,label")
        told = reasons if REASONS in (rows.fieldnames or []) else None
        spans = {}
        for row in rows:
            spans[rows.line_num] = _span(row, f"{path}, line {rows.line_num}", labels, duration_s, told)
    except csv.Error as error:
        raise DatasetError(f"{path}, line {rows.line_num + 1}: {error}") from None
    _refuse_contradictions(path, spans)
    return list(spans.values())


def _refuse_contradictions(path: Path, spans: Mapping[int, Span]) -> None:
    """Raises DatasetError where two rows call the same time differently: which one is meant cannot be told. spans: by
    the line of each."""
    known = sorted((span.start_s, line) for line, span in spans.items() if span.label not in AMBIGUOUS)
    longest: int | None = None
    for start_s, line in known:
        before = spans[longest or line]
        if start_s < before.end_s - END_TOLERANCE_S and spans[line].label != before.label:
            raise DatasetError(
                f"{path}, line {line}: it begins at {start_s:g} s, when {before.label!r} of line {longest} still lasts "
                f"until {before.end_s:g} s: let one of them end"
            )
        longest = line if spans[line].end_s >= before.end_s else longest


def _span(
    row: dict[str, str | None],
    where: str,
    labels: Sequence[str],
    duration_s: float,
    known_reasons: Sequence[str] | None,
) -> Span:
    try:
        start_s, end_s = float(row["start"] or ""), float(row["end"] or "")
    except ValueError:
        raise DatasetError(f"{where}: {row['start']!r} and {row['end']!r} should be seconds") from None
    label = (row["label"] or "").strip()
    if label not in labels and label not in AMBIGUOUS:
        known = f"{', '.join(labels)}, and - for what is not to be judged"
        raise DatasetError(f"{where}: the label {label!r} is unknown; there are {known}")
    if not 0 <= start_s < end_s < math.inf:
        raise DatasetError(f"{where}: from {start_s:g} to {end_s:g} s is no span of time")
    if end_s > duration_s + END_TOLERANCE_S:
        raise DatasetError(f"{where}: {end_s:g} s lies beyond the video's end at {duration_s:.2f} s")
    return Span(start_s, end_s, label, None if known_reasons is None else _reasons(row, where, known_reasons))


def _reasons(row: dict[str, str | None], where: str, known: Sequence[str]) -> tuple[str, ...]:
    reasons = tuple(name for part in (row[REASONS] or "").split(";") if (name := part.strip()))
    for reason in reasons:
        if reason not in known:
            raise DatasetError(f"{where}: the reason {reason!r} is unknown; there are {', '.join(known)}")
    return reasons
