"""Options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])


class Number(click.FloatRange):
    """The type of every option that is a float: click's own take NaN, and infinity where a bound is missing."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if number is not None and not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def crop_option(function: F) -> F:
    return click.option(
        "--crop",
        metavar="X,Y,W,H",
        help="The driver's seat in the picture: pixels, or shares of the picture such as 0.5,0,0.5,1.",
    )(function)


picture_options = _all(
    click.option("--width", type=click.IntRange(1), help="Width to ask the camera for."),
    click.option("--height", type=click.IntRange(1), help="Height to ask the camera for."),
    click.option("--fps", type=Number(1, 1000), help="Frames a second to ask the camera for."),
    click.option("--rotate", type=click.Choice(["0", "90", "180", "270"]), default="0", help="Clockwise degrees."),
    click.option("--mirror", is_flag=True, help="Flip left and right."),
    crop_option,
    click.option(
        "--camera-mode",
        type=click.Choice(["auto", "rgb", "ir"]),
        default="auto",
        show_default=True,
        help="ir brightens dark infrared pictures before the pose; auto decides by the picture.",
    ),
)

camera_options = _all(
    picture_options,
    click.option("--realtime", is_flag=True, help="Play a file at its own speed instead of as fast as it goes."),
)

pose_options = _all(
    click.option(
        "--pose",
        default="auto",
        show_default=True,
        metavar="NAME",
        help="Who runs BlazePose: blazepose (this program, on ONNX Runtime; blazepose:PROVIDER,... of tensorrt, cuda, "
        "cpu), mediapipe (MediaPipe's own code, an extra), or auto: blazepose, with --pose-model mediapipe.",
    ),
    click.option(
        "--pose-model",
        metavar="FILE.task",
        type=click.Path(exists=True, dir_okay=False),
        help="A MediaPipe pose landmarker of your own, instead of BlazePose full; needs the extra mediapipe.",
    ),
)


def complete_camera(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What the shell offers for --camera: the devices that are there, what needs none, and files."""
    from edge_c2vl.sources.device import devices, stable_name

    cameras = devices()
    known = [str(name) for name in dict.fromkeys((*map(stable_name, cameras), *cameras))]
    known += ["sample", "simulated"]
    found = [CompletionItem(name) for name in known if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def _complete_folder(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="dir")]


bundle_option = click.option(
    "--bundle",
    default="default",
    show_default=True,
    metavar="FOLDER",
    help="The model bundle to run.",
    shell_complete=_complete_folder,
)

backend_options = _all(
    click.option(
        "--backend",
        default="auto",
        show_default=True,
        metavar="NAME",
        help="Inference engine: tensorrt, onnxruntime, onnxruntime:PROVIDER,... (of tensorrt, cuda, cpu, tried in that "
        "order), or auto: the best that opens.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["auto", "fp32", "fp16", "int8"]),
        default="auto",
        show_default=True,
        help="Which of the bundle's models to run.",
    ),
    click.option(
        "--threads",
        type=click.IntRange(0),
        default=1,
        show_default=True,
        help="CPU threads of each network; 0: all cores.",
    ),
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")

public_url_option = click.option(
    "--public-url",
    metavar="URL",
    help="Where a reverse proxy serves the page to others, such as https://fleet.example/car-17: that host and path "
    "are allowed as well.",
)
