"""The table of docs/experiments.md, section C2VL on NW-UCLA: what each part brings, label-free and supervised.

One encoder and one budget for all rows that are pretrained: 15 times through the recordings of the training views and
their variations, which every label-free row learns from. The probe is fixed beforehand (standardised features, logistic
regression, C = 1), nearest neighbours (k = 1) beside it. Every finished run is kept as RUNS/ROW/seedN.json and not made
again, so the table can be stopped and gone on with at any time.

    edge-c2vl prepare nw-ucla all_sqe nw-ucla.archive
    edge-c2vl knowledge vary nw-ucla.archive varied.archive --split xview --arms 4
    edge-c2vl knowledge encode varied.archive varied.bank --crops 8 --pool whitened --facts 60 --quarters
    python benchmarks/nw_ucla_table.py varied.archive varied.bank RUNS [--seeds 5] [--rows hard progressive ...]
    python benchmarks/nw_ucla_table.py varied.archive varied.bank RUNS --print
    python benchmarks/nw_ucla_table.py varied.archive varied.bank OTHER --rows hard --set learn_temperature=true

Settings were chosen without the test view: nw_ucla_design.py.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.windows import whole_clips
from edge_c2vl.utils.atomic import write_file
from train.data.splits import few_labels
from train.evaluation.judges import knn_predict, probe_scores
from train.evaluation.probe import probe
from train.finetune import finetune
from train.knowledge.bank import Bank
from train.knowledge.gather import Fitted
from train.knowledge.kinematics import Describer
from train.metrics import mean_and_spread, score
from train.pretrain import pretrain
from train.settings.pretraining import ObjectiveSettings, PretrainSettings
from train.settings.probe import ProbeSettings
from train.settings.training import AugmentSettings, DataSettings, EncoderSettings, LoopSettings
from train.trainer import CHECKPOINT, MODEL

ENCODER = EncoderSettings(
    width=16,
    blocks=6,
    graph_blocks=1,
    stride=2,
    temporal_kernel=5,
    joined=128,
    features=768,
    joint_bias=True,
    adaptive=True,
    pooling="mean_std",
)
AUGMENT = AugmentSettings(rotate=10, view=30, scale=0.1, shear=0.1, jitter=0.01)
LOOP = LoopSettings(
    epochs=100,
    batch_size=128,
    learning_rate=2e-3,
    warmup_epochs=5,
    precision="bf16-mixed",
    accelerator="cpu",
    threads=1,
    checkpoint_every=10,
    tensorboard=False,
)
PRETRAIN = PretrainSettings(frames=32, facing=True, join=True, knowledge_size=256, each_variation=True)
FULL = ObjectiveSettings(
    temperature=0.2, learn_temperature=False, softening=0.9, self_temperature=0.1, cross_temperature=0.1, balance=0.5
)
HARD = replace(FULL, softening=0.0)
DATA = DataSettings(frames=32, facing=True, smoothing=0.1)
# With variations there are eight times as many clips: 63 steps an epoch instead of 7.
PRETRAIN_LOOP = replace(LOOP, epochs=15)
# With few labels an epoch is a step or two.
FEW_LOOP = replace(LOOP, epochs=100, learning_rate=1e-3, warmup_epochs=2, checkpoint_every=100)

# What stands in the table, what is learnt from and how, the encoder's stream.
Row = tuple[str, PretrainSettings, ObjectiveSettings, str]
PRETRAINED: dict[str, Row] = {
    "random": ("random encoder", replace(PRETRAIN, method="random"), HARD, "joint"),
    "skeleton-clr": ("SkeletonCLR", replace(PRETRAIN, method="skeleton-clr"), HARD, "joint"),
    "shuffled": ("hard InfoNCE, captions exchanged between all clips", replace(PRETRAIN, exchange=1.0), HARD, "joint"),
    "hard": ("hard InfoNCE", PRETRAIN, HARD, "joint"),
    "self": (
        "+ self-similarity",
        PRETRAIN,
        replace(FULL, schedule="constant", cross_consistency=False),
        "joint",
    ),
    "cross": ("+ cross-consistency", PRETRAIN, replace(FULL, schedule="constant"), "joint"),
    "progressive": ("progressive: full C2VL", PRETRAIN, FULL, "joint"),
    "progressive-bone": ("full C2VL, bones", PRETRAIN, FULL, "bone"),
    "progressive-motion": ("full C2VL, motion", PRETRAIN, FULL, "motion"),
    "hard-20": ("hard InfoNCE, 20 % of the captions exchanged", replace(PRETRAIN, exchange=0.2), HARD, "joint"),
    "hard-40": ("hard InfoNCE, 40 % exchanged", replace(PRETRAIN, exchange=0.4), HARD, "joint"),
    "progressive-20": ("full C2VL, 20 % exchanged", replace(PRETRAIN, exchange=0.2), FULL, "joint"),
    "progressive-40": ("full C2VL, 40 % exchanged", replace(PRETRAIN, exchange=0.4), FULL, "joint"),
}
STREAMS = ("progressive", "progressive-bone", "progressive-motion")
FEW: dict[str, dict[str, Any]] = {"1-shot": {"shots": 1}, "5-shot": {"shots": 5}, "10%": {"share": 0.1}}


@dataclass(frozen=True)
class Plan:
    """What the rows are made with; left out, the table's own. pretrained: its rows that are pretrained. recordings:
    they learn from the recordings alone, where the archive has variations of them too."""

    encoder: EncoderSettings = ENCODER
    augment: AugmentSettings = AUGMENT
    loop: LoopSettings = LOOP
    pretrain_loop: LoopSettings = PRETRAIN_LOOP
    pretrained: Mapping[str, Row] = field(default_factory=lambda: PRETRAINED)
    recordings: bool = False

    def changed(self, wanted: list[str], rows: list[str]) -> tuple[Plan, list[str]]:
        """With what `wanted` (NAME=VALUE) names: of these rows' pretraining and objective, and of the encoder, the
        augmentation and the loop of pretraining for all; and the names that are no setting's."""
        values = dict(setting.split("=", 1) for setting in wanted)
        known: set[str] = set()

        def changed(settings: Any) -> Any:
            own = {field.name for field in fields(settings)} & set(values)
            known.update(own)
            kinds = {name: type(getattr(settings, name)) for name in own}
            return replace(
                settings, **{n: kind(values[n] if kind is str else json.loads(values[n])) for n, kind in kinds.items()}
            )

        pretrained = dict(self.pretrained)
        for row in set(rows) & set(pretrained):
            text, pretraining, objective, stream = pretrained[row]
            pretrained[row] = (text, changed(pretraining), changed(objective), stream)
        plan = replace(
            self,
            encoder=changed(self.encoder),
            augment=changed(self.augment),
            pretrain_loop=changed(self.pretrain_loop),
            pretrained=pretrained,
        )
        return plan, sorted(set(values) - known)


