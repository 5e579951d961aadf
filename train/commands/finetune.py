"""edge-c2vl train finetune ARCHIVE RUN"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from train.options import read_settings, settings_options
from train.settings import AugmentSettings, DataSettings, EncoderSettings, LoopSettings

SETTINGS = (EncoderSettings, AugmentSettings, DataSettings, LoopSettings)


@click.command()
@click.argument("archive", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--from", "pretrained", type=click.Path(path_type=Path), help="Pretrained model, or its run's folder.")
@click.option("--resume", is_flag=True, help="Go on with the run in that folder, with the same settings.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as a JSON object.")
@settings_options(*SETTINGS)
def finetune(
    archive: Path,
    run: Path,
    pretrained: Path | None,
    resume: bool,
    as_json: bool,
    config: Path | None,
    **flags: Any,
) -> None:
    """Train with labels: from scratch (supervised), or --from a pretrained encoder.

    ARCHIVE is a skeleton archive with labels; the folder RUN gets the model, its settings, versions and metrics. With
    --split, accuracy on that split's val and test parts is printed. Ctrl-C stops after the step under way; --resume
    goes on as if nothing had happened.

    \b
    Example:
      edge-c2vl prepare nw-ucla all_sqe nw-ucla.archive
      edge-c2vl train finetune nw-ucla.archive runs/supervised --split xview --width 16 --epochs 60
      edge-c2vl train finetune nw-ucla.archive runs/few --split xview --share 0.1 --from runs/pretrained
    """
    encoder, augment, data, loop = read_settings(flags, config, *SETTINGS)

    from edge_c2vl.archive import Archive
    from train.finetune import finetune as train
    from train.loop import Interrupted

    try:
        figures = train(Archive.open(archive), run, encoder, augment, data, loop, pretrained=pretrained, resume=resume)
    except Interrupted:
        click.echo("interrupted; the checkpoint is written: go on with --resume", err=True)
        raise SystemExit(130) from None
    if as_json:
        click.echo(json.dumps({"run": str(run)} | figures))
        return
    for name, value in figures.items():
        click.echo(f"{name:18} {value:.4g}")
