"""How the settings of nw_ucla_table.py were chosen, without its test view: settings are judged

    people    on two people held out of the two training views (191 clips, standard error 3.3 points)
    view      on the second training view after the first (504 clips, standard error 2 points)
    twin      on one of the two clips of every second performance, whose other clip is learnt from (239, 2.4 points)

    python benchmarks/nw_ucla_design.py nw-ucla.archive RUNS                             # the table's own settings
    python benchmarks/nw_ucla_design.py nw-ucla.archive RUNS --set adaptive=false --row hard
    python benchmarks/nw_ucla_design.py nw-ucla.archive RUNS --set view=45 shear=0.2 --recordings  # without variations

Beside probe and nearest neighbour stands R2: how much of the captions' embeddings a ridge regression explains by the
encoder's features, on clips that it was fitted on, and on those held out. It is steadier than either accuracy, since
every crop counts. Finished figures are kept in RUNS.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import nw_ucla_table as table
import pandas as pd
import torch
from numpy.typing import NDArray

from edge_c2vl.skeletons.archive import Archive
from train.data.clips import ClipStore
from train.knowledge.bank import Bank
from train.knowledge.make import BankSettings, make_bank
from train.knowledge.spectrum import Preparation
from train.knowledge.text import open_encoder
from train.knowledge.vary import vary
from train.model.checkpoint import load_model

DESIGNS = ("people", "view", "twin")
ARMS, CROPS = 4, 8
RECIPE = BankSettings(crops=CROPS, pool="whitened", facts=60, quarters=True)


def with_designs(path: Path, copy: Path) -> Archive:
    """A copy of the archive with a column for each design; the test view is in no part of any."""
    if not copy.is_dir():
        shutil.copytree(path, copy)
        clips = pd.read_parquet(copy / "clips.parquet")
        learnt = clips["xview"] == "train"
        judged = {
            "twin": twins(clips["group"].where(learnt)),
            "people": clips["subject"].isin(sorted(clips["subject"].unique())[-2:]),
            "view": clips["camera"] != sorted(clips["camera"][learnt].unique())[0],
        }
        for name, held in judged.items():
            clips[name] = np.where(~learnt, "", np.where(held, "test", "train"))
        clips.to_parquet(copy / "clips.parquet")
    return Archive.open(copy)


def twins(performances: pd.Series) -> NDArray[np.bool_]:
    """Which clips to hold out: of every second performance that was filmed twice, one of the two by lot.
    performances: of each clip, NaN where it is in no part."""
    random = np.random.default_rng(0)
    held = np.zeros(len(performances), bool)
    pairs = [rows for rows in performances.groupby(performances).indices.values() if len(rows) == 2]
    for rows in pairs[::2]:
        held[random.choice(rows)] = True
    return held


def learnt_from(archive: Archive, runs: Path, design: str, arms: int, crops: int) -> tuple[Path, Path]:
    """The archive that is trained on, and its bank."""
    name = design if arms == ARMS else f"{design}-{arms}"
    varied, bank = runs / f"{name}.archive", runs / f"{name}{'' if crops == CROPS else f'-crops-{crops}'}.bank"
    if not varied.is_dir():
        vary(archive, varied, design, arms)
    if not bank.is_dir():
        make_bank(Archive.open(varied), bank, replace(RECIPE, crops=crops), open_encoder("minilm"))
    return varied, bank


def explained(archive: Archive, bank: Bank, model: Path, split: str) -> tuple[float, float]:
    """R2 of the captions' embeddings by the encoder's features: on the train part, on the test part."""
    from sklearn.linear_model import Ridge

    part = archive.clips[split].to_numpy()
    windows, rows = bank.windows(archive, np.flatnonzero((part == "train") | (part == "test")))
    train = part[windows.clip] == "train"
    embeddings = bank.embeddings[rows].reshape(len(rows), -1)
    prepared = Preparation.fit(embeddings[train], "centre", table.PRETRAIN.knowledge_size)
    wanted = prepared.apply(embeddings)
    features = features_of(model, archive, windows)
    features = (features - features[train].mean(axis=0)) / (features[train].std(axis=0) + 1e-6)
    left = wanted - Ridge(10).fit(features[train], wanted[train]).predict(features)
    spread = wanted - wanted[train].mean(axis=0)
    on_train, on_test = (float(1 - (left[of] ** 2).sum() / (spread[of] ** 2).sum()) for of in (train, ~train))
    return on_train, on_test


def features_of(model: Path, archive: Archive, windows: Any) -> NDArray[np.float32]:
    encoder, about = load_model(model)
    store = ClipStore.open(archive, windows, about.clip)
    with torch.no_grad():
        parts = [encoder.eval().features(torch.from_numpy(store.read(part))).numpy() for part in batches(len(store))]
    return np.concatenate(parts)


def batches(count: int) -> list[NDArray[np.int64]]:
    return np.array_split(np.arange(count), max(1, count // 512))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="of encoder, objective, loop, ...")
    parser.add_argument("--row", default="progressive", choices=table.PRETRAINED)
    parser.add_argument("--recordings", action="store_true", help="learn from the recordings alone")
    parser.add_argument("--arms", type=int, default=ARMS, help="variations of each clip by others' arms")
    parser.add_argument("--crops", type=int, default=CROPS, help="of each clip in the bank, beside the whole")
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS), choices=DESIGNS)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    given = table.Plan(pretrain_loop=table.LOOP, recordings=True) if options.recordings else table.Plan()
    plan, unknown = given.changed(options.set, [options.row])
    if unknown:
        parser.error(f"no setting is called {', '.join(unknown)}")
    plan = replace(plan, loop=plan.pretrain_loop)
    options.runs.mkdir(parents=True, exist_ok=True)
    archive = with_designs(options.archive, options.runs / "designs.archive")
    tried_as = " ".join(sorted(options.set)) + (" recordings" if options.recordings else "")
    tried_as += "" if options.arms == ARMS else f" arms {options.arms}"
    tried_as += "" if options.crops == CROPS else f" crops {options.crops}"
    name = hashlib.sha256(tried_as.encode()).hexdigest()[:8]
    for design in options.designs:
        varied, bank = learnt_from(archive, options.runs, design, options.arms, options.crops)
        for seed in range(options.seeds):
            tried = table.Table(varied, bank, options.runs / f"{design}-{name}", design, plan=plan)
            values = tried.figures(options.row, seed)
            model = tried.model(options.row, seed) / table.MODEL
            known = explained(Archive.open(varied), Bank.open(bank), model, design)
            print(
                f"{design}, {options.row}, {tried_as or 'as the table'}, seed {seed}: "
                f"probe {100 * values['top1']:.1f}, nearest {100 * values['knn']:.1f}, "
                f"R2 {known[0]:.3f} train, {known[1]:.3f} held out",
                flush=True,
            )


if __name__ == "__main__":
    main()
