"""One run, or one for each seed: what `train pretrain` and `train finetune` share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import click

from train.settings.resume import epochs_done
from train.settings.training import LoopSettings

F = TypeVar("F")

seeds_option = click.option(
    "--seeds", type=click.IntRange(1), help="So many runs, into RUN/seed0, RUN/seed1, ...; finished ones are skipped."
)
resume_option = click.option(
    "--resume", is_flag=True, help="Go on with the run in that folder, by its settings; --epochs may be more."
)


def speaks() -> bool:
    """Whether this process prints what came out: of several processes the first does."""
    from lightning_fabric.utilities.rank_zero import rank_zero_only

    return not getattr(rank_zero_only, "rank", 0)


def run_seeds(
    run: Path, seeds: int | None, loop: LoopSettings, resume: bool, train: Callable[[Path, LoopSettings, bool], F]
) -> dict[str, F]:
    """What `train` gives for each folder that it trains into. train: takes the folder, the loop's settings with its
    seed, and whether to go on with what is there. Ends the command with exit code 130 where the run is interrupted."""
    from train.trainer import CHECKPOINT, MODEL, Interrupted

    results = {}
    try:
        for number in range(seeds or 1):
            seeded = replace(loop, seed=loop.seed + number)
            folder = run / f"seed{seeded.seed}" if seeds else run
            if seeds and (folder / MODEL).exists() and not (resume and epochs_done(folder) < loop.epochs):
                continue
            again = resume and (not seeds or (folder / CHECKPOINT).exists())
            results[str(folder)] = train(folder, seeded, again)
    except Interrupted:
        click.echo("interrupted; the checkpoint is written: go on with --resume", err=True)
        raise SystemExit(130) from None
    return results
