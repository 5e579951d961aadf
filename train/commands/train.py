"""edge-c2vl train ...: one subcommand a file, imported when it is asked for."""

from __future__ import annotations

import click

from edge_c2vl.commands.lazy import LazyGroup

# name -> "module:attribute"
COMMANDS = {
    "pretrain": "train.commands.pretrain:pretrain",
    "probe": "train.commands.probe:probe",
    "finetune": "train.commands.finetune:finetune",
    "compare": "train.commands.compare:compare",
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def train() -> None:
    """Train a skeleton encoder."""
