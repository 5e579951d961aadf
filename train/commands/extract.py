"""edge-c2vl extract"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edge_c2vl.commands.options import json_option, picture_options, pose_options


@click.command()
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO|FOLDER...", type=click.Path(path_type=Path))
@click.argument("archive", type=click.Path(path_type=Path))
@picture_options
@pose_options
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one a core, as far as memory goes]")
@click.option("--ray", metavar="ADDRESS", help="Use a Ray cluster instead: auto, HOST:PORT or ray://HOST:PORT.")
@click.option(
    "--retries", type=click.IntRange(0), default=1, show_default=True, help="Further tries of a video that fails."
)
@click.option("--skip-failed", is_flag=True, help="Write the archive without the videos that failed.")
@click.option(
    "--labels",
    metavar="NAME,...",
    help="Label frames by the CSV beside each video (start,end,label; seconds). The first NAME is what no row covers.",
)
@click.option("--test", metavar="FOLDER,...", help="Folders (one a driver) kept for testing: a column `split`.")
@click.option("--overwrite", is_flag=True, help="Replace an archive that exists.")
@json_option
def extract(
    videos: tuple[Path, ...],
    archive: Path,
    workers: int | None,
    ray: str | None,
    retries: int,
    skip_failed: bool,
    overwrite: bool,
    as_json: bool,
    pose: str,
    pose_model: str | None,
    labels: str | None,
    test: str | None,
    **picture: Any,
) -> None:
    """Write the skeleton ARCHIVE of videos, by the same camera and pose code that runs in the vehicle.

    A folder stands for all videos in it, at any depth; a folder of images for one video. Killed or interrupted, the
    same command goes on where it was: finished videos are kept beside the archive until all are done.

    \b
    Example:
      edge-c2vl extract drives/ drives.archive --workers 8
      edge-c2vl extract drives/ drives.archive --labels attentive,phone,drinking --test anna,ben
      edge-c2vl extract ids_1/ night.archive --camera-mode ir --ray auto
    """
    from edge_c2vl.camera import CameraOptions, parse_crop
    from train.extract import extract as run
    from train.extract import find_videos
    from train.own_labels import OwnLabels
    from train.video import Recipe
    from train.workers import default_workers, run_ray

    if test and not labels:
        raise click.UsageError("--test divides labelled videos: give --labels as well")
    crop, mode, rotation = picture.pop("crop"), picture.pop("camera_mode"), int(picture.pop("rotate"))
    options = CameraOptions(crop=parse_crop(crop) if crop else None, mode=mode, rotation=rotation, **picture)
    try:
        report = run(
            find_videos(videos),
            archive,
            Recipe(options, pose_model, pose),
            runner=(lambda queue, recipe: run_ray(queue, recipe, ray)) if ray else None,
            workers=workers or default_workers(),
            retries=retries,
            skip_failed=skip_failed,
            overwrite=overwrite,
            labels=OwnLabels(_names(labels), _names(test)) if labels else None,
        )
    except KeyboardInterrupt:
        click.echo("interrupted; finished videos are kept: run the same command to go on", err=True)
        raise SystemExit(130) from None
    for line in report.failed:
        click.echo(f"failed: {line}", err=True)
    if as_json:
        click.echo(json.dumps({"archive": str(archive)} | vars(report)))
        return
    share = f"{report.poses / report.frames:.1%}"
    kept = f", {report.kept} of them from an earlier run" if report.kept else ""
    failed = f"; {len(report.failed)} videos failed" if report.failed else ""
    click.echo(f"{archive}: {report.clips} videos{kept}, {report.frames} frames, a pose in {share}{failed}")


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
