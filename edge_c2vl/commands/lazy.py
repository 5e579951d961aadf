"""Groups of commands that import one only when it is asked for or listed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """`lazy`: name -> "module:attribute"."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, str], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.lazy)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        return find(self.lazy[name]) if name in self.lazy else None


def find(where: str) -> click.Command:
    """The command at "module:attribute"."""
    module, attribute = where.split(":")
    command: click.Command = getattr(importlib.import_module(module), attribute)
    return command
