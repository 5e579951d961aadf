"""Floors on sktDD: simple models on mean and spread of each joint, on the windows and folds of train/recipes/sktdd.sh.

    python benchmarks/sktdd_floors.py sktdd.archive
    python benchmarks/sktdd_floors.py sktdd.archive --own-normal

With --own-normal the models are also told how far each number is from its mean in the driver's own normal driving, seen
by the same camera: what a vehicle that knows its driver can have.

A network that does not beat these has learnt nothing that posture does not tell.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_c2vl.skeletons.archive import Archive
from train.evaluation.driver_folds import own_mean, table
from train.evaluation.sktdd import judge
from train.evaluation.sktdd_windows import Data


def statistics(clips: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 3, T, V) -> (N, 5 V): mean and standard deviation over time of x and y, and the share of frames seen; the
    first four NaN where a joint was never seen. Columns that never vary are left out."""
    seen = np.abs(clips).sum(axis=1) > 0
    count = seen.sum(axis=1)[:, None].astype(np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = clips[:, :2].sum(axis=2) / count
        spread = np.sqrt(np.maximum((clips[:, :2] ** 2).sum(axis=2) / count - mean**2, 0))
    table = np.concatenate([mean.reshape(len(clips), -1), spread.reshape(len(clips), -1), seen.mean(axis=1)], axis=1)
    # A column of which hardly any row is known makes the trees' binning fail, and tells nothing.
    varies = [len(np.unique(column[np.isfinite(column)])) > 100 for column in table.T]
    return table[:, varies]


def models(seed: int) -> dict[str, Any]:
    trees = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.1, max_leaf_nodes=15, random_state=seed)
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    return {"gradient-boosted trees": trees, "logistic regression": linear}


def floors(data: Data, seed: int = 0, own_normal: bool = False) -> dict[str, Any]:
    """Each model's figures on the folds of the default bundle."""
    features = statistics(data.store.read(np.arange(len(data.labels))))
    if own_normal:
        off = features - own_mean(features, data.scenes, data.normal & (data.store.confidence > 0))
        features = np.concatenate([features, off, np.abs(off)], axis=1)
    report = {}
    for name, model in models(seed).items():
        known = np.nan_to_num(features) if name.startswith("logistic") else features
        scores = np.full((1, len(data.labels)), np.nan)
        for drivers in data.folds():
            rows, tested = data.fold(drivers)
            weight = data.weights(rows) * len(rows)
            key = "sample_weight" if name.startswith("gradient") else "logisticregression__sample_weight"
            model.fit(known[rows], data.labels[rows], **{key: weight})
            scores[0, tested] = model.predict_proba(known[tested])[:, 1]
        report[name] = judge(data, scores)
    return report


@click.command()
@click.argument("archive", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="JSON file for the figures.")
@click.option("--own-normal", is_flag=True, help="With the driver's own normal mean as baseline.")
@click.option("--seed", type=int, default=0, show_default=True)
def main(archive: Path, output: Path | None, own_normal: bool, seed: int) -> None:
    """Print the floors on the sktDD ARCHIVE."""
    report = floors(Data.open(Archive.open(archive)), seed, own_normal)
    for name, values in report.items():
        print(f"\n{name}, all windows\n{table(values['all'])}")
        print(f"\n{name}, windows with arms\n{table(values['answered'])}")
    if output:
        output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
