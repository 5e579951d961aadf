"""`edge-c2vl show`: one clip of an archive."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edge_c2vl.commands.options import json_option


@click.command()
@click.argument("archive", type=click.Path(path_type=Path))
@click.argument("clip")
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="PICTURE", help="Draw it as a film strip (.png, .pdf, .svg)."
)
@click.option("--frames", default=8, show_default=True, type=click.IntRange(1, 30), help="Skeletons in the strip.")
@json_option
def show(archive: Path, clip: str, output: Path | None, frames: int, as_json: bool) -> None:
    """Show CLIP (its name or number) of ARCHIVE: what the archive says of it, and its skeletons.

    3-D skeletons are shown from the front, as the driver would be seen by a camera on the dashboard.

    \b
    edge-c2vl show nw-ucla 0
    edge-c2vl show nw-ucla a01_s01_e00_v01 --output strip.pdf
    """
    from edge_c2vl import plots
    from edge_c2vl.skeletons.archive import Archive
    from train.knowledge.show import facts_of, find_clip, upright
    from train.knowledge.sketch import sketch

    opened = Archive.open(archive)
    row = find_clip(opened, clip)
    facts, poses = facts_of(opened, row), upright(opened, row)
    if output:
        title = ", ".join(filter(None, (facts["name"], facts["label"])))
        plots.save(plots.film_strip(poses, opened.timestamps(row), title, frames), output)
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo("\n".join([*(f"{name:<10} {value}" for name, value in facts.items()), "", sketch(poses)]))
    if output:
        click.echo(f"drawn: {output}")
