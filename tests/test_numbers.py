"""Every option of every command that is a float refuses what is no finite number."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from cli import edge_c2vl
from edge_c2vl.commands.lazy import find
from edge_c2vl.errors import UsageError
from edge_c2vl.settings.config_file import read_settings
from train.commands.eval import LIVE
from train.settings.training import AugmentSettings


def options(command: click.Command, name: str) -> list[tuple[str, click.Parameter]]:
    """(command and flag, parameter) of a command and all below it."""
    found = [(f"{name} {parameter.opts[0]}", parameter) for parameter in command.params]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            deeper = command.get_command(context, below)
            assert deeper is not None
            found += options(deeper, f"{name} {below}")
    return found


ALL = options(edge_c2vl, "edge-c2vl") + options(find(LIVE), "edge-c2vl eval --live")
FLOATS = {name: parameter for name, parameter in ALL if isinstance(parameter.type, click.types.FloatParamType)}


def test_the_floats_of_run_and_of_training_are_among_them() -> None:
    for name in (
        "run --hop",
        "run --speed-kmh",
        "run --duration",
        "train pretrain --learning-rate",
        "eval --live --hop",
    ):
        assert f"edge-c2vl {name}" in FLOATS


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "NaN", "Infinity"])
def test_what_is_no_finite_number_is_refused_everywhere(text: str) -> None:
    taken = []
    for name, parameter in FLOATS.items():
        try:
            parameter.type.convert(text, parameter, None)
            taken.append(name)
        except click.BadParameter:
            pass
    assert taken == []


@pytest.mark.parametrize(
    "arguments",
    [("--hop", "nan"), ("--hop", "inf"), ("--hop", "1.01"), ("--speed-kmh", "nan"), ("--duration", "inf")],
)
def test_run_says_so_in_one_line_and_does_not_start(arguments: tuple[str, str]) -> None:
    result = CliRunner().invoke(edge_c2vl, ["run", "--camera", "sample", *arguments])
    assert result.exit_code == 2
    assert f"Invalid value for '{arguments[0]}'" in result.output


@pytest.mark.parametrize("value", [".nan", ".inf", "1e999"])
def test_a_file_of_training_settings_refuses_them_too(tmp_path, value: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"shear: {value}\n")
    with pytest.raises(UsageError, match="shear is a number from 0 to 10"):
        read_settings({}, path, AugmentSettings)