class Table:
    """epochs: of all training, instead of the plan's."""

    def __init__(
        self, archive: Path, bank: Path, runs: Path, split: str, epochs: int | None = None, plan: Plan | None = None
    ) -> None:
        self.archive, self._bank, self.runs, self.split = Archive.open(archive), bank, runs, split
        self.plan = plan or Plan()
        # All rows prepare the bank alike, and that takes as long as two epochs of theirs.
        self._fitted: Fitted = {}
        # An archive with variations (edge-c2vl knowledge vary) says in a column of its own what may be learnt from.
        varied = "pretrain" in self.archive.clips.columns
        self.pretrain_split = "pretrain" if varied and not self.plan.recordings else split
        self.loop = self.plan.loop if epochs is None else replace(self.plan.loop, epochs=epochs)
        self.pretrain_loop = self.loop if epochs or not varied else self.plan.pretrain_loop

    @cached_property
    def bank(self) -> Bank:
        return Bank.open(self._bank)

    def rows(self) -> dict[str, tuple[str, Callable[[str, int], dict[str, Any]]]]:
        """row -> (what stands in the table, what makes its figures for a seed)."""
        rows: dict[str, tuple[str, Callable[[str, int], dict[str, Any]]]] = {
            "bits": ("predicate bits, no network", self.bits)
        }
        rows |= {row: (text, self.pretrained) for row, (text, *_) in self.plan.pretrained.items()}
        rows["three-streams"] = ("full C2VL, three streams", self.three_streams)
        rows["supervised"] = ("supervised, from scratch", self.supervised)
        for few in FEW:
            rows[f"probe-{few}"] = (f"{few}: full C2VL, probe", self.few_probe)
            rows[f"bits-{few}"] = (f"{few}: predicate bits, probe", self.few_bits)
            rows[f"tuned-{few}"] = (f"{few}: full C2VL, fine-tuned", self.few_tuned)
            rows[f"scratch-{few}"] = (f"{few}: from scratch", self.few_tuned)
        return rows

    def figures(self, row: str, seed: int) -> dict[str, Any]:
        """Those kept, or made now."""
        path = self.runs / row / f"seed{seed}.json"
        if path.is_file():
            return json.loads(path.read_text())
        _, make = self.rows()[row]
        values = make(row, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, json.dumps(values, indent=1) + "\n")
        return values

    # What makes the figures of a row

    def pretrained(self, row: str, seed: int) -> dict[str, Any]:
        model = self.model(row, seed)
        values = self._probed([model])
        values["knn"] = self._judged([model], ProbeSettings(protocol="knn", split=self.split))["top1"]
        lines = (model / "metrics.jsonl").read_text().splitlines() if (model / "metrics.jsonl").exists() else []
        return values | {"training": json.loads(lines[-1]) if lines else {}}

    def model(self, row: str, seed: int) -> Path:
        """The run folder of a pretrained encoder, trained now unless it is there."""
        _, settings, objective, stream = self.plan.pretrained[row]
        folder = self.runs / row / f"run{seed}"
        if not (folder / MODEL).exists():
            banks = [self.bank] if settings.method == "c2vl" else []
            augment = self.plan.augment
            if settings.method == "skeleton-clr":
                augment = replace(augment, crop=0.4)
            pretrain(
                self.archive,
                folder,
                banks,
                replace(self.plan.encoder, stream=stream),
                augment,
                replace(settings, split=self.pretrain_split),
                objective,
                replace(self.pretrain_loop, seed=seed),
                resume=(folder / CHECKPOINT).exists(),
                fitted=self._fitted,
            )
        return folder

    def three_streams(self, row: str, seed: int) -> dict[str, Any]:  # noqa: ARG002
        return self._probed([self.model(stream, seed) for stream in STREAMS])

    def supervised(self, row: str, seed: int) -> dict[str, Any]:
        return self._tuned(self.runs / row / f"run{seed}", None, DATA, replace(self.loop, seed=seed))

    def bits(self, row: str, seed: int) -> dict[str, Any]:  # noqa: ARG002
        bits, labels, train, test = self._bits()
        predicted = probe_scores(bits[train], labels[train], bits[test], len(self.archive.labels)).argmax(axis=1)
        near = score(knn_predict(bits[train], labels[train], bits[test]), labels[test])
        return score(predicted, labels[test]).to_json() | {"knn": near.top1}

    def few_bits(self, row: str, seed: int) -> dict[str, Any]:
        bits, labels, train, test = self._bits()
        train = train[few_labels(labels[train], seed=seed, **FEW[row.partition("-")[2]])]
        predicted = probe_scores(bits[train], labels[train], bits[test], len(self.archive.labels)).argmax(axis=1)
        return score(predicted, labels[test]).to_json()

    def few_probe(self, row: str, seed: int) -> dict[str, Any]:
        # Ten draws a model: which clips are drawn matters more than the model's seed.
        settings = ProbeSettings(split=self.split, draws=10, **FEW[row.partition("-")[2]])
        return self._judged([self.model("progressive", seed)], settings)

    def few_tuned(self, row: str, seed: int) -> dict[str, Any]:
        kind, _, few = row.partition("-")
        data = replace(DATA, **FEW[few])
        pretrained = self.model("progressive", seed) if kind == "tuned" else None
        loop = replace(FEW_LOOP, seed=seed, batch_size=10 if few == "1-shot" else 50)
        return self._tuned(self.runs / row / f"run{seed}", pretrained, data, loop)

    def _bits(self) -> tuple[Any, ...]:
        windows = whole_clips(self.archive)
        part = self.archive.clips[self.split].to_numpy()[windows.clip]
        bits = Describer(self.archive).bits(windows)
        return bits, windows.label, np.flatnonzero(part == "train"), np.flatnonzero(part == "test")

    def _tuned(self, folder: Path, pretrained: Path | None, data: DataSettings, loop: LoopSettings) -> dict[str, Any]:
        augment = self.plan.augment
        values = finetune(
            self.archive,
            folder,
            self.plan.encoder,
            augment if data.shots or data.share < 1 or pretrained else replace(augment, crop=0.4),
            replace(data, split=self.split),
            loop,
            pretrained=pretrained,
            resume=(folder / CHECKPOINT).exists(),
        )
        n = int((self.archive.clips[self.split] == "test").sum())
        return {"top1": values["test_top1"], "balanced": values["test_balanced"], "n": n}

    def _probed(self, models: list[Path]) -> dict[str, Any]:
        return self._judged(models, ProbeSettings(split=self.split))

    def _judged(self, models: list[Path], settings: ProbeSettings) -> dict[str, Any]:
        result = probe(self.archive, models, settings)
        (first, *_) = result["runs"]
        return {**result["mean"], "n": first["n"]}

    # What is printed

    def line(self, row: str, seeds: int) -> str:
        text, _ = self.rows()[row]
        paths = [self.runs / row / f"seed{seed}.json" for seed in range(seeds)]
        values = [json.loads(path.read_text()) for path in paths if path.is_file()]
        if not values:
            return f"| {text} | not run | | | 0 |"
        cells = []
        for name in ("top1", "balanced", "knn"):
            known = [100 * value[name] for value in values if name in value]
            mean, deviation = mean_and_spread(known) if known else (0.0, None)
            cells.append("" if not known else f"{mean:.1f}" + ("" if deviation is None else f" ± {deviation:.1f}"))
        return f"| {text} | {' | '.join(cells)} | {len(values)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("bank", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", nargs="+", default=[])
    parser.add_argument("--epochs", type=int, help="instead of the table's own, to try the script")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="of --rows; into RUNS of its own")
    parser.add_argument("--print", action="store_true", help="only print what is there")
    options = parser.parse_args()
    plan, unknown = Plan().changed(options.set, options.rows)
    if unknown:
        parser.error(f"no setting of {' '.join(options.rows) or 'all rows'} is called {', '.join(unknown)}")
    options.runs.mkdir(parents=True, exist_ok=True)
    table = Table(options.archive, options.bank, options.runs, "xview", options.epochs, plan)
    rows = options.rows or list(table.rows())
    # Seed by seed: stopped early, there is a whole table of fewer seeds.
    for seed in range(0 if options.print else options.seeds):
        for row in rows:
            values = table.figures(row, seed)
            print(f"{row} seed {seed}: {100 * values['top1']:.1f}", flush=True)
    print("| | top-1 | balanced | nearest neighbour | seeds |\n|---|---|---|---|---|")
    for row in rows:
        print(table.line(row, options.seeds))


if __name__ == "__main__":
    main()
