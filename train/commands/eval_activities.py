"""edge-c2vl eval activities"""

from __future__ import annotations

from pathlib import Path

import click

from edge_c2vl.settings.flags import Number
from train.commands.eval_options import half_option, model_options, report_options, tell


@click.command()
@click.argument("archive", type=click.Path(path_type=Path))
@model_options
@half_option("all")
@click.option("--hop-s", default=0.5, show_default=True, type=Number(0.01, 3600), help="Seconds between windows.")
@click.option(
    "--offset",
    "offsets",
    multiple=True,
    metavar="LABEL=NUMBER",
    help="Add to this label's logit before distraction is judged, as export --offset does. Repeatable.",
)
@click.option("--mirrored", is_flag=True, help="Judge the skeletons' mirror images, as of right-hand drive.")
@report_options
def activities(
    archive: Path,
    checkpoint: str | None,
    bundle: str | None,
    device: str,
    backend: str,
    precision: str,
    threads: int,
    half: str,
    hop_s: float,
    offsets: tuple[str, ...],
    mirrored: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    """What a model says of a labelled ARCHIVE that it was not trained on: activities, distraction, what is judged.

    The archive's labels are compared with the model's by their names; "attentive" is what is no distraction. Attentive
    windows called distracted are false alarms, told for each driver as well. The same figures follow with each driver's
    own usual level taken off, learnt on the first half of the driver's attentive windows.

    \b
    Example:
      edge-c2vl prepare statefarm tables statefarm.archive
      edge-c2vl eval activities statefarm.archive --bundle default --half odd
      edge-c2vl eval activities statefarm.archive --bundle default --half odd --mirrored
    """
    from edge_c2vl.skeletons.archive import Archive
    from train.evaluation.activities import evaluate
    from train.evaluation.models import open_model
    from train.model.export import parse_offsets

    opened = Archive.open(archive)
    with open_model(checkpoint, bundle, backend=backend, precision=precision, threads=threads, device=device) as model:
        made = evaluate(opened, model, half, hop_s, parse_offsets(offsets, model.labels), mirrored)
    tell(made, report, as_json)
