"""`edge-c2vl build-pose`: BlazePose's networks as files of ours."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edge_c2vl.commands.options import json_option


@click.command("build-pose")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--overwrite", is_flag=True, help="Replace networks that are there.")
@json_option
def build_pose(folder: Path, overwrite: bool, as_json: bool) -> None:
    """Convert BlazePose's two networks from MediaPipe's wheel to ONNX, into FOLDER.

    What comes out is what this package carries; only who changes the conversion needs it. It takes the packages
    mediapipe 0.10.14 and onnx.

    \b
    edge-c2vl build-pose networks
    """
    from edge_c2vl.pose.build import build_networks

    manifest = build_networks(folder, overwrite)
    if as_json:
        click.echo(json.dumps(manifest))
        return
    for name, entry in manifest["files"].items():
        click.echo(f"{folder / name}: {entry['size'] / 1e6:.2f} MB, SHA-256 {entry['sha256'][:12]}")
