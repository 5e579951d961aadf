"""sktDD: distraction of drivers whom the probe or the trained model never saw, in folds by driver.

Each fold keeps two drivers aside; their labelled drives are judged once, in windows of the model's length every half
second. Figures are those of train.evaluation.driver_folds: of each view, of all views pooled, and of the three views of
a moment.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.splits import Rows
from edge_c2vl.utils.progress import track
from edge_c2vl.utils.scores import softmax
from train.data.splits import hold_out
from train.environment import describe_environment
from train.evaluation.asked import HOLD_OUT, Asked
from train.evaluation.driver_folds import figures, mean_figures
from train.evaluation.judges import knn_shares, linear, one_class_by_camera
from train.evaluation.models import Model, matching
from train.evaluation.predictions import of_store
from train.evaluation.published import published_table, rows_for
from train.evaluation.report import Report, Table, Text, percent
from train.evaluation.sktdd_windows import DRIVERS_A_FOLD, LABELS, Data
from train.evaluation.trained import trained
from train.settings.protocols import DATA_SETS, LINEAR, PROTOCOLS

Scores = NDArray[np.float64]
# One-class scores have no natural threshold: so many of the normal training windows are let pass as normal.
NORMAL_SHARE = 0.95


def evaluate(archive: Archive, open_fold: Callable[[int], Sequence[Model]], asked: Asked) -> Report:
    """The report. open_fold: the models of a fold, one of each seed; they may be the same for all folds where their
    training saw no label. Figures are means over the seeds.

    Raises UsageError where a model of the protocol "classifier" knows no attentive driving.
    """
    if asked.protocol not in DATA_SETS["sktdd"].protocols:
        raise UsageError(f"sktdd has the protocols {', '.join(DATA_SETS['sktdd'].protocols)}, not {asked.protocol}")
    first = open_fold(0)
    # Only what is judged, where nothing is fitted.
    data = Data.open(archive, first[0].spec, *([["labelled"]] if asked.protocol == "classifier" else []))
    folds = data.folds()
    scores = np.full((len(first), len(data.labels)), np.nan)
    cache: dict[int, NDArray[np.float32]] = {}
    for number in track(range(len(folds)), "folds"):
        models = open_fold(number)
        if len(models) != len(first):
            raise UsageError(f"fold {number} has {len(models)} seeds, fold 0 has {len(first)}")
        fit, test = data.fold(folds[number])
        for seed, model in enumerate(models):
            if model.spec != first[0].spec:
                raise UsageError(f"{model.name} takes other clips than {first[0].name}")
            scores[seed, test] = _fold_scores(data, model, number, folds[number], fit, test, asked, cache)
    return _report(data, first[0].description, asked, scores, len(folds))


def judge(data: Data, scores: Scores) -> dict[str, Any]:
    """Figures of scores (seeds, N), the mean over the seeds of each: over all windows, and over those that the vehicle
    answers, with the share of each camera's windows in which it "cannot see"; and each seed's ROC-AUC."""
    test = np.flatnonzero(data.labelled)
    seen = data.store.arms[test] >= data.store.spec.min_arms
    answered = test[seen]
    camera = data.scenes.camera[test]
    every = [figures(data.labels[test], row[test], data.scenes[test]) for row in scores]
    clear = [figures(data.labels[answered], row[answered], data.scenes[answered], whole=False) for row in scores]
    return {
        "all": mean_figures(every),
        "answered": mean_figures(clear),
        "cannot_see": {str(name): round(float((~seen)[camera == name].mean()), 4) for name in np.unique(camera)},
        "drivers": len(set(data.scenes.driver[test])),
        "drivers_a_fold": DRIVERS_A_FOLD,
        "seeds": [{view: row.get("auc") for view, row in result.items()} for result in every],
    }


def _fold_scores(
    data: Data,
    model: Model,
    number: int,
    drivers: list[str],
    fit: Rows,
    test: Rows,
    asked: Asked,
    cache: dict[int, NDArray[np.float32]],
) -> Scores:
    """How distracted the test windows look; 0.5 is the threshold."""
    if asked.protocol == "finetune":
        theirs = data.archive.clips["subject"].isin(drivers).to_numpy()
        labelled = (data.archive.clips["kind"] == "labelled").to_numpy()
        rows = {"train": np.flatnonzero(~theirs), "test": np.flatnonzero(theirs & labelled)}
        seconds = model.spec.seconds
        model = trained(data.archive, model, asked, f"fold{number}", rows, seconds=seconds, balance=True)
    if asked.protocol in ("finetune", "classifier"):
        place = matching(model, LABELS)
        if place[0] < 0:
            raise UsageError(f"{model.name} does not know {LABELS[0]!r}: choose --protocol fixed or knn")
        logits = of_store(model.logits, data.store, test)
        # A model that knows what distracts says how distracted by the sum over all of that.
        chosen = logits if place[1] < 0 else logits[:, place]
        attentive = place[0] if place[1] < 0 else 0
        return 1 - softmax(chosen.astype(np.float64))[:, attentive]
    if id(model) not in cache:
        cache.clear()  # models of folds differ; one that serves all is computed once
        cache[id(model)] = of_store(model.features, data.store, np.arange(len(data.labels)))
    values = cache[id(model)]
    if asked.protocol in LINEAR:
        return _linear(values, data, fit, test, chosen=asked.protocol == "linear")
    if asked.protocol == "knn":
        return knn_shares(values[fit], data.labels[fit], values[test], len(LABELS), asked.k)[:, 1]
    normal = fit[~data.labelled[fit]]
    return one_class_by_camera(values, data.scenes.camera, normal, test, share=NORMAL_SHARE)


def _linear(values: NDArray[np.float32], data: Data, fit: Rows, test: Rows, chosen: bool) -> Scores:
    validation = fit[hold_out(data.scenes.driver[fit].astype(str), HOLD_OUT)[1]] if chosen else None
    log, _ = linear({"joint": values}, data.labels, fit, test, len(LABELS), validation)
    # Distraction is rare in training; taking its share out of the odds leaves 0.5 as the fair threshold.
    prior = data.labels[fit].mean()
    odds = log[:, 1] - log[:, 0] - np.log(prior / (1 - prior))
    return 1 / (1 + np.exp(-odds))


def _report(data: Data, name: str, asked: Asked, scores: Scores, folds: int) -> Report:
    words = PROTOCOLS[asked.protocol].format(k=asked.k, normal=DATA_SETS["sktdd"].normal)
    source = data.archive.meta["source"]
    published = rows_for("sktdd", "one-class")
    judged = judge(data, scores)
    title = "sktDD, each driver's windows scored by a model that never saw the driver"
    values = {
        "dataset": "sktdd",
        "data": source,
        "protocol": asked.protocol,
        "how": words,
        "model": name,
        "folds": folds,
        **judged,
        "accuracy": {title: judged["all"], f"{title}; only windows with arms": judged["answered"]},
        "published": [row.to_json() for row in published],
        "environment": describe_environment(),
    }
    report = Report(f"sktdd, {asked.protocol}", values, files={"scores.csv": _scores_csv(data, scores)})
    text = (
        f"{source}, {folds} folds by driver, {len(scores)} seeds. Model: {name}. Protocol: {words}. Beside each figure "
        "over all test drivers stands the mean and standard deviation over single drivers; a view's figures are of its "
        "own windows, views_together is the mean score of a moment's three views."
    )
    report.parts += [
        Text(text),
        _table("Views", judged["all"]),
        _table("Views, only windows with arms: the vehicle answers no others", judged["answered"]),
        Table(
            "Windows without arms",
            ("camera", "per cent"),
            [[camera, percent(share, 1)] for camera, share in judged["cannot_see"].items()],
        ),
        published_table(published),
    ]
    return report


def _table(title: str, found: dict[str, Any]) -> Table:
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
    return Table(title, ("per cent", "ROC-AUC", "a driver's", "balanced", "a driver's", "windows"), rows)


def _scores_csv(data: Data, scores: Scores) -> str:
    """A row for each window that is judged: recording, end_s, label, and its score by each seed."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["recording", "end_s", "label", *(f"seed{seed}" for seed in range(len(scores)))])
    names, windows = data.archive.clips["name"].to_numpy(), data.store.windows
    for row in np.flatnonzero(data.labelled):
        shown = [f"{score:.6f}" for score in scores[:, row]]
        writer.writerow([names[windows.clip[row]], f"{windows.end_s[row]:.3f}", int(data.labels[row]), *shown])
    return buffer.getvalue()
