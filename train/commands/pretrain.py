"""edge-c2vl train pretrain ARCHIVE RUN"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from train.settings.flags import read_settings, settings_options
from train.settings.pretraining import ObjectiveSettings, PretrainSettings
from train.settings.resume import check_unchanged, epochs_done, recorded
from train.settings.training import AugmentSettings, EncoderSettings, LoopSettings

SETTINGS = (EncoderSettings, AugmentSettings, PretrainSettings, ObjectiveSettings, LoopSettings)
_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("archive", type=_PATH)
@click.argument("run", type=_PATH)
@click.option("--bank", "banks", multiple=True, type=_PATH, help="A knowledge bank; one of each kind at most.")
@click.option("--seeds", type=click.IntRange(1), help="So many runs, into RUN/seed0, RUN/seed1, ...")
@click.option(
    "--resume", is_flag=True, help="Go on with the run in that folder, by its settings; --epochs may be more."
)
@click.option("--json", "as_json", is_flag=True, help="Print the last epoch's figures as JSON.")
@settings_options(*SETTINGS)
def pretrain(
    archive: Path,
    run: Path,
    banks: tuple[Path, ...],
    seeds: int | None,
    resume: bool,
    as_json: bool,
    config: Path | None,
    **flags: Any,
) -> None:
    """Train an encoder without labels, by C2VL or a baseline.

    ARCHIVE is a skeleton archive; the folder RUN gets the model, its settings, versions and metrics. C2VL pulls each
    clip towards what its knowledge bank says of it, at first towards that alone, later also towards what is like it
    (--softening; 0 is plain cross-modal InfoNCE). Finished seeds are skipped when --seeds is run again.

    \b
    Example:
      edge-c2vl prepare nw-ucla all_sqe nw-ucla.archive
      edge-c2vl knowledge encode nw-ucla.archive nw-ucla.bank --crops 8
      edge-c2vl train pretrain nw-ucla.archive runs/c2vl --bank nw-ucla.bank --split xview --epochs 100
      edge-c2vl train probe nw-ucla.archive runs/c2vl --split xview
    """
    before = recorded(run) if resume else {}
    encoder, augment, pretraining, objective, loop = read_settings(flags, config, *SETTINGS, **before)
    check_unchanged(run, before, encoder, augment, pretraining, objective, loop)
    banks = banks or tuple(map(Path, before.get("banks", ())))

    from edge_c2vl.skeletons.archive import Archive
    from train.knowledge.bank import Bank
    from train.pretrain import pretrain as train
    from train.trainer import CHECKPOINT, MODEL, Interrupted

    opened, known = Archive.open(archive), [Bank.open(bank) for bank in banks]
    figures = {}
    try:
        for number in range(seeds or 1):
            folder = run / f"seed{loop.seed + number}" if seeds else run
            if seeds and (folder / MODEL).exists() and not (resume and epochs_done(folder) < loop.epochs):
                continue
            again = resume and (not seeds or (folder / CHECKPOINT).exists())
            seeded = replace(loop, seed=loop.seed + number)
            figures[str(folder)] = train(
                opened, folder, known, encoder, augment, pretraining, objective, seeded, resume=again
            )
    except Interrupted:
        click.echo("interrupted; the checkpoint is written: go on with --resume", err=True)
        raise SystemExit(130) from None
    if as_json:
        click.echo(json.dumps(figures))
        return
    for name_of_run, values in figures.items():
        shown = ", ".join(f"{name} {values[name]:.4g}" for name in values if name != "clips_per_second")
        click.echo(f"{name_of_run}: {shown or 'as initialised'}")
