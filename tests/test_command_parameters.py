"""Every command takes what its options give."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click
import pytest

from cli import edge_c2vl
from edge_c2vl.errors import UsageError
from edge_c2vl.runtime.settings import PoseSettings
from edge_c2vl.settings.flags import options_like
from tests.support.commands import call


def commands(group: click.Group, name: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for short in group.list_commands(context):
        command = group.get_command(context, short)
        assert command is not None
        yield f"{name} {short}".strip(), command
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {short}".strip())


def test_a_command_takes_each_of_its_options_and_no_other() -> None:
    seen = 0
    for name, command in commands(edge_c2vl):
        if command.callback is None or isinstance(command, click.Group):
            continue
        taken = inspect.signature(command.callback).parameters.values()
        given = {parameter.name for parameter in command.params if parameter.expose_value} - {"help"}
        named = {parameter.name for parameter in taken if parameter.kind is not parameter.VAR_KEYWORD}
        anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken)
        needed = {parameter.name for parameter in taken if parameter.default is parameter.empty}
        missing = (needed & named) - given - {"ctx"}
        assert not missing, f"edge-c2vl {name} has no option for {missing}"
        assert anything or given <= named, f"edge-c2vl {name} does not take {given - named}"
        seen += 1
    assert seen > 30


def test_an_option_of_no_such_field_is_refused() -> None:
    with pytest.raises(ValueError, match="PoseSettings has no field pose_rate"):
        options_like(PoseSettings, "pose_rate")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("bench --batch 4", "--batch does nothing without --stage encoder"),
        ("bench --stage encoder --camera a.mp4", "--camera does nothing without --stage all or --stage pose"),
        ("bench --stage pose --reasons all", "--reasons does nothing without --stage all"),
        ("build-engine default --backend onnxruntime --dla 1", "--dla does nothing without --backend tensorrt"),
        ("build-engine default --backend onnxruntime --batch 1 2 4", "--batch does nothing without --backend tensorrt"),
        ("build-engine default --threads 2", "--threads does nothing without --backend onnxruntime"),
        ("build-engine default --no-pose --camera a.mp4", "--camera does nothing without --pose"),
    ],
)
def test_an_option_that_does_nothing_as_it_is_given_is_refused(given: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        call(*given.split())
