"""Whether the weight against wrong captions can tell them: one training run of hard InfoNCE on NW-UCLA with captions
exchanged, looked at while it learns. No weight acts on it.

Printed ten times a run, over all windows: how many find their caption, true and wrong, among 128; how often a true pair
fits better than a wrong one (ROC-AUC of the cosine); the mean weight that --least-weight 0.25 would give true and wrong
pairs; and at the end a histogram of these weights.

    python benchmarks/nw_ucla_weights.py varied.archive small.bank RUNS [--recordings 100] [--share 40] [--seed 0]
    python benchmarks/nw_ucla_weights.py varied.archive small.bank RUNS --whole    # variations go with it
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from nw_ucla_captions import WEIGHT, small_plan
from nw_ucla_table import AUGMENT, HARD, PRETRAIN
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional as F

from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.splits import Split
from train.data.clips import ClipStore, in_order
from train.knowledge.bank import Bank
from train.knowledge.gather import Fitted, gather_knowledge
from train.methods.c2vl_loss import C2VLObjective
from train.model.encoder import Encoder
from train.pretrain import pretrain
from train.settings.pretraining import MISTAKES

AMONG = 128
EDGES = np.linspace(WEIGHT["least_weight"], 1, 6)


class Pairs:
    """Watches how clips fit their captions. words: (W, D), as they are learnt from; wrong: (W,) bool, those that are
    another recording's."""

    held_out = ""

    def __init__(self, store: ClipStore, vary: Callable[[Tensor], Tensor], words: Tensor, wrong: NDArray[np.bool_]):
        self.store, self.vary, self.words, self.wrong = store, vary, F.normalize(words, dim=1), wrong
        self.weights: NDArray[np.float32] = np.ones(len(wrong), np.float32)

    def __call__(self, encoder: Encoder, progress: float) -> dict[str, float]:
        training = encoder.training
        encoder.eval()
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            z = F.normalize(torch.cat([encoder(self.vary(batch.clip))[1] for batch in self._batches()]), dim=1)
            order = torch.randperm(len(z))
        encoder.train(training)
        cosines = (z * self.words).sum(dim=1)
        found = np.zeros(len(z), bool)
        for rows in order.split(AMONG):
            found[rows.numpy()] = ((z[rows] @ self.words[rows].T).argmax(dim=1) == torch.arange(len(rows))).numpy()
        self.weights = weights_of(cosines)
        parts = {"true": ~self.wrong, "wrong": self.wrong}
        values = {f"found, {name}": found[part].mean() for name, part in parts.items()}
        values["told apart"] = roc_auc_score(~self.wrong, cosines.numpy())
        values |= {f"weight, {name}": self.weights[part].mean() for name, part in parts.items()}
        print(f"{progress:.0%}: " + ", ".join(f"{name} {value:.2f}" for name, value in values.items()), flush=True)
        return {name: float(value) for name, value in values.items()}

    def verdict(self, untrained: Encoder, trained: Encoder) -> dict[str, float]:  # noqa: ARG002
        return {}

    def histogram(self) -> str:
        lines = ["| weight | true pairs | wrong pairs |", "|---|---|---|"]
        shares = [np.histogram(self.weights[part], EDGES)[0] / part.sum() for part in (~self.wrong, self.wrong)]
        for first, last, *both in zip(EDGES[:-1], EDGES[1:], *shares, strict=True):
            lines.append(f"| {first:.2f} to {last:.2f} | " + " | ".join(f"{share:.0%}" for share in both) + " |")
        return "\n".join(lines)

    def _batches(self) -> Any:
        return in_order(self.store, np.arange(len(self.store)))


def weights_of(cosines: Tensor) -> NDArray[np.float32]:
    """What the objective would weigh these pairs (N,) with, all of them being one batch."""
    objective = C2VLObjective({"language": 1}, replace(HARD, least_weight=WEIGHT["least_weight"], soften_from=0.0))
    return objective.train()._weights("language", cosines, torch.ones(len(cosines), dtype=torch.bool), 1.0).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("bank", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--recordings", type=int, metavar="EPOCHS", help="learn from them alone, for so many epochs")
    parser.add_argument("--share", type=int, default=40, help="of the recordings, per cent")
    parser.add_argument("--mistakes", default="any", choices=MISTAKES)
    parser.add_argument("--whole", action="store_true", help="a recording's variations get the same wrong one's")
    parser.add_argument("--split", default="xview", help="its train part is learnt from")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    plan = small_plan(options.recordings)
    loop = replace(plan.pretrain_loop, seed=options.seed, evaluate_every=max(1, plan.pretrain_loop.epochs // 10))
    archive, bank = Archive.open(options.archive), Bank.open(options.bank)
    settings = replace(
        PRETRAIN, exchange=options.share / 100, mistakes=options.mistakes, each_variation=not options.whole
    )
    settings = replace(settings, split=options.split if plan.recordings else "pretrain")
    rows = Split.of(archive, settings.split).rows("train")
    fitted: Fitted = {}
    words, own = (
        gather_knowledge(archive, rows, [bank], replace(settings, exchange=share), options.seed, fitted)[1]["language"]
        for share in (settings.exchange, 0.0)
    )
    made: list[Pairs] = []

    def watch(store: ClipStore, archive: Archive, rows: Any, vary: Any, seed: int) -> Pairs:  # noqa: ARG001
        made.append(Pairs(store, vary, words[:, 0], (words != own).any(dim=2)[:, 0].numpy()))
        return made[0]

    learnt = options.recordings or ("whole" if options.whole else "variations")
    folder = options.runs / f"weights-{learnt}-{options.mistakes}-{options.share}"
    pretrain(
        archive,
        folder / f"run{options.seed}",
        [bank],
        plan.encoder,
        AUGMENT,
        settings,
        HARD,
        loop,
        watch=watch,
        fitted=fitted,
    )
    print(made[0].histogram())


if __name__ == "__main__":
    main()
