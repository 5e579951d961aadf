"""Drive&Act by its published protocol: three splits by driver, chunks of three seconds, mean per-class accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import DatasetError, UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.splits import Split
from edge_c2vl.skeletons.windows import whole_clips
from edge_c2vl.utils.scores import softmax
from train.datasets.drive_act_labels import PARTS
from train.environment import describe_environment
from train.evaluation.classified import Classified, Scored
from train.evaluation.models import Model, matching
from train.evaluation.predictions import through
from train.evaluation.published import published_table, rows_for
from train.evaluation.report import Report, Table, Text
from train.settings.protocols import DATA_SETS

NOTE = (
    "Balanced accuracy is the mean of the classes' recalls. A class without a clip in a test set has no recall there "
    "and is left out of that set's mean; the mean over splits and the pooled figure thus weigh classes and clips "
    "differently. ECE is the expected calibration error in 15 bins."
)

SIMULATED_NOTE = "These drivers are simulated: the figures say that the protocol runs, and nothing about real drivers."


def splits_of(split: str, model_path: str) -> list[str]:
    """The splits to evaluate. Raises UsageError where one model would be judged on several: it has seen the test
    drivers of all but one."""
    splits = list(DATA_SETS["drive-act"].splits) if split == "all" else [split]
    if len(splits) > 1 and "{split}" not in model_path:
        raise UsageError(
            "--split all needs a model for each split, because one that was trained on split 0 has seen drivers that "
            f"split 1 tests: name them as in {model_path.rstrip('/')}-{{split}}, or choose one split"
        )
    return splits


def evaluate(
    archive: Archive,
    open_split: Callable[[str], Model],
    splits: Sequence[str],
    *,
    part: str = "test",
    level: str = "midlevel",
    about: dict[str, Any] | None = None,
) -> Report:
    """The report of the models on one part ("test", or "val" to choose by) of each split.

    open_split: gives the model of a split "0", "1" or "2". about: what else report.json says of the data. Raises
    DatasetError where the archive lacks the split's labels or an activity is unknown to the model, UsageError where a
    model was trained on another split.
    """
    rows, scored, names, classes = {}, {}, {}, list(archive.labels)
    for split in splits:
        column = f"split_{split}"
        rows[split] = _rows(archive, column, part)
        with open_split(split) as model:
            if model.split and model.split != column:
                raise UsageError(f"{model.name} was trained on {model.split}: it cannot be judged on {column}")
            names[column] = model.description
            classes += [label for label in model.labels if label not in classes]
            scored[column] = _scored(archive, rows[split], model, classes, column)
    # A later model may know further labels: the earlier ones never answer those.
    sets = {
        column: Scored(found.labels, _widened(found.probabilities, len(classes))) for column, found in scored.items()
    }
    judged = [Classified(level, classes, sets)]
    if level == "objectlevel":
        judged[0].name = "action, object and location (triplet)"
        judged += _parts_of_triplets(archive, classes, sets)
    return _report(judged, names, level, part, {"data": archive.meta["source"]} | (about or {}))


def _rows(archive: Archive, column: str, part: str) -> NDArray[np.int64]:
    known = column in archive.clips.columns
    rows = Split.of(archive, column, needed=()).rows(part) if known else np.empty(0, np.int64)
    if not len(rows):
        raise DatasetError(f"{archive.path} has no {part} clip of {column}: put {column}.{part}.csv among its labels")
    return np.asarray(rows)


def _scored(archive: Archive, rows: NDArray[np.int64], model: Model, classes: list[str], column: str) -> Scored:
    windows = whole_clips(archive, rows)
    place = matching(model, archive.labels)
    unknown = (windows.label < 0) | (place[windows.label] < 0)
    if unknown.any():
        row = archive.clips.iloc[int(rows[unknown][0])]
        label = archive.labels[int(row["label"])] if row["label"] >= 0 else "none"
        raise DatasetError(
            f"{row.get('where', row['name'])}: the activity {label!r} is unknown to {model.name}, which knows "
            f"{len(model.labels)} (in {int(unknown.sum())} of {len(rows)} rows)"
        )
    logits = through(model.logits, archive, windows, model.spec, f"{column} test")
    probabilities = np.zeros((len(rows), len(classes)))
    probabilities[:, [classes.index(label) for label in model.labels]] = softmax(logits.astype(np.float64))
    return Scored(windows.label, probabilities)


def _widened(probabilities: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    return np.pad(probabilities, ((0, 0), (0, classes - probabilities.shape[1])))


def _parts_of_triplets(archive: Archive, classes: list[str], sets: dict[str, Scored]) -> list[Classified]:
    """Action, object and location each on its own: the probability of an action is that of all triplets with it."""
    clips = archive.clips
    words = {}
    for label, *triplet in zip(clips["label"], *(clips[name] for name in ("action", *PARTS[1:])), strict=True):
        if label >= 0:
            words[archive.labels[label]] = triplet
    missing = [name for name in classes if name not in words]
    if missing:
        raise UsageError(f"the model knows the triplet {missing[0]!r}, which the labels in {archive.path} do not")
    judged = []
    for index, name in enumerate(("action", *PARTS[1:])):
        parts = sorted({triplet[index] for triplet in words.values()})
        place = np.array([parts.index(words[label][index]) for label in classes])
        merge = (place[:, None] == np.arange(len(parts))).astype(np.float64)  # (K, parts)
        found = {column: Scored(place[scored.labels], scored.probabilities @ merge) for column, scored in sets.items()}
        judged.append(Classified(name, parts, found))
    return judged


def _report(judged: list[Classified], names: dict[str, str], level: str, part: str, about: dict[str, Any]) -> Report:
    simulated = about["data"].startswith("SIMULATED")
    note = f"{SIMULATED_NOTE} {NOTE}" if simulated else NOTE
    # Beside figures of simulated drivers the literature's would mislead.
    published = rows_for("drive-act", level) if part == "test" and not simulated else []
    title = f"{'SIMULATED ' if simulated else ''}Drive&Act, {level}, {part}"
    values = {
        "dataset": "drive-act",
        "level": level,
        "part": part,
        **about,
        "models": names,
        "accuracy": {f"{title}, {classified.name}": classified.accuracy() for classified in judged},
        "parts": {classified.name: classified.to_json() for classified in judged},
        "published": [row.to_json() for row in published],
        "note": note,
        "environment": describe_environment(),
    }
    where = ", ".join(str(value) for value in about.values())
    report = Report(title, values, [Text(f"{where}. {note}")])
    report.parts.append(Table("Models", ("split", "model"), [[key, name] for key, name in names.items()], words=2))
    for index, classified in enumerate(judged):
        parts, files = classified.parts("" if index == 0 else f"{classified.name}_")
        report.parts += parts[:1]
        if index == 0 and published:
            report.parts.append(published_table(published))
        report.parts += parts[1:]
        report.files |= files
    return report
