"""edge-c2vl train pretrain ARCHIVE RUN"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edge_c2vl.settings.config_file import read_settings
from edge_c2vl.settings.flags import settings_options
from train.commands.seeds import resume_option, run_seeds, seeds_option
from train.settings.pretraining import ObjectiveSettings, PretrainSettings
from train.settings.resume import check_unchanged, recorded
from train.settings.training import AugmentSettings, EncoderSettings, LoopSettings

SETTINGS = (EncoderSettings, AugmentSettings, PretrainSettings, ObjectiveSettings, LoopSettings)
_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("archive", type=_PATH)
@click.argument("run", type=_PATH)
@click.option("--bank", "banks", multiple=True, type=_PATH, help="A knowledge bank; one of each kind at most.")
@seeds_option
@resume_option
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
    (--softening; 0 is plain cross-modal InfoNCE).

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

    opened, known = Archive.open(archive), [Bank.open(bank) for bank in banks]

    def one(folder: Path, seeded: LoopSettings, again: bool) -> dict[str, float]:
        return train(opened, folder, known, encoder, augment, pretraining, objective, seeded, resume=again)

    figures = run_seeds(run, seeds, loop, resume, one)
    if as_json:
        click.echo(json.dumps(figures))
        return
    for name_of_run, values in figures.items():
        shown = ", ".join(f"{name} {values[name]:.4g}" for name in values if name != "clips_per_second")
        click.echo(f"{name_of_run}: {shown or 'as initialised'}")
