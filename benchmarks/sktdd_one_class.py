"""One-class on sktDD, as RAPID's: only normal driving is learnt from, the distance from it is the score.

    edge-c2vl knowledge encode sktdd.archive bank --seconds 3 --hop-s 1 --pool whitened --facts 60 --quarters
    python benchmarks/sktdd_one_class.py sktdd.archive bank work --seeds 2
    python benchmarks/sktdd_one_class.py sktdd.archive bank work --seeds 2 --together

Encoders are pretrained by C2VL on the normal driving of the other folds' drivers, and beside it on their labelled
drives too, without the labels; they are kept in WORK.
Frame-level ROC-AUC of each view, of all views pooled, and of the mean over the three views; folds by driver. The
distance is Mahalanobis' from the mean of the nearest driver, by the covariance within drivers with Ledoit and Wolf's
shrinkage, of each camera by itself, against what is usual there; --together: from the mean of all drivers.
Whose normal driving is learnt from: "others", the drivers of the other folds; "all", the test driver's as well (as
RAPID has it: its training set holds every driver); "own", the test driver's alone; "all and own", the sum of both
distances. The encoders have seen nothing of the test drivers in any of these, and no label: the random one nothing at
all. Several seeds: also the mean of their distances.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sktdd_floors import statistics

from edge_c2vl.settings.config_file import read_settings
from edge_c2vl.skeletons.archive import Archive
from train.commands.pretrain import SETTINGS
from train.evaluation.driver_folds import figures, frame_level, mean_figures
from train.evaluation.sktdd_windows import Data
from train.knowledge.bank import Bank
from train.model.checkpoint import load_model
from train.model.encoder import Encoder
from train.model.inference import cached_features
from train.pretrain import pretrain
from train.trainer import CHECKPOINT, MODEL

Floats = NDArray[np.float64]
WHOSE = ("others", "all", "own")
BOTH = "all and own"
# Joints are joined after the first block, as on NW-UCLA. ENCODER, which averages them, is level (docs/experiments.md).
RECIPE = Path(__file__).parents[1] / "train/recipes/sktdd-c2vl.yaml"
ENCODER, AUGMENT, PRETRAIN, OBJECTIVE, LOOP = read_settings({}, RECIPE, *SETTINGS)
FORM = replace(ENCODER, graph_blocks=1, joined=64)
# What an encoder learns from, none of it of the test drivers.
LEARNT = {"C2VL": ("normal",), "C2VL, labelled drives too": ("normal", "labelled")}


def strangeness(values: Floats, groups: NDArray[Any], normal: NDArray[np.int64], test: NDArray[np.int64]) -> Floats:
    """Log of the distance of the test rows, in standard deviations of the normal rows' from their mean: so that views,
    and features of unlike sizes, compare. What is NaN counts as normal.

    values: (N, F). groups: (N,), whose each row is; the distance is that from the nearest group's mean, by the
    covariance within groups.
    """
    known = np.isfinite(values[normal]).sum(axis=0) > 1
    values = values[:, known]
    values = np.where(np.isfinite(values), values, np.nanmean(values[normal], axis=0))
    names, group = np.unique(groups[normal], return_inverse=True)
    means = np.stack([values[normal[group == number]].mean(axis=0) for number in range(len(names))])
    within = values[normal] - means[group]
    spread = within.std(axis=0) + 1e-6
    estimate = LedoitWolf(assume_centered=True).fit(within / spread)
    usual, found = (
        np.log(
            np.maximum(np.min([estimate.mahalanobis((values[at] - mean) / spread) for mean in means], axis=0), 1e-12)
        )
        for at in (normal, test)
    )
    return (found - usual.mean()) / usual.std()


def scores(data: Data, values: list[Floats], whose: str, apart: bool = True) -> Floats:
    """(N,), NaN but for the labelled windows. values: of each fold, (N, F). apart: drivers are, see `strangeness`."""
    result = np.full(len(data.labels), np.nan)
    driver, camera = data.scenes.driver, data.scenes.camera
    groups = driver if apart else np.zeros(len(driver))
    usable = ~data.labelled & (data.store.confidence > 0)
    for drivers, features in zip(data.folds(), values, strict=True):
        for tested in [[one] for one in drivers] if whose == "own" else [drivers]:
            theirs = np.isin(driver, tested)
            learnt = {"others": ~theirs, "all": np.ones(len(driver), bool), "own": theirs}[whose]
            for view in np.unique(camera):
                normal = np.flatnonzero(usable & learnt & (camera == view))
                test = np.flatnonzero(data.labelled & theirs & (camera == view))
                result[test] = strangeness(features, groups, normal, test)
    return result


def pretrained(
    archive: Archive, bank: Path, drivers: list[str], folder: Path, seed: int, kinds: tuple[str, ...]
) -> Encoder:
    """By C2VL on these kinds of recordings of all other drivers; made now unless the folder holds it."""
    if not (folder / MODEL).is_file():
        clips = archive.clips
        rows = np.flatnonzero(clips["kind"].isin(kinds) & ~clips["subject"].isin(drivers))
        settings = (FORM, AUGMENT, PRETRAIN, OBJECTIVE, replace(LOOP, seed=seed))
        resume = (folder / CHECKPOINT).is_file()
        pretrain(archive, folder, [Bank.open(bank)], *settings, rows=rows, resume=resume)
    return load_model(folder)[0]


def encoded(data: Data, encoder: Encoder) -> Floats:
    return cached_features(encoder.eval(), data.store).astype(np.float64)


@click.command()
@click.argument("archive", type=click.Path(exists=True, path_type=Path))
@click.argument("bank", type=click.Path(exists=True, path_type=Path))
@click.argument("work", type=click.Path(path_type=Path))
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="Encoders of each fold.")
@click.option("--learnt", multiple=True, type=click.Choice(list(LEARNT)), default=list(LEARNT), help="All by default.")
@click.option("--together", is_flag=True, help="Distances from the mean of all drivers, not from the nearest one's.")
@click.option("--output", type=click.Path(path_type=Path), help="JSON file for the figures.")
def main(
    archive: Path, bank: Path, work: Path, seeds: int, learnt: tuple[str, ...], together: bool, output: Path | None
) -> None:
    torch.set_num_threads(1)
    opened = Archive.open(archive)
    data = Data.open(opened)
    each: dict[str, list[Floats]] = {}
    for seed in range(seeds):
        for name, distance in distances(opened, data, bank, work, seed, learnt, not together):
            each.setdefault(name, []).append(distance)
    if seeds > 1:
        several = [name for name in each if "C2VL" in name]
        each |= {name.replace(" | ", f", mean of {seeds} | "): [np.mean(each[name], axis=0)] for name in several}
    found = {
        name: [figures(*frame_level(opened, data.store.windows, distance)) for distance in of_seeds]
        for name, of_seeds in each.items()
    }
    print("| features | learnt from | mirror | side window | dashboard | pooled | together |")
    print("|---|---|---|---|---|---|---|")
    report = {name: mean_figures(results) for name, results in found.items()}
    for name, result in report.items():
        cells = [
            f"{result[view]['auc']:.3f} ({result[view]['auc_drivers']:.3f} ± {result[view]['auc_spread']:.3f})"
            for view in ("mirror", "window", "dashboard", "pooled", "views_together")
        ]
        seen = " ".join(f"{each['views_together']['auc']:.3f}" for each in found[name])
        print(f"| {name} | {' | '.join(cells)} [{seen}] |", flush=True)
    if output:
        output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def distances(
    archive: Archive, data: Data, bank: Path, work: Path, seed: int, learnt: tuple[str, ...], apart: bool
) -> Iterator[tuple[str, Floats]]:
    """What stands in the table, and the distance of each window (N,). learnt: of LEARNT."""
    folds = data.folds()
    torch.manual_seed(seed)
    posture = statistics(data.store.read(np.arange(len(data.labels)))).astype(np.float64)
    values = {
        "posture statistics": [posture] * len(folds),
        "random encoder": [encoded(data, Encoder(FORM))] * len(folds),
    }
    for name in learnt:
        kinds = LEARNT[name]
        folders = [work / f"{'-'.join(kinds)}-seed{seed}-fold{fold}" for fold in range(len(folds))]
        values[name] = [
            encoded(data, pretrained(archive, bank, drivers, folder, seed, kinds))
            for drivers, folder in zip(folds, folders, strict=True)
        ]
    found: dict[str, dict[str, Floats]] = {}
    for whose in WHOSE:
        found[whose] = {name: scores(data, features, whose, apart) for name, features in values.items()}
    found[BOTH] = {name: found["all"][name] + found["own"][name] for name in values}
    for whose, of_features in found.items():
        of_features |= {
            f"posture statistics and {name}": of_features["posture statistics"] + of_features[name] for name in learnt
        }
        for name, distance in of_features.items():
            yield f"{name} | {whose}", distance


if __name__ == "__main__":
    main()
