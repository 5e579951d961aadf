"""edge-c2vl train finetune ARCHIVE RUN"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from edge_c2vl.errors import UsageError
from edge_c2vl.settings.config_file import read_settings
from edge_c2vl.settings.fields import check_needs, flag, own_options
from edge_c2vl.settings.flags import settings_options
from train.commands.eval_drive_act import drive_act_options
from train.commands.seeds import resume_option, run_seeds, seeds_option, speaks
from train.datasets import DATASETS
from train.settings.resume import check_unchanged, recorded
from train.settings.training import AugmentSettings, DataSettings, EncoderSettings, LoopSettings

SETTINGS = (EncoderSettings, AugmentSettings, DataSettings, LoopSettings)
# What a pretrained model has settled.
_FORM = {option.name for option in own_options(EncoderSettings)} - {"dropout"} | {"frames", "facing", "joints"}


@click.command()
@click.argument("archive", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--from", "pretrained", type=click.Path(path_type=Path), help="Pretrained model, or its run's folder.")
@click.option(
    "--freeze", is_flag=True, help="Train the classifier alone: the encoder stays, and with it what words mean to it."
)
@seeds_option
@resume_option
@click.option("--json", "as_json", is_flag=True, help="Print the figures as a JSON object.")
@click.option(
    "--dataset",
    type=click.Choice(sorted(DATASETS)),
    help="ARCHIVE is the folder of this data set's own files; they are prepared once and kept.",
)
@drive_act_options
@settings_options(*SETTINGS)
def finetune(
    archive: Path,
    run: Path,
    pretrained: Path | None,
    freeze: bool,
    seeds: int | None,
    resume: bool,
    as_json: bool,
    dataset: str | None,
    level: str,
    camera: str,
    input: str,
    config: Path | None,
    **flags: Any,
) -> None:
    """Train with labels: from scratch (supervised), or --from a pretrained encoder.

    ARCHIVE is a skeleton archive with labels; the folder RUN gets the model, its settings, versions and metrics. With
    --split, accuracy on that split's val and test parts is printed; subject:0/6 keeps the first sixth of the people for
    that. Ctrl-C stops after the step under way; --resume goes on as if nothing had happened.

    \b
    Example:
      edge-c2vl prepare nw-ucla all_sqe nw-ucla.archive
      edge-c2vl train finetune nw-ucla.archive runs/supervised --split xview --width 16 --epochs 60
      edge-c2vl train finetune nw-ucla.archive runs/few --split xview --share 0.1 --from runs/pretrained
      edge-c2vl train finetune drives.archive runs/fold0 --split subject:0/6 --seconds 3 --balance --seeds 2
      edge-c2vl train finetune drive_and_act runs/da-0 --dataset drive-act --split split_0
    """
    before = recorded(run) if resume else {}
    encoder, augment, data, loop = read_settings(flags, config, *SETTINGS, **before)
    check_unchanged(run, before, encoder, augment, data, loop)
    pretrained = pretrained or (Path(before["pretrained"]) if before.get("pretrained") else None)
    freeze = freeze or bool(before.get("freeze"))
    check_needs(encoder, augment, data, loop, given=flags)
    _check_dataset(dataset)
    if pretrained is not None:
        _check_form(pretrained, flags)

    from edge_c2vl.skeletons.archive import Archive
    from train.finetune import finetune as train

    if dataset:
        import os

        from train.datasets.opened import open_dataset
        from train.datasets.source import Options

        data_set = open_dataset(dataset, archive, Options(None, level, camera, input, os.cpu_count() or 1))
    else:
        data_set = Archive.open(archive)

    def one(folder: Path, seeded: LoopSettings, again: bool) -> dict[str, float]:
        options: dict[str, Any] = {"pretrained": pretrained, "freeze": freeze, "resume": again}
        return train(data_set, folder, encoder, augment, data, seeded, **options)

    results = run_seeds(run, seeds, loop, resume, one)
    if not speaks():
        return
    if as_json:
        rows = [{"run": folder} | figures for folder, figures in results.items()]
        click.echo(json.dumps(rows if seeds else rows[0]))
        return
    for folder, figures in results.items():
        if seeds:
            click.echo(folder)
        for name, value in figures.items():
            click.echo(f"{name:18} {value:.4g}")


def _check_form(pretrained: Path, flags: dict[str, Any]) -> None:
    """Raises UsageError where the command line asks for another form than the model of --from has."""
    given = {name: value for name, value in flags.items() if name in _FORM and value is not None}
    if not given:
        return
    from train.data.splits import UPPER
    from train.model.checkpoint import load_model

    about = load_model(pretrained)[1]
    joints = "upper" if set(about.clip.joints) <= set(UPPER) else "all"
    own = asdict(about.encoder) | {"frames": about.clip.frames, "facing": about.clip.facing, "joints": joints}
    for name, value in given.items():
        if value != own[name]:
            raise UsageError(
                f"{flag(name)} does nothing with --from: {pretrained} has {own[name]} there; leave {flag(name)} out"
            )


def _check_dataset(dataset: str | None) -> None:
    """Raises UsageError where an option of Drive&Act is given for something else."""
    context = click.get_current_context()
    for name in ("level", "camera", "input"):
        if dataset != "drive-act" and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(f"--{name} does nothing without --dataset drive-act: add it, or leave --{name} out")
