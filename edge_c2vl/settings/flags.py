"""Click options made from dataclasses of settings."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from edge_c2vl.errors import UsageError
from edge_c2vl.settings.fields import Option, flag, groups_of, own_options

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


class Number(click.FloatRange):
    """The type of every option that is a float: click's own take NaN, and infinity where a bound is missing."""

    def __init__(self, *bounds: Any, **more: Any) -> None:
        super().__init__(*bounds, **more)
        if self.min is None and self.max is None:
            self.name = "float"  # In help; click's name is that of a range.

    def _describe_range(self) -> str:
        """What help says of it; click writes x<=None where there is no bound."""
        return "" if self.min is None and self.max is None else super()._describe_range()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if number is not None and not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class GroupedOption(click.Option):
    """group: the heading under which help shows it."""

    def __init__(self, *arguments: Any, group: str = "", **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.group = group


class GroupedCommand(click.Command):
    """Help shows the options below the headings of their groups, those without one last."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in sorted(self.get_params(ctx), key=lambda one: not getattr(one, "group", "")):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(getattr(parameter, "group", "") or "Options", []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)


def title_of(group: type) -> str:
    """The heading of a dataclass of settings: the first line of its docstring, without the full stop."""
    return (inspect.getdoc(group) or "").partition("\n")[0].rstrip(".")


def settings_options(*classes: type, complete: Mapping[str, Complete] | None = None) -> Callable[[Any], Any]:
    """Decorator: an option for each field of the dataclasses and of those nested in them, and `--config`. What the
    command line does not name is None, so that a file may say it."""

    def decorate(command: Any) -> Any:
        for group in reversed(list(groups_of(*classes))):
            for option in reversed(own_options(group)):
                command = _decorator(option, title_of(group), None, (complete or {}).get(option.name))(command)
        return click.option(
            "--config", type=click.Path(dir_okay=False, path_type=Path), help="YAML file: the flags' names and values."
        )(command)

    return decorate


def options_like(group: type, *names: str, complete: Mapping[str, Complete] | None = None) -> Callable[[Any], Any]:
    """Decorator for a command without `--config`: options as the dataclass's own fields declare them, or those named
    alone. What the command line does not name is the field's default."""

    options = own_options(group)
    unknown = set(names) - {option.name for option in options}
    if unknown:
        raise ValueError(f"{group.__name__} has no field {', '.join(sorted(unknown))}")

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            if not names or option.name in names:
                found = (complete or {}).get(option.name)
                command = _decorator(option, "", option.default, found, callback=_read(option))(command)
        return command

    return decorate


def _read(option: Option) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Holds a value to what its field declares, where no dataclass is made that would."""

    def read(_ctx: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        try:
            return option.read(value)
        except ValueError as error:
            raise UsageError(f"{flag(option.name)} {error}") from None

    return read


def _decorator(
    option: Option, title: str, default: Any, complete: Complete | None, **more: Any
) -> Callable[[Any], Any]:
    metadata = option.metadata
    name = flag(option.name)
    if option.kind is bool:
        name = f"{name}/{flag(metadata['off'] or 'no_' + option.name)}"
    elif metadata["choices"]:
        more["type"] = click.Choice(metadata["choices"])
    elif option.kind is int:
        least, most = metadata["least"], metadata["most"]
        more["type"] = int if least is None and most is None else click.IntRange(least, most)
    elif option.kind is float:
        least, above = metadata["least"], metadata["above"]
        more["type"] = Number(above if least is None else least, metadata["most"], min_open=above is not None)
    if metadata["bare"] is not None:
        more |= {"is_flag": False, "flag_value": metadata["bare"]}
    return click.option(
        name,
        option.name,
        cls=GroupedOption,
        group=title,
        default=default,
        metavar=metadata["metavar"],
        help=option.help + _told(option),
        shell_complete=complete,
        **more,
    )


def _told(option: Option) -> str:
    """The default, where it says anything. 0 does."""
    silent = option.default is None or option.default is False or option.default == ""
    return "" if silent else f"  [default: {option.default}]"
