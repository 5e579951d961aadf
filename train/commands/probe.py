"""edge-c2vl train probe ARCHIVE MODEL..."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edge_c2vl.settings.config_file import read_settings
from edge_c2vl.settings.fields import check_needs
from edge_c2vl.settings.flags import settings_options
from train.commands.device_option import device_option
from train.settings.probe import ProbeSettings

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("archive", type=_PATH)
@click.argument("models", nargs=-1, required=True, type=_PATH)
@device_option
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@settings_options(ProbeSettings)
def probe(
    archive: Path, models: tuple[Path, ...], device: str, as_json: bool, config: Path | None, **flags: Any
) -> None:
    """Judge frozen encoders: linear probe, nearest neighbours, few labels, one class.

    MODELS are models or run folders; one that holds seed0, seed1, ... is judged seed by seed, and mean and spread
    (sample standard deviation) are printed. Several MODELS are streams (joint, bone, motion) whose scores are fused
    with weights 0.6, 0.6 and 0.4. The encoder stays as it is, in eval mode; nothing is chosen on test clips. An archive
    other than the one a model was pretrained on makes it a transfer.

    \b
    Example:
      edge-c2vl train probe nw-ucla.archive runs/c2vl --split xview
      edge-c2vl train probe nw-ucla.archive runs/joint runs/bone runs/motion --split xview
      edge-c2vl train probe nw-ucla.archive runs/c2vl --split xview --shots 5 --draws 10
      edge-c2vl train probe sktdd.archive runs/sktdd --split split0 --protocol one-class --seconds 3
    """
    from edge_c2vl.skeletons.archive import Archive
    from edge_c2vl.skeletons.windows import natural_window_s
    from train.evaluation.probe import probe as judge

    read_settings(flags, config, ProbeSettings)  # a wrong one is told before anything slow
    opened = Archive.open(archive)
    (settings,) = read_settings(flags, config, ProbeSettings, seconds=natural_window_s(opened))
    check_needs(settings, given=flags)
    result = judge(opened, models, settings, device)
    if as_json:
        click.echo(json.dumps(result))
        return
    for run in result["runs"]:
        chosen = [f"{name} {value:g}" for name, value in run.items() if name.startswith("C_")]
        figures = [f"{name} {_shown(value)}" for name, value in run.items() if not name.startswith("C_")]
        click.echo("  ".join(figures) + (f"  (chosen: {', '.join(chosen)})" if chosen else ""))
    if len(result["runs"]) > 1:
        for name, mean in result["mean"].items():
            click.echo(f"{name:10} {_shown(mean)} +- {_shown(result['spread'][name])} ({len(result['runs'])} runs)")


def _shown(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
