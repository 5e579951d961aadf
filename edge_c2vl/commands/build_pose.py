"""`edge-c2vl build-pose`, `edge-c2vl build-face`: MediaPipe's networks as files of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_c2vl.commands.options import json_option

if TYPE_CHECKING:
    from edge_c2vl.pose.build import Recipe

folder_argument = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace networks that are there.")


@click.command("build-pose")
@folder_argument
@overwrite_option
@json_option
def build_pose(folder: Path, overwrite: bool, as_json: bool) -> None:
    """Convert BlazePose's two networks from MediaPipe's wheel to ONNX, into FOLDER.

    What comes out is what this package carries; only who changes the conversion needs it. It takes the packages
    mediapipe 0.10.14 and onnx.

    \b
    edge-c2vl build-pose networks
    """
    from edge_c2vl.pose.build import BLAZEPOSE

    _build(BLAZEPOSE, folder, overwrite, as_json)


@click.command("build-face")
@folder_argument
@overwrite_option
@json_option
def build_face(folder: Path, overwrite: bool, as_json: bool) -> None:
    """Convert the face's network from MediaPipe's wheel to ONNX, into FOLDER.

    Like build-pose: what comes out is what this package carries.

    \b
    edge-c2vl build-face networks
    """
    from edge_c2vl.face.build import ATTENTION_MESH

    _build(ATTENTION_MESH, folder, overwrite, as_json)


def _build(recipe: Recipe, folder: Path, overwrite: bool, as_json: bool) -> None:
    from edge_c2vl.pose.build import build_networks

    manifest = build_networks(folder, overwrite, recipe)
    if as_json:
        click.echo(json.dumps(manifest))
        return
    for name, entry in manifest["files"].items():
        click.echo(f"{folder / name}: {entry['size'] / 1e6:.2f} MB, SHA-256 {entry['sha256'][:12]}")
