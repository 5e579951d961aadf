"""edge-c2vl eval drive-act"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from train.commands.eval_options import data_options, model_options, open_archive, report_options, tell
from train.settings.protocols import DATA_SETS

if TYPE_CHECKING:
    from train.evaluation.models import Model

_CAMERAS = (
    "inner_mirror", "a_column_driver", "a_column_co_driver", "steering_wheel", "ceiling",
    "kinect_color", "kinect_ir", "kinect_depth",
)  # fmt: skip


def drive_act_options(function: Any) -> Any:
    """What `train finetune --dataset drive-act` has as well: --level, --camera, --input."""
    for option in (
        click.option(
            "--input",
            type=click.Choice(["skeleton", "pose"]),
            default="skeleton",
            show_default=True,
            help="Drive&Act: skeleton, openpose_3d's; pose: MediaPipe on the camera's videos, done once and kept.",
        ),
        click.option(
            "--camera",
            type=click.Choice(_CAMERAS),
            default="inner_mirror",
            show_default=True,
            help="Drive&Act: the camera whose videos and labels are read; openpose_3d belongs to inner_mirror.",
        ),
        click.option(
            "--level",
            type=click.Choice(["midlevel", "tasklevel", "objectlevel"]),
            default="midlevel",
            show_default=True,
            help="Drive&Act: 34 activities, 12 tasks, or action, object and location.",
        ),
    ):
        function = option(function)
    return function


@click.command(name="drive-act")
@data_options
@drive_act_options
@click.option("--split", type=click.Choice([*DATA_SETS["drive-act"].splits, "all"]), default="all", show_default=True)
@click.option(
    "--part",
    type=click.Choice(["test", "val"]),
    default="test",
    show_default=True,
    help="Choose on val, never on test.",
)
@model_options
@report_options
def drive_act(
    root: Path | None,
    archive: Path | None,
    workers: int | None,
    level: str,
    camera: str,
    input: str,
    split: str,
    part: str,
    checkpoint: str | None,
    bundle: str | None,
    report: Path | None,
    as_json: bool,
    **how: Any,
) -> None:
    """Drive&Act's protocol: balanced accuracy and top-1 of each split, their mean, and pooled.

    {split} in --checkpoint or --bundle stands for 0, 1 and 2: each split needs a model that has not seen its drivers.

    \b
    Example:
      edge-c2vl train finetune drive_and_act runs/da-0 --dataset drive-act --split split_0
      edge-c2vl eval drive-act --root drive_and_act --split 0 --checkpoint runs/da-0 --report report
      edge-c2vl eval drive-act --root drive_and_act --bundle bundles/da-{split} --precision int8
    """
    from edge_c2vl.errors import UsageError
    from train.evaluation.drive_act import evaluate, splits_of
    from train.evaluation.models import open_model

    if (checkpoint is None) == (bundle is None):
        raise UsageError("name one model: --checkpoint RUN (PyTorch) or --bundle FOLDER (what runs in the vehicle)")
    splits = splits_of(split, checkpoint or bundle or "")

    def open_split(number: str) -> Model:
        return open_model(
            checkpoint and checkpoint.replace("{split}", number), bundle and bundle.replace("{split}", number), **how
        )

    data = open_archive("drive-act", root, archive, workers, level=level, camera=camera, input=input)
    source = data.meta["source"]
    if archive is not None and level not in source:
        raise UsageError(f"{archive} holds {source}: say so with --level")
    about = {"camera": camera, "input": input} if root is not None else {}
    tell(evaluate(data, open_split, splits, part=part, level=level, about=about), report, as_json)
