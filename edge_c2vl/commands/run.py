"""`edge-c2vl run`: watch a driver."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from edge_c2vl.commands.options import complete_camera, complete_folder
from edge_c2vl.runtime.settings import RunSettings
from edge_c2vl.settings.config_file import read_settings
from edge_c2vl.settings.flags import GroupedCommand, settings_options


class _Run(GroupedCommand):
    """Asks for a camera, unless a file may name it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        if not (ctx.params["config"] or ctx.params["print_config"] or ctx.resilient_parsing):
            _check_camera(ctx.params["camera"], ctx)
        return rest


@click.command(cls=_Run)
@settings_options(RunSettings, complete={"camera": complete_camera, "bundle": complete_folder})
@click.option("--print-config", is_flag=True, help="Print a file for --config that holds these options, and end.")
def run(config: Path | None, print_config: bool, **options: Any) -> None:
    """Watch a driver through a camera and say what the driver is doing.

    No picture leaves the machine or is kept, unless --output or --serve-video is given. Ctrl-C ends cleanly.

    A driver's own normal driving makes the classes more certain: learn it once, from two minutes of attentive driving,
    with --normal driver.npz --learn-normal 2, and give --normal driver.npz from then on.

    Options may stand in a file, from which the command line departs where it says something else. On SIGHUP the limits
    of the alert policy are read again from the file.

    \b
    edge-c2vl run --camera 0 --show                        a webcam, with a window
    edge-c2vl run --camera 0 --serve                       a webcam, with a page in the browser
    edge-c2vl run --camera csi://0 --camera-mode ir --events events.jsonl
    edge-c2vl run --camera drive.mp4 --decisions - --output seen.mp4
    edge-c2vl run --camera 0 --serve --print-config > car.yaml
    edge-c2vl run --config car.yaml
    """
    from edge_c2vl.runtime.signals import Stopped, handled

    def read() -> RunSettings:
        return read_settings(options, config, RunSettings)[0]

    if print_config:
        _print(read())
        return
    asked = read()
    _check_camera(asked.source.camera, click.get_current_context())
    try:
        # Before anything that takes long: a terminal that closes, or systemd, may ask to end at any moment.
        with handled(rereads=config is not None or asked.decision.settings is not None) as signals:
            from edge_c2vl.runtime.run import watch

            summary = watch(asked, signals=signals, read_again=read)
    except Stopped as stopped:
        click.echo(f"{stopped} before the run had begun", err=True)
        return
    if asked.console.json:
        click.echo(json.dumps(summary.to_json()))
    elif not asked.console.quiet:
        click.echo(summary.to_text(), err=True)


def _check_camera(camera: str | None, ctx: click.Context) -> None:
    """Says what there is to watch where the camera was left out, which is what a first run does."""
    if not camera:
        from edge_c2vl.cameras.device import WITHOUT_CAMERA, devices, stable_name

        found = " or ".join(f"--camera {stable_name(path)}" for path in devices())
        what = found or f"no camera is plugged in here, so {WITHOUT_CAMERA}"
        raise click.UsageError(f"say what to watch: {what}", ctx)


def _print(asked: RunSettings) -> None:
    from edge_c2vl.monitoring.policy_file import read_policy
    from edge_c2vl.settings.print_config import config_text

    if asked.decision.settings:
        # In the new file all stands together.
        policy = read_policy(asked.decision.settings)
        asked = replace(asked, decision=replace(asked.decision, settings=None), policy=policy)
    text, left_out = config_text(
        asked,
        "Settings of `edge-c2vl run --config FILE`: every option of the command line, by its name. A line that begins "
        "with # keeps the default. Options on the command line count instead of those here. Passwords of the broker, "
        "the web hook and the page belong into the environment (docs/settings.md).",
    )
    click.echo(text, nl=False)
    if left_out:
        names = ", ".join(left_out)
        click.echo(f"left out, because they may hold secrets: {names}; write them into the file by hand", err=True)
