"""edge-c2vl eval FILE... --live"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_c2vl.commands.options import backend_options, bundle_option, picture_options, pose_options
from edge_c2vl.runtime.settings import DecisionSettings, SpeedSettings
from edge_c2vl.settings.flags import Number, options_like
from train.commands.eval_options import report_options, tell


@click.command(name="FILE... --live")
@click.argument("videos", nargs=-1, required=True, metavar="FILE|FOLDER...", type=click.Path(path_type=Path))
@bundle_option
@backend_options
@picture_options
@pose_options
@options_like(DecisionSettings, "hop", "settings", "reasons")
@options_like(SpeedSettings, "speed_kmh")
@click.option("--iou", default=0.5, show_default=True, type=Number(0, 1), help="From which events match.")
@report_options
def live(videos: tuple[Path, ...], iou: float, report: Path | None, as_json: bool, **asked: Any) -> None:
    """Labelled recordings through the whole live pipeline: events found, delay to detection, false alerts an hour.

    Beside drive.mp4 stands drive.csv with the columns start,end,label: seconds of the video, and labels of the bundle
    (distracted: any that counts as distraction);
    what no row covers is attentive driving, and what is labelled - or ? is not judged. A further column `reasons` says
    for which reasons an alert is due, with a semicolon between them. A FOLDER stands for all videos
    in it, at any depth; a folder of images, frames/ with frames.csv beside it, for one video.

    \b
    Example:
      edge-c2vl eval drive1.mp4 drive2.mp4 --live --report report
      edge-c2vl eval drives/ --live --reasons all
      edge-c2vl eval night.mkv --live --bundle my-bundle --camera-mode ir --precision int8
    """
    from edge_c2vl.runtime.settings import RunSettings
    from train.evaluation.live import evaluate

    tell(evaluate(videos, RunSettings.of(**asked), iou), report, as_json)
