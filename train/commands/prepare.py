"""edge-c2vl prepare"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from train.commands.eval_drive_act import drive_act_options
from train.commands.termination import end_cleanly_on_sigterm
from train.datasets import DATASETS


@click.command()
@click.argument("dataset", type=click.Choice(sorted(DATASETS)))
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("archive", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Stop at the first broken file, instead of skipping and listing it.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes that read files.  [default: one a core]")
@click.option("--missing", type=click.Path(path_type=Path), help="NTU, PKU-MMD: a file of sample names to leave out.")
@drive_act_options
@click.option("--views", is_flag=True, help="sktDD: also what the drivers look like from other places, to train on.")
@click.option("--overwrite", is_flag=True, help="Replace an archive that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def prepare(
    dataset: str,
    source: Path,
    archive: Path,
    strict: bool,
    workers: int | None,
    missing: Path | None,
    level: str,
    camera: str,
    input: str,
    views: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write the skeleton ARCHIVE from a data set's own files in SOURCE.

    SOURCE is the folder that the data set unpacks to, or its .zip or .tar.xz; for pyskl and ctr-gcn the .pkl or .npz.
    What each data set's files look like stands in docs/data.md.

    \b
    Example:
      edge-c2vl prepare sktdd original_sktDD.tar.xz archives/sktdd
      edge-c2vl prepare ntu60 nturgb+d_skeletons archives/ntu60 --workers 8
    """
    import os

    from train.datasets.prepare import prepare as run
    from train.datasets.source import Options

    end_cleanly_on_sigterm()
    workers = workers or os.cpu_count() or 1
    report = run(
        dataset,
        source,
        archive,
        options=Options(missing, level, camera, input, workers, views=views),
        strict=strict,
        workers=workers,
        overwrite=overwrite,
    )
    for line in report.skipped:
        click.echo(f"skipped: {line}", err=True)
    for line in report.nobody:
        click.echo(f"left out: {line}", err=True)
    if report.unknown:
        names = ", ".join(report.unknown[:10]) + (", ..." if len(report.unknown) > 10 else "")
        click.echo(f"{missing} names {len(report.unknown)} samples that are not in {source}: {names}", err=True)
    if as_json:
        click.echo(json.dumps({"archive": str(archive)} | asdict(report)))
        return
    outcome = f"{len(report.skipped)} files or label rows skipped"
    outcome += f", {report.left_out} listed samples left out" if report.left_out else ""
    outcome += f", {len(report.nobody)} clips that show nobody left out" if report.nobody else ""
    click.echo(f"{archive}: {report.clips} clips, {report.frames} frames; {outcome}")
