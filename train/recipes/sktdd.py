"""The default bundle: attentive or distracted, learnt with labels from sktDD, judged on drivers it never saw.

    edge-c2vl prepare sktdd original_sktDD sktdd.archive
    python -m train.recipes.sktdd_views sktdd.archive sktdd-views.archive       # and what it shows from other places
    python -m train.recipes.sktdd sktdd-views.archive work --folds              # figures: work/folds.json
    python -m train.recipes.sktdd sktdd-views.archive work --final BUNDLE       # trained on all drivers

An archive without the views trains too, on the three cameras alone.

With --bank BANK each encoder is pretrained by C2VL first, on kinematic captions of the windows of those drivers that it
may see, normal driving and labelled drives, without a label:

    edge-c2vl knowledge encode sktdd.archive bank --seconds 3 --hop-s 1 --pool whitened --facts 60 --quarters
    python -m train.recipes.sktdd sktdd-views.archive work-c2vl --folds --bank bank

A bank of sktdd-views.archive has captions of the views from other places too, which are then learnt from as well.

Each fold keeps two drivers aside altogether. The others' labelled drives are trained on, and their normal driving as
attentive. Within a fold nothing is chosen on its test drivers: every fold has the same settings and number of epochs,
and the last moving average of the weights is the model. The settings were settled after a few trials (NOTE below). All
scripts that compare something on sktDD share `Data` below.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.utils.progress import track
from train.data.augment import Augment
from train.data.clips import ClipStore, Loader, sample_clips
from train.environment import describe_environment
from train.evaluation.driver_folds import driver_folds, figures, table
from train.evaluation.sktdd_windows import DRIVERS_A_FOLD, LABELS, SHARES, SPEC, TURNED, Data
from train.knowledge.bank import Bank
from train.knowledge.gather import gather_knowledge
from train.methods.c2vl import C2VL
from train.methods.supervised import Supervised
from train.model.checkpoint import About, load_backbone, load_model
from train.model.encoder import Encoder
from train.model.export import export_bundle
from train.model.inference import predict
from train.processes import make_pool
from train.settings.pretraining import ObjectiveSettings, PretrainSettings
from train.settings.training import AugmentSettings, EncoderSettings, LoopSettings
from train.trainer import CHECKPOINT, MODEL, Trainer

ENCODER = EncoderSettings(
    width=16, blocks=6, stride=4, presence=True, joint_bias=True, pooling="mean_std", dropout=0.3, classes=len(LABELS)
)
AUGMENT = AugmentSettings(
    shear=0.1, crop=0.8, rotate=8, mirror=0.5, scale=0.1, offset=0.05, jitter=0.01, mask_joints=0.1, mask_lower=0.3,
    mask_arm=0.1, mask_span=0.1,
)  # fmt: skip
LOOP = LoopSettings(
    epochs=16, batch_size=64, learning_rate=3e-3, weight_decay=0.02, average=0.98, precision="bf16-mixed",
    accelerator="cpu", tensorboard=False,
)  # fmt: skip
SMOOTHING = 0.1
# Pretraining (--bank): for clips in two dimensions, what was best on NW-UCLA.
PRETRAIN = PretrainSettings(frames=SPEC.frames, join=True, knowledge_size=256)
OBJECTIVE = ObjectiveSettings()
PRETRAIN_LOOP = LoopSettings(
    epochs=4, batch_size=128, learning_rate=2e-3, precision="bf16-mixed", accelerator="cpu", tensorboard=False
)
NOTE = (
    "The settings were settled after a few trials on these folds (on all of them: without joint bias and with 12 "
    "epochs, ROC-AUC .908 pooled, .948 together; without the views from other places: .918 and .951; on one to three: "
    "with legs, without mirror images, 8 epochs; on one: the views from other places, whose range was widened once "
    "after a look at the simulated driver), so the figures may flatter a little."
)
CLIPS_AN_EPOCH = 3000


def pretrain_on(
    archive: Archive,
    bank: Path,
    drivers: list[str],
    folder: Path,
    form: EncoderSettings,
    seed: int = 0,
    kinds: tuple[str, ...] = ("normal", "labelled"),
) -> Encoder:
    """An encoder of this form pretrained by C2VL on the bank's windows of all other drivers' recordings of these kinds,
    turned ones too where the bank knows them; no label is read, nothing of `drivers`. Taken from the run folder where
    it is finished, gone on with where not. Raises BankError where the bank lacks recordings."""
    if (folder / MODEL).is_file():
        return load_model(folder)[0]
    torch.manual_seed(seed)
    opened = Bank.open(bank)
    kind = archive.clips["kind"]
    turned = kind.str.endswith(", turned")
    # A bank of the cameras' recordings knows none that was turned; one that knows some and lacks others is refused.
    wanted = ~turned | archive.clips["name"][turned].isin(opened.names).any()
    recordings = np.flatnonzero(wanted & kind.str.removesuffix(", turned").isin(kinds))
    windows, _ = opened.windows(archive, recordings)
    store = ClipStore.open(archive, windows, SPEC)  # one for all folds: making clips takes long
    theirs = archive.clips["subject"].isin(drivers).to_numpy()
    rows = recordings[~theirs[recordings]]
    known = gather_knowledge(archive, rows, [opened], PRETRAIN, seed)[1]["language"]
    knowledge = torch.zeros(len(windows), *known.shape[1:])
    knowledge[~theirs[windows.clip]] = known
    settings = replace(form, classes=0, embedding=known.shape[2])
    encoder = Encoder(settings)
    chosen = np.flatnonzero(~theirs[windows.clip] & (store.confidence > 0))
    loader = Loader(store, chosen, PRETRAIN_LOOP.batch_size, seed)
    task = C2VL(encoder, {"language": knowledge}, Augment(AUGMENT, SPEC.dimensions), OBJECTIVE)
    about = About(settings, SPEC, [], "sktDD, without labels", [LICENCE])
    kept = {"augment": asdict(AUGMENT), "pretraining": asdict(PRETRAIN), "objective": asdict(OBJECTIVE)}
    loop = Trainer(encoder, task, loader, replace(PRETRAIN_LOOP, seed=seed), folder, about, recorded=kept)
    return loop.run(resume=(folder / CHECKPOINT).is_file())


def train_on(
    data: Data, rows: NDArray[np.int64], folder: Path, seed: int, pretrained: Encoder | None = None
) -> Encoder:
    """The encoder trained on these rows; taken from the run folder where it is finished, gone on with where not."""
    if (folder / MODEL).is_file():
        return load_model(folder)[0]
    torch.manual_seed(seed)
    task = Supervised(Augment(AUGMENT, SPEC.dimensions), smoothing=SMOOTHING)
    weights = data.weights(rows)
    loader = Loader(data.store, rows, LOOP.batch_size, seed, weights=weights, per_epoch=CLIPS_AN_EPOCH)
    recorded = {"augment": asdict(AUGMENT), "smoothing": SMOOTHING, "shares": SHARES, "turned": TURNED}
    recorded["clips_an_epoch"] = CLIPS_AN_EPOCH
    encoder = Encoder(ENCODER)
    if pretrained is not None:
        load_backbone(encoder, pretrained)
    loop = Trainer(encoder, task, loader, replace(LOOP, seed=seed), folder, about(data), recorded=recorded)
    return loop.run(resume=(folder / CHECKPOINT).is_file())


def about(data: Data) -> About:
    seen = ", as recorded and as seen from other places" if data.turned.any() else ""
    trained_on = f"sktDD: all 11 drivers, labelled and normal driving, with labels{seen}"
    return About(ENCODER, SPEC, LABELS, trained_on, [LICENCE])


LICENCE = "Trained on sktDD, MIT License, Copyright (c) 2024 jingyulei: licences/sktDD.txt"


def run_folds(archive: Archive, work: Path, seeds: int, jobs: int, bank: Path | None = None) -> dict[str, Any]:
    """Trains and tests every fold, `jobs` at a time; writes work/folds.json and each window's scores beside it."""
    data = Data.open(archive)
    folds = driver_folds(data.scenes.driver.tolist(), DRIVERS_A_FOLD)
    runs = [(seed, number) for seed in range(seeds) for number in range(len(folds))]
    scores = np.full((seeds, len(data.labels)), np.nan)
    with make_pool(jobs) as pool:
        under_way = [pool.submit(run_fold, archive.path, work, *run, bank) for run in runs]
        for (seed, number), future in zip(runs, track(under_way, "folds"), strict=True):
            scores[seed, data.fold(folds[number])[1]] = future.result()
    report = judge(data, scores)
    work.mkdir(parents=True, exist_ok=True)
    np.save(work / "scores.npy", scores)
    (work / "folds.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def run_fold(archive: Path, work: Path, seed: int, number: int, bank: Path | None = None) -> NDArray[np.float64]:
    """Trains without the fold's drivers; the probability of distraction in each of their labelled windows."""
    torch.set_num_threads(1)
    opened = Archive.open(archive)
    data = Data.open(opened)
    drivers = driver_folds(data.scenes.driver.tolist(), DRIVERS_A_FOLD)[number]
    rows, tested = data.fold(drivers)
    pretrained = None
    if bank is not None:
        pretrained = pretrain_on(opened, bank, drivers, work / f"pretrained-fold{number}", ENCODER)
    encoder = train_on(data, rows, work / f"seed{seed}-fold{number}", seed, pretrained)
    scores: NDArray[np.float64] = predict(encoder, data.store, tested)[:, 1]
    return scores


def judge(data: Data, scores: NDArray[np.float64]) -> dict[str, Any]:
    """Figures of scores (seeds, N), the mean over the seeds of each: over all windows (as the floors have it), and over
    those that the vehicle answers, with the share of each camera's windows in which it "cannot see"."""
    test = np.flatnonzero(data.labelled)
    answered = test[data.store.arms[test] >= SPEC.min_arms]
    camera = data.scenes.camera
    shares = {
        name: round(float((data.store.arms[test] < SPEC.min_arms)[camera[test] == name].mean()), 4)
        for name in set(camera[test])
    }
    return {
        "all": mean_of([figures(data.labels[test], row[test], data.scenes[test]) for row in scores]),
        "answered": mean_of(
            [figures(data.labels[answered], row[answered], data.scenes[answered], whole=False) for row in scores]
        ),
        "cannot_see": dict(sorted(shares.items())),
        "drivers": len(set(data.scenes.driver[test])),
        "drivers_a_fold": DRIVERS_A_FOLD,
        "seeds": [
            {name: row["auc"] for name, row in figures(data.labels[test], s[test], data.scenes[test]).items()}
            for s in scores
        ],
    }


def mean_of(results: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        name: {
            key: value if key == "windows" else round(float(np.mean([result[name][key] for result in results])), 4)
            for key, value in row.items()
        }
        for name, row in results[0].items()
    }


def run_final(archive: Archive, work: Path, bundle: Path, overwrite: bool, bank: Path | None = None) -> Bundle:
    """Trains on all drivers and writes the bundle, with the folds' figures. Raises EdgeC2VLError without those."""
    if not (work / "folds.json").is_file():
        raise EdgeC2VLError(f"{work / 'folds.json'} does not exist: a bundle states its accuracy, so run --folds first")
    folds = json.loads((work / "folds.json").read_text(encoding="utf-8"))
    data = Data.open(archive)
    pretrained = None if bank is None else pretrain_on(archive, bank, [], work / "pretrained-final", ENCODER)
    encoder = train_on(data, data.fold([])[0], work / "final", 0, pretrained)
    clips = sample_clips(archive, SPEC, 256)
    source = "sktdd-views.archive" if data.turned.any() else "sktdd.archive"
    recipe = f"python -m train.recipes.sktdd {source} work" + ("" if bank is None else " --bank bank")
    name = "sktDD, each driver's windows scored by a model that never saw the driver"
    report = {
        "data": name,
        "note": NOTE,
        "figures": folds,
        "commands": [
            "edge-c2vl prepare sktdd original_sktDD sktdd.archive",
            *(["python -m train.recipes.sktdd_views sktdd.archive sktdd-views.archive"] if data.turned.any() else []),
            f"{recipe} --folds --seeds {len(folds['seeds'])}",
            f"{recipe} --final BUNDLE",
        ],
        "settings": {
            "encoder": asdict(ENCODER), "clip": SPEC.to_json(), "augment": asdict(AUGMENT), "loop": asdict(LOOP),
            "smoothing": SMOOTHING, "shares": SHARES, "turned": TURNED, "clips_an_epoch": CLIPS_AN_EPOCH,
        },
        "versions": describe_environment()["versions"],
    }  # fmt: skip
    made, difference = export_bundle(
        encoder,
        about(data),
        bundle,
        clips,
        name="sktdd",
        distraction=["distracted"],
        files={
            "report.json": (json.dumps(report, indent=1) + "\n").encode(),
            "licences/sktDD.txt": Path(__file__).with_name("sktdd_licence.txt"),
        },
        accuracy={"fp32": {name: folds["all"], f"{name}; only windows with arms": folds["answered"]}},
        overwrite=overwrite,
    )
    print(f"{made.path}: parity with PyTorch on {len(clips)} clips: largest difference {difference:.1e}")
    return made


@click.command()
@click.argument("archive", type=click.Path(path_type=Path))
@click.argument("work", type=click.Path(path_type=Path))
@click.option("--folds", is_flag=True, help="Train and test on folds by driver.")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="Repetitions of the folds.")
@click.option(
    "--final", type=click.Path(path_type=Path), metavar="BUNDLE", help="Train on all drivers; write a bundle."
)
@click.option("--overwrite", is_flag=True, help="Replace a bundle that stands there.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Folds trained at the same time.")
@click.option(
    "--bank", type=click.Path(path_type=Path, exists=True), help="Pretrain by C2VL on this knowledge bank first."
)
def main(
    archive: Path,
    work: Path,
    folds: bool,
    seeds: int,
    final: Path | None,
    overwrite: bool,
    jobs: int,
    bank: Path | None,
) -> None:
    """Make the default bundle from the sktDD ARCHIVE; runs and figures go to the folder WORK."""
    torch.set_num_threads(1)  # the network is too small for more to help
    opened = Archive.open(archive)
    if folds:
        report = run_folds(opened, work, seeds, jobs, bank)
        print(f"\nall windows\n{table(report['all'])}\n\nwindows with arms\n{table(report['answered'])}")
        print("cannot see: " + ", ".join(f"{name} {share:.0%}" for name, share in report["cannot_see"].items()))
    if final:
        run_final(opened, work, final, overwrite, bank)


if __name__ == "__main__":
    main()
