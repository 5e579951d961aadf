"""`edge-c2vl run`: watch a driver."""

from __future__ import annotations

import json
from typing import Any

import click

from edge_c2vl.commands.options import (
    Number,
    backend_options,
    bundle_option,
    camera_options,
    complete_camera,
    json_option,
    pose_options,
    public_url_option,
)


class _Camera(click.Option):
    """Says what there is to watch where the camera was left out, which is what a first run does."""

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        try:
            return super().process_value(ctx, value)
        except click.MissingParameter:
            from edge_c2vl.cameras.device import WITHOUT_CAMERA, devices, stable_name

            found = " or ".join(f"--camera {stable_name(path)}" for path in devices())
            what = found or f"no camera is plugged in here, so {WITHOUT_CAMERA}"
            raise click.UsageError(f"say what to watch: {what}", ctx) from None


@click.command()
@click.option(
    "--camera",
    cls=_Camera,
    required=True,
    shell_complete=complete_camera,
    metavar="URI",
    help="0, /dev/video2, csi://0, rtsp://..., http://..., udp://..., tcp://..., a video file, a folder or glob of "
    "images, `sample` (a man talking in a moving car), or `simulated` (a drawn driver, such as simulated:story).",
)
@camera_options
@pose_options
@click.option(
    "--pose-fps",
    type=Number(5, 1000),
    metavar="RATE",
    help="Frames a second that the pose looks at; every one while hands move fast or an alert is near. Left out: 15 of "
    "a live camera, every frame of a recording.",
)
@bundle_option
@backend_options
@click.option(
    "--decide-by",
    type=click.Choice(["classifier", "words"]),
    default="classifier",
    show_default=True,
    help="What states and alerts follow: the trained classes, or the bundle's labels in words.",
)
@click.option("--hop", default=0.25, show_default=True, type=Number(0.02, 1), help="Seconds between decisions.")
@click.option(
    "--no-alerts",
    is_flag=True,
    help="Never alert; needed for a bundle none of whose labels counts as distraction.",
)
@click.option("--normal", metavar="FILE", help="This driver's normal driving, as it was learnt; see below.")
@click.option("--learn-normal", type=Number(0.5), metavar="MINUTES", help="Learn it first, into --normal FILE.")
@click.option("--forget-normal", is_flag=True, help="Remove what --normal FILE holds.")
@click.option("--speed-kmh", type=Number(0, 500), help="The vehicle's speed, where it is always the same.")
@click.option(
    "--speed",
    metavar="URI",
    help="Where the speed comes from: unix:PATH, mqtt://HOST/TOPIC, can:CHANNEL?dbc=FILE&signal=NAME. Unknown: fast.",
)
@click.option("--events", metavar="FILE|-", help="Append a JSON line for every change of state and every alert.")
@click.option("--decisions", metavar="FILE|-", help="Append a JSON line for every decision.")
@click.option("--rotate-mb", type=Number(0.01), help="Start a new JSON lines file at this size; keep five.")
@click.option("--output", metavar="FILE.mp4", help="Keep a video with skeleton and state drawn. Stores pictures.")
@click.option("--show", is_flag=True, help="Show a window with skeleton and state drawn; q ends.")
@click.option("--mqtt", metavar="URI", help="Alerts and states to a broker: mqtt[s]://[USER@]HOST[:PORT]/TOPIC.")
@click.option("--mqtt-queue", metavar="FILE", help="Keep what the broker could not take in this file over a restart.")
@click.option("--home-assistant", is_flag=True, help="Announce the driver monitor to Home Assistant over MQTT.")
@click.option("--metrics", metavar="[HOST:]PORT", help="Serve Prometheus metrics at /metrics.")
@click.option("--webhook", metavar="URL", help="POST every alert there as JSON.")
@click.option("--alert-clips", metavar="FOLDER", help="Keep the skeletons (never pictures) around each alert.")
@click.option(
    "--serve",
    is_flag=False,
    flag_value="",
    metavar="[HOST:PORT]",
    help="Serve the live page, at http://127.0.0.1:8480/ unless told otherwise. It shows skeletons, not pictures.",
)
@public_url_option
@click.option("--serve-video", is_flag=True, help="Show the camera's pictures on the live page as well.")
@click.option("--settings", metavar="FILE.yaml", help="Limits of the alert policy; read again on SIGHUP.")
@click.option("--reconnect", is_flag=True, help="Open a live camera again and again when it fails, instead of ending.")
@click.option("--duration", type=Number(0, min_open=True), metavar="SECONDS", help="End after this long.")
@click.option(
    "--strict", is_flag=True, help="End where an output cannot be opened, instead of going on without it (live)."
)
@click.option("--quiet", is_flag=True, help="No status line and no summary.")
@json_option
def run(**arguments: Any) -> None:
    """Watch a driver through a camera and say what the driver is doing.

    No picture leaves the machine or is kept, unless --output or --serve-video is given. Ctrl-C ends cleanly.

    A driver's own normal driving makes the classes more certain: learn it once, from two minutes of attentive driving,
    with --normal driver.npz --learn-normal 2, and give --normal driver.npz from then on.

    \b
    edge-c2vl run --camera 0 --show                        a webcam, with a window
    edge-c2vl run --camera 0 --serve                       a webcam, with a page in the browser
    edge-c2vl run --camera csi://0 --camera-mode ir --events events.jsonl
    edge-c2vl run --camera drive.mp4 --decisions - --output seen.mp4
    """
    from edge_c2vl.runtime.signals import Stopped, handled

    as_json, quiet = arguments.pop("as_json"), arguments.pop("quiet")
    try:
        # Before anything that takes long: a terminal that closes, or systemd, may ask to end at any moment.
        with handled(rereads=arguments["settings"] is not None) as signals:
            from edge_c2vl.runtime.run import Watch, watch

            summary = watch(Watch(**arguments, status=not quiet), signals=signals)
    except Stopped as stopped:
        click.echo(f"{stopped} before the run had begun", err=True)
        return
    if as_json:
        click.echo(json.dumps(summary.to_json()))
    elif not quiet:
        click.echo(summary.to_text(), err=True)
