"""One-class on sktDD, as RAPID's: only normal driving is learnt from, the distance from it is the score.

    edge-c2vl knowledge encode sktdd.archive bank --seconds 3 --hop-s 1 --pool whitened --facts 60 --quarters
    python -m train.recipes.sktdd sktdd.archive work --folds --bank bank
    python benchmarks/sktdd_one_class.py sktdd.archive work

Frame-level ROC-AUC of each view, of all views pooled, and of the mean over the three views; folds by driver. The
distance is Mahalanobis with Ledoit and Wolf's shrinkage, of each camera by itself, against what is usual there.
Whose normal driving is learnt from: "others", the drivers of the other folds; "all", the test driver's as well (as
RAPID has it: its training set holds every driver); "own", the test driver's alone. The encoders have seen nothing of
the test drivers in any of these, and no label: the random one nothing at all.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from sktdd_floors import statistics

from edge_c2vl.archive import Archive
from train.checkpoint import load_model
from train.drivers import driver_folds, figures, frame_level
from train.encoder import Encoder
from train.protocols import cached_features, one_class_scores
from train.recipes.sktdd import DRIVERS_A_FOLD, ENCODER, Data

Floats = NDArray[np.float64]
WHOSE = ("others", "all", "own")


def strangeness(values: Floats, normal: NDArray[np.int64], test: NDArray[np.int64]) -> Floats:
    """Log of the distance of the test rows, in standard deviations of the normal rows' from their mean: so that views,
    and features of unlike sizes, compare. What is NaN counts as normal."""
    known = np.isfinite(values[normal]).sum(axis=0) > 1
    values = values[:, known]
    values = np.where(np.isfinite(values), values, np.nanmean(values[normal], axis=0))
    usual, found = (np.log(np.maximum(one_class_scores(values[normal], values[at]), 1e-6)) for at in (normal, test))
    return (found - usual.mean()) / usual.std()


def scores(data: Data, values: list[Floats], whose: str) -> Floats:
    """(N,), NaN but for the labelled windows. values: of each fold, (N, F)."""
    result = np.full(len(data.labels), np.nan)
    driver, camera = data.scenes.driver, data.scenes.camera
    usable = ~data.labelled & (data.store.confidence > 0)
    for drivers, features in zip(driver_folds(driver.tolist(), DRIVERS_A_FOLD), values, strict=True):
        for one in drivers:
            others = {"others": ~np.isin(driver, drivers), "all": np.ones(len(driver), bool), "own": driver == one}
            for view in np.unique(camera):
                normal = np.flatnonzero(usable & others[whose] & (camera == view))
                test = np.flatnonzero(data.labelled & (driver == one) & (camera == view))
                result[test] = strangeness(features, normal, test)
    return result


def encoded(data: Data, encoder: Encoder) -> Floats:
    return cached_features(encoder.eval(), data.store).astype(np.float64)


@click.command()
@click.argument("archive", type=click.Path(exists=True, path_type=Path))
@click.argument("work", type=click.Path(exists=True, path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="JSON file for the figures.")
def main(archive: Path, work: Path, output: Path | None) -> None:
    torch.set_num_threads(1)
    opened = Archive.open(archive)
    data = Data.open(opened)
    folds = range(len(driver_folds(data.scenes.driver.tolist(), DRIVERS_A_FOLD)))
    torch.manual_seed(0)
    values = {
        "posture statistics": [statistics(data.store.read(np.arange(len(data.labels)))).astype(np.float64)]
        * len(folds),
        "random encoder": [encoded(data, Encoder(ENCODER))] * len(folds),
        "C2VL": [encoded(data, load_model(work / f"pretrained-fold{fold}")[0]) for fold in folds],
    }
    report = {}
    print("| features | learnt from | mirror | side window | dashboard | pooled | together |")
    print("|---|---|---|---|---|---|---|")
    for whose in WHOSE:
        found = {name: scores(data, features, whose) for name, features in values.items()}
        found["posture statistics and C2VL"] = found["posture statistics"] + found["C2VL"]
        for name, distance in found.items():
            result = figures(*frame_level(opened, data.store.windows, distance))
            report[f"{name}, {whose}"] = result
            cells = [
                f"{result[view]['auc']:.3f} ({result[view]['auc_drivers']:.3f} ± {result[view]['auc_spread']:.3f})"
                for view in ("mirror", "window", "dashboard", "pooled", "views_together")
            ]
            print(f"| {name} | {whose} | {' | '.join(cells)} |", flush=True)
    if output:
        output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
