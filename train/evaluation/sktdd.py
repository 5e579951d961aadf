"""sktDD: distraction of drivers whom the probe or the trained model never saw, in folds by driver.

Each fold keeps two drivers aside; their labelled drives are judged once, in windows of the model's length every half
second. Figures are those of train.evaluation.driver_folds: of each view, of all views pooled, and of the three views of
a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.utils.progress import track
from train.environment import describe_environment
from train.evaluation.benchmark import Asked
from train.evaluation.driver_folds import driver_folds, figures
from train.evaluation.models import CheckpointModel, Model, matching
from train.evaluation.predictions import BATCH
from train.evaluation.published import published_table, rows_for
from train.evaluation.report import Report, Table, Text, percent
from train.evaluation.sktdd_windows import DRIVERS_A_FOLD, LABELS, Data
from train.metrics import softmax

PROTOCOLS = ("linear", "knn", "finetune", "one-class", "classifier")
Scores = NDArray[np.float64]
# One-class scores have no natural threshold: so many of the normal training windows are let pass as normal.
NORMAL_SHARE = 0.95

_WORDS = {
    "linear": "logistic regression (C = 1) on the frozen encoder's standardised features, classes weighed equally",
    "knn": "share of distracted ones among the {k} nearest training windows by cosine",
    "finetune": "the whole encoder trained on with the labels of the training drivers",
    "one-class": "distance (Mahalanobis) from the training drivers' normal driving, of each camera; no label is used",
    "classifier": "each fold's model as it is",
}


def evaluate(archive: Archive, open_fold: Callable[[int], Model], asked: Asked) -> Report:
    """The report. open_fold: the model of a fold, which may be the same for all where its training saw no label.

    Raises UsageError where a model of the protocol "classifier" does not know the two labels.
    """
    if asked.protocol not in PROTOCOLS:
        raise UsageError(f"sktdd has the protocols {', '.join(PROTOCOLS)}, not {asked.protocol}")
    first = open_fold(0)
    data = Data.open(archive, first.spec)
    folds = driver_folds(data.scenes.driver.tolist(), DRIVERS_A_FOLD)
    if asked.protocol == "finetune":
        _add_folds(archive, folds)
    scores, threshold = np.full(len(data.labels), np.nan), 0.5
    cache: dict[int, NDArray[np.float32]] = {}
    for number in track(range(len(folds)), "folds"):
        model = open_fold(number)
        if model.spec != first.spec:
            raise UsageError(f"{model.name} takes other clips than {first.name}")
        fit, test = data.fold(folds[number])
        scores[test] = _fold_scores(archive, data, model, number, fit, test, asked, cache)
    test = np.flatnonzero(data.labelled)
    found = figures(data.labels[test], scores[test], data.scenes[test], threshold)
    return _report(archive, first.description, asked, found, len(folds))


def _fold_scores(
    archive: Archive,
    data: Data,
    model: Model,
    number: int,
    fit: NDArray[np.int64],
    test: NDArray[np.int64],
    asked: Asked,
    cache: dict[int, NDArray[np.float32]],
) -> Scores:
    """How distracted the test windows look; 0.5 is the threshold."""
    if asked.protocol == "finetune":
        model = _trained(archive, model, number, asked)
    if asked.protocol in ("finetune", "classifier"):
        place = matching(model, LABELS)
        if (place < 0).any():
            raise UsageError(f"{model.name} does not know {', '.join(LABELS)}: choose --protocol linear or knn")
        logits = _through(model.logits, data, test)[:, place]
        return softmax(logits)[:, 1]
    if id(model) not in cache:
        cache.clear()  # models of folds differ; one that serves all is computed once
        cache[id(model)] = _through(model.features, data, np.arange(len(data.labels)))
    values = cache[id(model)]
    if asked.protocol == "linear":
        return _linear(values[fit], data.labels[fit], values[test])
    if asked.protocol == "knn":
        return _neighbours(values[fit], data.labels[fit], values[test], asked.k)
    return _one_class(values, data, fit[~data.labelled[fit]], test)


def _through(function: Any, data: Data, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    parts = [function(data.store.read(rows[first : first + BATCH])) for first in range(0, len(rows), BATCH)]
    return np.concatenate(parts)


def _linear(train: NDArray[np.float32], labels: NDArray[np.int64], test: NDArray[np.float32]) -> Scores:
    from train.evaluation.protocols import probe_scores

    log = probe_scores(train, labels, test, 2)
    # Distraction is rare in training; taking its share out of the odds leaves 0.5 as the fair threshold.
    prior = labels.mean()
    odds = log[:, 1] - log[:, 0] - np.log(prior / (1 - prior))
    return 1 / (1 + np.exp(-odds))


def _neighbours(train: NDArray[np.float32], labels: NDArray[np.int64], test: NDArray[np.float32], k: int) -> Scores:
    def unit(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)

    train, k = unit(train), min(k, len(train))
    parts = []
    for first in range(0, len(test), 512):
        similarity = unit(test[first : first + 512]) @ train.T
        nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        parts.append(labels[nearest].mean(axis=1))
    return np.concatenate(parts)


def _one_class(values: NDArray[np.float32], data: Data, normal: NDArray[np.int64], test: NDArray[np.int64]) -> Scores:
    from train.evaluation.protocols import one_class_scores

    camera = data.scenes.camera
    scores = np.zeros(len(test))
    for name in np.unique(camera[test]):
        own, here = normal[camera[normal] == name], camera[test] == name
        reference = one_class_scores(values[own], values[own])
        # Scaled so that the limit of each camera lies at 0.5: distances of different cameras do not compare otherwise.
        limit = np.quantile(reference, NORMAL_SHARE)
        distance = one_class_scores(values[own], values[test[here]])
        scores[here] = distance / (distance + limit)
    return scores


def _add_folds(archive: Archive, folds: list[list[str]]) -> None:
    """A split column for each fold, in memory: normal recordings of its drivers are in neither part."""
    for number, drivers in enumerate(folds):
        theirs = archive.clips["subject"].isin(drivers)
        labelled = archive.clips["kind"] == "labelled"
        archive.clips[f"fold{number}"] = np.where(theirs, np.where(labelled, "test", ""), "train")


def _trained(archive: Archive, model: Model, number: int, asked: Asked) -> Model:
    from train.finetune import finetune
    from train.settings.training import EncoderSettings
    from train.trainer import CHECKPOINT, MODEL

    if not isinstance(model, CheckpointModel) or asked.work is None:
        raise UsageError("--protocol finetune trains: it needs --checkpoint, and --work FOLDER for its runs")
    run: Path = asked.work / f"fold{number}-{model.path.name or 'model'}"
    if not (run / MODEL).is_file():
        augment, data, loop = asked.training
        settings = replace(data, split=f"fold{number}", seconds=model.spec.seconds, balance=True)
        finetune(
            archive,
            run,
            EncoderSettings(),
            augment,
            settings,
            loop,
            pretrained=model.path,
            resume=(run / CHECKPOINT).is_file(),
        )
    return CheckpointModel(run)


def _report(archive: Archive, name: str, asked: Asked, found: dict[str, Any], folds: int) -> Report:
    words = _WORDS[asked.protocol].format(k=asked.k)
    published = rows_for("sktdd", "one-class")
    values = {
        "dataset": "sktdd",
        "data": archive.meta["source"],
        "protocol": asked.protocol,
        "how": words,
        "model": name,
        "folds": folds,
        "drivers_a_fold": DRIVERS_A_FOLD,
        "figures": found,
        "published": [row.to_json() for row in published],
        "environment": describe_environment(),
    }
    report = Report(f"sktdd, {asked.protocol}", values)
    text = (
        f"{archive.meta['source']}, {folds} folds by driver. Model: {name}. Protocol: {words}. Beside each figure over "
        "all test drivers stands the mean and standard deviation over single drivers; a view's figures are of its own "
        "windows, views_together is the mean score of a moment's three views."
    )
    report.parts.append(Text(text))
    rows = []
    for view, row in found.items():
        if "auc" not in row:
            rows.append([view, "–", "–", "–", "–", str(row["windows"])])
            continue
        rows.append(
            [
                view,
                percent(row["auc"], 1),
                f"{percent(row['auc_drivers'], 1)} ± {percent(row['auc_spread'], 1)}",
                percent(row["balanced"], 1),
                f"{percent(row['balanced_drivers'], 1)} ± {percent(row['balanced_spread'], 1)}",
                str(row["windows"]),
            ]
        )
    header = ("per cent", "ROC-AUC", "a driver's", "balanced", "a driver's", "windows")
    report.parts.append(Table("Views", header, rows))
    report.parts.append(published_table(published))
    return report
