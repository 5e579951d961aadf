"""What the subcommands of `edge-c2vl eval` share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edge_c2vl.commands.options import backend_options, json_option
from train.commands.device_option import device_option

if TYPE_CHECKING:
    from train.evaluation.report import Report

F = TypeVar("F", bound=Callable[..., Any])


def data_options(function: F) -> F:
    """--root, --archive, --workers."""
    for option in (
        click.option("--workers", type=click.IntRange(1), help="Processes that read files.  [default: one a core]"),
        click.option(
            "--archive", type=click.Path(path_type=Path), help="An archive of it that edge-c2vl prepare has written."
        ),
        click.option("--root", type=click.Path(path_type=Path), help="The folder of the data set's own files."),
    ):
        function = option(function)
    return function


def model_options(function: F) -> F:
    """--checkpoint or --bundle, and how they run."""
    function = backend_options(function)
    for option in (
        device_option,
        click.option("--bundle", metavar="FOLDER", help="What runs in the vehicle, INT8 and engines included."),
        click.option("--checkpoint", metavar="RUN", help="A trained model: its run's folder, or model.safetensors."),
    ):
        function = option(function)
    return function


def report_options(function: F) -> F:
    """--report, --json."""
    option = click.option(
        "--report",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="Write an HTML page, JSON, PNG and CSV there.",
    )
    return json_option(option(function))


def half_option(default: str) -> Callable[[F], F]:
    """--half."""
    return click.option(
        "--half",
        type=click.Choice(["all", "odd", "even"]),
        default=default,
        show_default=True,
        help="The 1st, 3rd, 5th ... subject by name, or the others, for some to stay unseen while something is chosen.",
    )


def open_archive(dataset: str, root: Path | None, archive: Path | None, workers: int | None, **options: Any) -> Any:
    """The archive that --archive names, or that of the files in --root. Raises UsageError unless one is given."""
    import os

    from edge_c2vl.errors import UsageError
    from edge_c2vl.skeletons.archive import Archive

    if (root is None) == (archive is None):
        raise UsageError("name the data: --root DIR (its own files) or --archive ARCHIVE (prepared)")
    if archive is not None:
        return Archive.open(archive)
    assert root is not None
    from train.datasets.opened import open_dataset
    from train.datasets.source import Options

    return open_dataset(dataset, root, Options(workers=workers or os.cpu_count() or 1, **options))


def training_settings(config: Path | None, epochs: int | None) -> list[Any]:
    """AugmentSettings, DataSettings and LoopSettings of the protocols that train. Raises UsageError."""
    from edge_c2vl.settings.config_file import read_settings
    from train.settings.training import AugmentSettings, DataSettings, LoopSettings

    return read_settings({"epochs": epochs}, config, AugmentSettings, DataSettings, LoopSettings)


def tell(report: Report, folder: Path | None, as_json: bool) -> None:
    """Writes the report where a folder is named, and prints its figures."""
    if folder is not None:
        from train.evaluation.report import write_report

        write_report(folder, report)
    if as_json:
        click.echo(json.dumps(report.values, ensure_ascii=False, allow_nan=False))
        return
    click.echo(report.title)
    for table in report.tables:
        if ": each class" in table.title:  # long; they stand in the report
            continue
        click.echo(f"\n{table.title}")
        for line in table.lines():
            click.echo(f"  {line}")
    if folder is not None:
        click.echo(f"\n{folder / 'report.html'}")
