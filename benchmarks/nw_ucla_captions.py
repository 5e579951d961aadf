"""What each part of the objective brings on wrong captions (docs/experiments.md, Wrong captions), paired over seeds.

A share of the recordings gets another one's captions: anybody's, or as a language model mistakes what it sees
(--mistakes of `train pretrain`): those of the nearest other class, of the mirror image, of the previous activity. So
that many runs can be paired, they have the encoder and the work of `--preset small`, a quarter of nw_ucla_table.py's;
archive and probe are the table's. Every finished run is kept as RUNS/ROW/seedN.json and not made again. Each variation
is exchanged by itself; with --whole all variations of a recording go with it. In so few epochs no wrong caption is
learnt by heart; with --recordings EPOCHS the recordings alone are learnt from, for so long that they can be
(kept in RUNS/recordings-EPOCHS).

    edge-c2vl knowledge encode varied.archive small.bank --crops 2 --pool whitened --facts 60 --quarters
    python benchmarks/nw_ucla_captions.py varied.archive small.bank RUNS [--seeds 3] [--shares 0 40]
    python benchmarks/nw_ucla_captions.py varied.archive small.bank RUNS --mistakes class --objectives hard hard+weight
    python benchmarks/nw_ucla_captions.py varied.archive small.bank RUNS --whole --shares 40
    python benchmarks/nw_ucla_captions.py varied.archive small.bank RUNS --recordings 100 --shares 40
    python benchmarks/nw_ucla_captions.py varied.archive small.bank RUNS [--recordings 100] --print
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from nw_ucla_table import ENCODER, FULL, HARD, PRETRAIN, PRETRAIN_LOOP, Plan, Table

from train.settings.pretraining import MISTAKES, ObjectiveSettings

SMALL = replace(ENCODER, joined=64, features=256)
# Without AVX512-BF16 or AMX a CPU takes twice as long for bfloat16 as for float32.
SMALL_LOOP = replace(PRETRAIN_LOOP, epochs=4, warmup_epochs=4 / 3, precision="32-true")
# Weights begin after a fifth of the training, when cosines tell something; of Lerch et al.'s five epochs of hard
# InfoNCE it is the nearest share.
WEIGHT = {"least_weight": 0.25, "soften_from": 0.2}
# Chosen for --recordings by nw_ucla_design.py, on the second training view.
STRONG = {"least_weight": 0.02, "soften_from": 0.1}
# row -> (what stands in the table, changes of PretrainSettings, objective)
OBJECTIVES: dict[str, tuple[str, dict[str, Any], ObjectiveSettings]] = {
    "hard": ("hard InfoNCE", {}, HARD),
    "hard+weight": ("hard InfoNCE, weight", {}, replace(HARD, **WEIGHT)),
    "hard+strong": ("hard InfoNCE, stronger weight", {}, replace(HARD, **STRONG)),
    "full": ("full C2VL", {}, FULL),
    "full+weight": ("full C2VL, weight", {}, replace(FULL, **WEIGHT)),
    "full+strong": ("full C2VL, stronger weight", {}, replace(FULL, **STRONG)),
    "full+cycle": ("full C2VL, cycle-consistent targets", {}, replace(FULL, cycle_consistency=True)),
    "full+own": ("full C2VL, the other side's own similarity", {}, replace(FULL, own_similarity=True)),
    "full+all": ("full C2VL, all three", {}, replace(FULL, cycle_consistency=True, own_similarity=True, **WEIGHT)),
    "hard+slim": ("hard InfoNCE and slim", {"skeleton_weight": 0.5}, HARD),
    "full+slim": ("full C2VL and slim", {"skeleton_weight": 0.5}, FULL),
}
# Those without captions.
ALONE = {
    "random": ("random encoder", {"method": "random"}, HARD),
    "skeleton-clr": ("SkeletonCLR", {"method": "skeleton-clr"}, HARD),
    "slim": ("slim", {"method": "slim"}, HARD),
    "slim-masked": ("slim, masked features alone", {"method": "slim", "view_weight": 0.0}, HARD),
    "slim-views": ("slim, views alone", {"method": "slim", "masked_weight": 0.0}, HARD),
}
ALL = OBJECTIVES | ALONE


def small_plan(recordings: int | None) -> Plan:
    """recordings: learn from them alone, for so many epochs."""
    if not recordings:
        return Plan(encoder=SMALL, pretrain_loop=SMALL_LOOP)
    loop = replace(SMALL_LOOP, epochs=recordings, warmup_epochs=recordings / 3, checkpoint_every=recordings)
    return Plan(encoder=SMALL, pretrain_loop=loop, recordings=True)


def row_name(objective: str, mistakes: str, share: int, whole: bool) -> str:
    return objective if not share else f"{objective}-{mistakes}-{share}{'-whole' if whole else ''}"


def figures(runs: Path, row: str, name: str) -> dict[int, float]:
    """seed -> per cent."""
    paths = sorted((runs / row).glob("seed*.json"))
    return {int(path.stem.removeprefix("seed")): 100 * json.loads(path.read_text())[name] for path in paths}


def told(values: list[float]) -> str:
    """Mean and sample standard deviation."""
    if not values:
        return ""
    return f"{np.mean(values):.1f}" + (f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else "")


def paired(own: dict[int, float], other: dict[int, float]) -> str:
    differences = [own[seed] - other[seed] for seed in sorted(set(own) & set(other))]
    return ("+" if differences and np.mean(differences) >= 0 else "") + told(differences)


def lines(
    runs: Path, objectives: list[str], mistakes: list[str], shares: list[int], wholes: tuple[bool, ...]
) -> list[str]:
    header = (
        "| mistakes | objective | probe | nearest | probe, over hard InfoNCE | nearest, over hard InfoNCE | seeds |"
    )
    found = [header, "|---|---|---|---|---|---|---|"]
    wrong = [(kind, share, whole) for whole in wholes for share in shares if share for kind in mistakes]
    for kind, share, whole in [("none", 0, False), *wrong]:
        hard = {name: figures(runs, row_name("hard", kind, share, whole), name) for name in ("top1", "knn")}
        for objective in objectives:
            own = {name: figures(runs, row_name(objective, kind, share, whole), name) for name in ("top1", "knn")}
            if own["top1"]:
                cells = [told(list(values.values())) for values in own.values()]
                cells += ["" if objective == "hard" else paired(own[name], hard[name]) for name in own]
                what = f"{kind} {share} %{', whole' if whole else ''}" if share else kind
                found.append(f"| {what} | {ALL[objective][0]} | {' | '.join(cells)} | {len(own['top1'])} |")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("bank", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shares", type=int, nargs="+", default=[0, 40], help="of the recordings, per cent")
    parser.add_argument("--mistakes", nargs="+", default=["any"], choices=MISTAKES)
    parser.add_argument("--objectives", nargs="+", default=list(OBJECTIVES), choices=list(ALL))
    parser.add_argument("--whole", action="store_true", help="a recording's variations get the same wrong one's")
    parser.add_argument("--recordings", type=int, metavar="EPOCHS", help="learn from them alone, for so many epochs")
    parser.add_argument("--print", action="store_true", help="only print what is there")
    options = parser.parse_args()
    plan = small_plan(options.recordings)
    runs = options.runs / f"recordings-{options.recordings}" if plan.recordings else options.runs
    if options.print:
        print("\n".join(lines(runs, list(ALL), list(MISTAKES), [20, 40, 60], (False, True))))
        return
    rows = {}
    for share in options.shares:
        for kind in options.mistakes if share else ["any"]:
            settings = replace(PRETRAIN, exchange=share / 100, mistakes=kind, each_variation=not options.whole)
            for objective in options.objectives:
                text, changes, parts = ALL[objective]
                if not share or objective in OBJECTIVES:
                    rows[row_name(objective, kind, share, options.whole)] = (
                        text,
                        replace(settings, **changes),
                        parts,
                        "joint",
                    )
    runs.mkdir(parents=True, exist_ok=True)
    table = Table(options.archive, options.bank, runs, "xview", plan=replace(plan, pretrained=rows))
    for seed in range(options.seeds):
        for row in rows:
            values = table.figures(row, seed)
            print(f"{row} seed {seed}: {100 * values['top1']:.1f} ({100 * values['knn']:.1f})", flush=True)
    print("\n".join(lines(runs, options.objectives, options.mistakes, options.shares, (options.whole,))))


if __name__ == "__main__":
    main()
