"""`edge-c2vl completion`: the shell completes commands and options."""

from __future__ import annotations

import os
from pathlib import Path

import click

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.pass_context
def completion(ctx: click.Context, shell: str | None) -> None:
    """Print what makes your shell complete commands, options and their values with the Tab key.

    SHELL is the one you are in unless you name another.

    \b
    echo 'eval "$(edge-c2vl completion bash)"' >> ~/.bashrc
    echo 'eval "$(edge-c2vl completion zsh)"' >> ~/.zshrc
    edge-c2vl completion fish > ~/.config/fish/completions/edge-c2vl.fish
    """
    from click.shell_completion import get_completion_class

    name = shell or Path(os.environ.get("SHELL", "")).name
    found = get_completion_class(name) if name in SHELLS else None
    if found is None:
        raise click.UsageError(f"name your shell: {', '.join(SHELLS)}")
    root = ctx.find_root()
    click.echo(found(root.command, {}, "edge-c2vl", "_EDGE_C2VL_COMPLETE").source())
