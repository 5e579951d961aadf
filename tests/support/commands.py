"""Calls the command line."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from cli import edge_c2vl


def call(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(edge_c2vl, [str(argument) for argument in arguments], standalone_mode=False)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
