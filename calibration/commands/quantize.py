"""edge-c2vl quantize BUNDLE --calibration ARCHIVE"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edge_c2vl.commands.options import json_option
from edge_c2vl.settings.flags import Number


@click.command()
@click.argument("bundle")
@click.option(
    "--calibration",
    "archive",
    type=click.Path(path_type=Path),
    required=True,
    metavar="ARCHIVE",
    help="Skeleton archive of the data that the model was trained on.",
)
@click.option("--samples", type=int, default=512, show_default=True, help="Clips to calibrate on.")
@click.option(
    "--method",
    type=click.Choice(["minmax", "entropy", "percentile", "mse"]),
    default="mse",
    show_default=True,
    help="How the range of each tensor is chosen.",
)
@click.option(
    "--max-drop",
    type=Number(0),
    default=0.5,
    show_default=True,
    metavar="POINTS",
    help="Points of balanced accuracy, of the classes or of distracted or not, that INT8 may lose; layers stay in "
    "floating point until it does not.",
)
@click.option(
    "--split",
    metavar="COLUMN",
    help="The archive's column of train, val and test, or subject:K/N.  [default: its only column]",
)
@click.option(
    "--windows",
    type=click.Choice(["auto", "whole", "sliding"]),
    default="auto",
    show_default=True,
    help="A clip is a whole recording or a sliding window; auto: sliding where every frame has a label.",
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads of the latency.")
@click.option("--seed", default=0, show_default=True, help="Seed of the choice of clips.")
@click.option("--compare-methods", "compare", is_flag=True, help="Evaluate all four methods beside each other.")
@click.option("--force", is_flag=True, help="Write the INT8 model even if it loses more than --max-drop.")
@click.option("--no-clips", is_flag=True, help="Keep no calibration clips (skeletons) in the bundle.")
@click.option("--fp16/--no-fp16", default=True, help="Put an FP16 model beside it, half as large as FP32.")
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the tables and the chart of each layer's sensitivity.  [default: NAME-int8 here]",
)
@json_option
def quantize(bundle: str, archive: Path, folder: Path | None, no_clips: bool, as_json: bool, **options: Any) -> None:
    """Put an INT8 model, and an FP16 one, into the BUNDLE, and report what they cost in accuracy and won in time.

    INT8 is calibrated on clips of the archive's training part, chosen evenly over classes and cameras. Layers that lose
    too much stay in floating point. If INT8 still loses more than --max-drop on the test part, nothing is written.

    \b
    edge-c2vl quantize my-bundle --calibration sktdd.archive
    edge-c2vl quantize my-bundle --calibration nw-ucla.archive --method entropy --samples 1024
    """
    from calibration.workflow import QuantizeOptions, quantize_bundle, write_report
    from edge_c2vl.bundle.bundle import Bundle
    from edge_c2vl.skeletons.archive import Archive

    opened = Bundle.open(bundle)
    say = (lambda _: None) if as_json else lambda line: click.echo(line, err=True)
    settings = QuantizeOptions(keep_clips=not no_clips, **options)
    outcome = quantize_bundle(opened, Archive.open(archive), settings, say)
    target = write_report(outcome, folder or Path(f"{opened.path.resolve().name}-int8"))
    if as_json:
        click.echo(json.dumps(outcome.figures | {"bundle": str(outcome.bundle.path), "report": str(target)}))
        return
    models = ["model.int8.onnx"] + (["model.fp16.onnx"] if settings.fp16 else [])
    click.echo((target / "report.md").read_text("utf-8"))
    click.echo(f"{outcome.bundle.path} has {' and '.join(models)}; tables and chart: {target}")
