"""Trained on State Farm by folds of drivers: docs/results.md, section State Farm. Nothing of it may be shipped.

    edge-c2vl knowledge encode told.archive bank --seconds 3 --hop-s 1 --told --no-quarters --variations 0 \\
        --pool whitened
    edge-c2vl train pretrain told.archive work/c2vl --config train/recipes/drivers-c2vl.yaml --bank bank --seeds 3
    edge-c2vl train pretrain told.archive work/random --config train/recipes/drivers-c2vl.yaml --method random --seeds 3
    python benchmarks/statefarm.py statefarm.archive work RUNS

Ten classes, five folds of drivers; with all labels, and with 10, 5 and 1 % of each class's. From C2VL and from scratch:
the same network, fine-tuned alike, by the settings of benchmarks/statefarm.yaml. Trees: extra trees on the joints of
one normalised picture. Finished figures are kept in RUNS and not made again; --print prints them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier

from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.splits import subject_folds
from edge_c2vl.utils.atomic import write_file
from train.commands.eval_options import training_settings
from train.data.splits import few_labels
from train.evaluation.asked import Asked
from train.evaluation.judges import probe_scores
from train.evaluation.models import CheckpointModel
from train.evaluation.pictures import evaluate, pictures_of
from train.evaluation.predictions import of_store
from train.metrics import mean_and_spread, score

# Features and labels to fit, and features to judge -> labels.
Judge = Callable[[Any, Any, Any], Any]
SETTINGS = Path(__file__).with_suffix(".yaml")
FOLDS = 5
# Share of the labels -> epochs and batch size, None: those of the settings. Fewer pictures make fewer steps an epoch.
SHARES: dict[float, tuple[int, int] | None] = {1.0: None, 0.1: (12, 64), 0.05: (15, 64), 0.01: (60, 64)}
NAMES = {
    "c2vl": "fine-tuned from C2VL",
    "random": "from scratch",
    "c2vl probe": "linear probe on C2VL",
    "random probe": "on the untrained encoder",
    "trees": "trees",
}
ROWS = tuple(NAMES)


def network(archive: Archive, model: Path, runs: Path, share: float, seed: int, protocol: str) -> dict[str, float]:
    """Top-1 and balanced accuracy of one seed over all folds."""
    augment, data, loop = training_settings(SETTINGS, None)
    if (shorter := SHARES[share]) is not None:
        loop = replace(loop, epochs=shorter[0], batch_size=shorter[1])
    training = (augment, data, replace(loop, seed=seed))
    asked = Asked(protocol, share=share, work=runs / model.parent.name, training=training)
    (found,) = evaluate(archive, "statefarm", [CheckpointModel(model)], asked, FOLDS).values["splits"].values()
    return {"top1": found["top1"], "balanced": found["balanced"], "n": found["n"]}


def one_picture(archive: Archive, model: Path) -> NDArray[np.float32]:
    """(N, F): the joints of one normalised picture, and which of them were seen."""
    clips = pictures_of(archive, CheckpointModel(model).spec)
    pictures = clips.read(np.arange(len(clips)))[:, :, 0]
    found = np.concatenate([pictures[:, :2].reshape(len(pictures), -1), np.abs(pictures).sum(axis=1) > 0], axis=1)
    return found[:, found.std(axis=0) > 0]


def in_folds(
    archive: Archive, features: NDArray[np.float32], share: float, seed: int, judge: Judge
) -> dict[str, float]:
    """The same of what is fitted on features (N, F) of the pictures."""
    label, subject = archive.clips["label"].to_numpy(np.int64), archive.clips["subject"].to_numpy().astype(str)
    answered = np.full(len(label), -1)
    for drivers in subject_folds(subject, FOLDS):
        test = np.isin(subject, drivers)
        fit = np.flatnonzero(~test)
        fit = fit if share == 1 else fit[few_labels(label[fit], seed=seed, share=share)]
        answered[test] = judge(features[fit], label[fit], features[test])
    found = score(answered, label)
    return {"top1": found.top1, "balanced": found.balanced, "n": len(label)}


def trees(archive: Archive, model: Path, share: float, seed: int) -> dict[str, float]:
    def judge(fit: Any, label: Any, test: Any) -> Any:
        forest = ExtraTreesClassifier(200, min_samples_leaf=1 if share < 1 else 2, random_state=seed)
        return forest.fit(fit, label).predict(test)

    return in_folds(archive, one_picture(archive, model), share, seed, judge)


def probe(archive: Archive, model: Path, share: float, seed: int) -> dict[str, float]:
    opened = CheckpointModel(model)
    store = pictures_of(archive, opened.spec)
    features = of_store(opened.features, store, np.arange(len(store)))

    def judge(fit: Any, label: Any, test: Any) -> Any:
        return probe_scores(fit, label, test, len(archive.labels)).argmax(axis=1)

    return in_folds(archive, features, share, seed, judge)


def kept(path: Path, make: Callable[[], dict[str, float]]) -> dict[str, float]:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, json.dumps(make()) + "\n")
    found: dict[str, float] = json.loads(path.read_text())
    return found


def table(runs: Path) -> str:
    lines = ["| labels | " + " | ".join(NAMES.get(row, row) for row in ROWS) + " |", "|---" * (len(ROWS) + 1) + "|"]
    for share in SHARES:
        cells = [_cell(sorted((runs / "figures").glob(f"{row}-{share:g}-*.json"))) for row in ROWS]
        lines.append(f"| {share:.0%} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(paths: list[Path]) -> str:
    """Balanced accuracy and top-1, per cent, and how many seeds."""
    found = [json.loads(path.read_text()) for path in paths]
    if not found:
        return "–"
    shown = []
    for name in ("balanced", "top1"):
        mean, deviation = mean_and_spread([100 * values[name] for values in found])
        shown.append(f"{mean:.1f}" + ("" if deviation is None else f" ± {deviation:.1f}"))
    return f"{', '.join(shown)} ({len(found)})"


@click.command()
@click.argument("archive", type=click.Path(path_type=Path))
@click.argument("work", type=click.Path(path_type=Path))
@click.argument("runs", type=click.Path(path_type=Path))
@click.option("--seeds", default=3, show_default=True)
@click.option("--shares", multiple=True, type=click.Choice([f"{share:g}" for share in SHARES]), help="Only these.")
@click.option("--rows", multiple=True, type=click.Choice(ROWS), default=ROWS)
@click.option("--print", "only_print", is_flag=True, help="Only print what is there.")
def main(
    archive: Path, work: Path, runs: Path, seeds: int, rows: tuple[str, ...], shares: tuple[str, ...], only_print: bool
) -> None:
    """Figures on the State Farm ARCHIVE from the pretrained encoders in WORK/c2vl and WORK/random (seed0, ...)."""
    opened = Archive.open(archive)
    for seed in range(0 if only_print else seeds):
        for share in map(float, shares or SHARES):
            for row in rows:
                name = runs / "figures" / f"{row}-{share:g}-{seed}.json"
                kept(name, lambda row=row, share=share, seed=seed: _make(opened, work, runs, row, share, seed))
    print(table(runs))


def _make(archive: Archive, work: Path, runs: Path, row: str, share: float, seed: int) -> dict[str, Any]:
    model = work / row.partition(" ")[0] / f"seed{seed}"
    if row == "trees":
        return trees(archive, work / "random" / "seed0", share, seed)
    if row.endswith("probe"):
        return probe(archive, model, share, seed)
    return network(archive, model, runs, share, seed, "finetune" if share == 1 else "semi")


if __name__ == "__main__":
    main()
