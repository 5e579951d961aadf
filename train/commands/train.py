"""edge-c2vl train ...: one subcommand a file, imported when it is asked for."""

from __future__ import annotations

import importlib

import click

# name -> "module:attribute"
COMMANDS = {
    "pretrain": "train.commands.pretrain:pretrain",
    "probe": "train.commands.probe:probe",
    "finetune": "train.commands.finetune:finetune",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=_Lazy)
def train() -> None:
    """Train a skeleton encoder."""
