"""edge-c2vl simulate"""

from __future__ import annotations

import json
from pathlib import Path

import click

from edge_c2vl.settings.flags import Number
from train.commands.termination import end_cleanly_on_sigterm


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--drivers", default=15, show_default=True, type=click.IntRange(3, 999), help="3 or more.")
@click.option("--runs", default=1, show_default=True, type=click.IntRange(1, 9), help="Sessions of each driver.")
@click.option("--seconds", default=180.0, show_default=True, type=Number(max=36_000), help="Of a session.")
@click.option(
    "--cameras",
    default="inner_mirror,kinect_color",
    show_default=True,
    help="Whose videos are drawn: names separated by commas, all, or none (labels and skeletons only).",
)
@click.option("--width", default=640, show_default=True, type=click.IntRange(64, 4096), help="Of the videos, pixels.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Same seed, same data set.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes that draw.")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def simulate(
    out: Path,
    drivers: int,
    runs: int,
    seconds: float,
    cameras: str,
    width: int,
    seed: int,
    workers: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write a data set of simulated drivers to OUT, in Drive&Act's own files.

    For trying loaders and protocols from end to end, and for measuring speed. Accuracy on it says nothing about real
    drivers: never quote it. A second of video takes about as long to draw as it lasts; see docs/simulated.md.

    \b
    Example:
      edge-c2vl simulate simulated-drive-act --seconds 60 --cameras inner_mirror
      edge-c2vl simulate labels-only --cameras none --runs 2
      edge-c2vl prepare drive-act simulated-drive-act archives/simulated
    """
    from edge_c2vl.simulated.cameras import VIEWS
    from train.simulate.dataset import SimulateSettings
    from train.simulate.dataset import simulate as run

    end_cleanly_on_sigterm()
    named = {"all": tuple(VIEWS), "none": ()}
    chosen = named.get(cameras, tuple(dict.fromkeys(name.strip() for name in cameras.split(",") if name.strip())))
    report = run(out, SimulateSettings(drivers, runs, seconds, chosen, width, seed), workers, overwrite)
    if as_json:
        click.echo(json.dumps({"folder": str(out), **report.to_json()}))
        return
    click.echo(
        f"{out}: {report.runs} runs of {drivers} drivers, {report.chunks} labelled chunks, {report.videos} videos with "
        f"{report.frames} pictures"
    )
