"""edge-c2vl merge"""

from __future__ import annotations

from pathlib import Path

import click

from train.commands.termination import end_cleanly_on_sigterm


@click.command()
@click.argument("archive", type=click.Path(path_type=Path))
@click.argument("archives", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="LABEL=LABELS",
    help="A label that stands for several others, separated by commas; !LABEL: all but that. Repeatable.",
)
@click.option("--overwrite", is_flag=True, help="Replace an archive that exists.")
def merge(archive: Path, archives: tuple[Path, ...], groups: tuple[str, ...], overwrite: bool) -> None:
    """Write one skeleton ARCHIVE of several, to train an encoder on all of them.

    Labels of the same name become one. Where a data set tells less than another, say so by --group: sktDD's
    "distracted" stands for any activity but attentive driving, and trains their sum.

    \b
    Example:
      edge-c2vl merge both.archive sktdd.archive simulated.archive --group 'distracted=!attentive'
    """
    from edge_c2vl.errors import UsageError
    from edge_c2vl.skeletons.archive import Archive
    from train.datasets.merge import merge as run

    parsed: dict[str, list[str]] = {}
    for group in groups:
        name, _, of = group.partition("=")
        members = [label.strip() for label in of.split(",") if label.strip()]
        if not name.strip() or not members:
            raise UsageError(f"--group {group}: expected LABEL=LABEL,... or LABEL=!LABEL")
        parsed[name.strip()] = members
    end_cleanly_on_sigterm()
    count = run(archive, [Archive.open(path) for path in archives], parsed, overwrite)
    click.echo(f"{archive}: {count} recordings of {len(archives)} archives")
