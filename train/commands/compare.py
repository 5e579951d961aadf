"""edge-c2vl train compare RUN..."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edge_c2vl.commands.options import json_option

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("runs", type=_PATH, nargs=-1, required=True)
@click.option("--output", type=_PATH, help="Also draw their epochs into this picture (.png, .pdf, .svg).")
@json_option
def compare(runs: tuple[Path, ...], output: Path | None, as_json: bool) -> None:
    """Put RUNS side by side: the settings in which they differ, their last figures, and the verdicts.

    A folder with seed0, seed1, ... stands for as many runs. rank is RankMe, the embedding's effective rank; nearest and
    probe are judged on clips held out, untrained is the same encoder before training.

    \b
    Example:
      edge-c2vl train compare runs/c2vl runs/skeleton-clr --output compared.png
    """
    from train.evaluation.compare import compared, differences, drawn, open_runs

    opened = open_runs(runs)
    if as_json:
        told = {run.name: run.figures() for run in opened}
        click.echo(json.dumps({"runs": told, "differences": differences(opened)}, indent=1))
    else:
        click.echo("\n".join(compared(opened).lines()))
    if output:
        from edge_c2vl import plots

        plots.save(plots.curves(drawn(opened)), output)
