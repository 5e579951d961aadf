"""Dataclasses of settings whose every field is also a flag and a key of `--config file.yaml`.

A field made by `setting()` carries its help text and its choices. `settings_options` turns the dataclasses of a command
into click options; `read_settings` joins the file and the flags (a flag wins) and names what is wrong.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_c2vl.commands.options import Number
from edge_c2vl.errors import UsageError

S = TypeVar("S")


def setting(default: Any, help: str, choices: tuple[str, ...] = ()) -> Any:
    """A dataclass field with a help text and, for a string, the values it may have."""
    return dataclasses.field(default=default, metadata={"help": help, "choices": choices})


def check_choices(settings: Any) -> None:
    """Raises UsageError where a field has a value that is not among its choices."""
    for field in dataclasses.fields(settings):
        choices = field.metadata.get("choices")
        value = getattr(settings, field.name)
        if choices and value not in choices:
            raise UsageError(f"{flag(field.name)} is one of {', '.join(choices)}, not {value!r}")


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def settings_options(*classes: type) -> Callable[[Any], Any]:
    """Decorator: one click option for each field of the dataclasses, and `--config`. An option not given is None."""

    def decorate(command: Any) -> Any:
        for cls in reversed(classes):
            hints = typing.get_type_hints(cls)
            for field in reversed(dataclasses.fields(cls)):
                if not field.metadata:
                    continue
                kind, text = hints[field.name], field.metadata["help"]
                shown = f"{text}  [default: {field.default}]"
                if kind is bool:
                    name = flag(field.name)
                    option = click.option(f"{name}/--no-{name[2:]}", field.name, default=None, help=shown)
                else:
                    choices = field.metadata["choices"]
                    of_kind = Number() if kind is float else kind
                    option = click.option(
                        flag(field.name), field.name, type=click.Choice(choices) if choices else of_kind, help=shown
                    )
                command = option(command)
        return click.option(
            "--config", type=click.Path(dir_okay=False, path_type=Path), help="YAML file: the flags' names and values."
        )(command)

    return decorate


def read_settings(flags: dict[str, Any], config: Path | None, *classes: type[S], **defaults: Any) -> list[Any]:
    """One instance of each dataclass from the flags that were given, then the file, then `defaults`.

    Raises UsageError: the file cannot be read or is no mapping; a key that no dataclass has; a value of another type.
    """
    values = dict(defaults) | (_from_file(config, classes) if config else {})
    values |= {name: value for name, value in flags.items() if value is not None}
    made = []
    for cls in classes:
        names = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        made.append(cls(**{name: value for name, value in values.items() if name in names}))
    return made


def _from_file(path: Path, classes: tuple[type, ...]) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UsageError(f"--config {path} must hold `name: value` lines")
    kinds = {
        field.name: typing.get_type_hints(cls)[field.name]
        for cls in classes
        for field in dataclasses.fields(cls)
        if field.metadata
    }
    values = {}
    for key, value in content.items():
        name = str(key).replace("-", "_")
        if name not in kinds:
            raise UsageError(f"--config {path}: there is no setting {key!r}")
        kind = kinds[name]
        try:
            # YAML reads 1e-3 as text, and 1 where 1.0 is meant.
            right = float(value) if kind is float and not isinstance(value, bool) else value
        except (TypeError, ValueError, OverflowError):
            right = value
        if not isinstance(right, kind) or (kind is int and isinstance(right, bool)):
            raise UsageError(f"--config {path}: {key} must be {kind.__name__}, not {value!r}")
        if kind is float and not math.isfinite(right):
            raise UsageError(f"--config {path}: {key} must be a finite number, not {value!r}")
        values[name] = right
    return values
