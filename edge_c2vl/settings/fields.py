"""Fields of settings: type, default, help text and range are declared once, and everything else is made from that.

A field made by `setting()` is an option of the command line (flags.py) and a key of a YAML file (config_file.py), and
`check()` holds its value to what was declared, however the settings were made. Dataclasses may be nested: the options
of the inner ones have names of their own. A field with the metadata of `section()` is a mapping in the file, and has
no flags.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import os
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

from edge_c2vl.errors import UsageError
from edge_c2vl.utils.redact import redact

S = TypeVar("S")

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
# Of a wrong value no more than this is quoted.
_QUOTED = 40


def setting(
    default: Any,
    help: str,
    choices: tuple[str, ...] = (),
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    metavar: str | None = None,
    bare: str | None = None,
    off: str | None = None,
    parse: Callable[[str], Any] | None = None,
    needs: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that is an option.

    choices: the values that a string may have. least, most: bounds of a number, both allowed; above: a lower bound that
    is not. metavar: what help shows in place of the value. bare: the value of the flag alone, where a value may be left
    out. off: the name of the flag that switches a bool off, where it is not "no_" and the name. parse: raises
    UsageError where a text cannot be read. needs: other options, without all of which this one does nothing: by
    name, or "name=value" where it takes that value; see check_needs.
    """
    shown = {"metavar": metavar, "bare": bare, "off": off, "parse": parse, "needs": needs}
    limits = {"least": least, "most": most, "above": above}
    return dataclasses.field(default=default, metadata={"help": help, "choices": choices} | limits | shown)


def section(help: str) -> dict[str, str]:
    """The metadata of a dataclass field that holds settings of its own, which a file has as a mapping below its
    name."""
    return {"section": help}


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


@dataclasses.dataclass(frozen=True)
class Option:
    """One field that `setting()` has made. kind: bool, int, float or str; optional: None is a value as well."""

    name: str
    kind: type
    optional: bool
    default: Any
    metadata: Mapping[str, Any]

    @property
    def help(self) -> str:
        return str(self.metadata["help"])

    @property
    def range(self) -> str:
        """In words, such as "from 0.02 to 1"; empty where there is none."""
        least, most, above = (self.metadata[name] for name in ("least", "most", "above"))
        if least is not None and most is not None:
            return f"from {least:g} to {most:g}"
        limits = [] if above is None else [f"above {above:g}"]
        limits += [] if least is None else [f"of at least {least:g}"]
        limits += [] if most is None else [f"of at most {most:g}"]
        return " and ".join(limits)

    def read(self, value: Any) -> Any:
        """The value in the field's type. Raises ValueError that says what it has to be, and quotes no secret."""
        if value is None:
            if self.optional:
                return None
            raise ValueError(f"is {self._wanted()}, not empty")
        try:
            return self._read(value)
        except OverflowError:
            raise ValueError("is a number that is too large") from None

    def _read(self, value: Any) -> Any:
        right: Any = value
        if self.kind is str:
            # What is written without quotes in a file: a camera 0, a port.
            whole = isinstance(value, int) and not isinstance(value, bool)
            right = str(value) if whole else os.fspath(value) if isinstance(value, os.PathLike) else value
            if value is True and self.metadata["bare"] is not None:
                right = self.metadata["bare"]
        elif self.kind is int and isinstance(value, numbers.Integral) and not isinstance(value, bool):
            right = int(value)
        elif self.kind is float and not isinstance(value, bool):
            right = _float(value)
        if not isinstance(right, self.kind) or (self.kind is int and isinstance(right, bool)):
            raise ValueError(f"is {self._wanted()}, not {_shown(value)}")
        if self.metadata["choices"] and right not in self.metadata["choices"]:
            raise ValueError(f"is {self._wanted()}, not {_shown(value)}")
        if isinstance(right, (int, float)) and self.kind is not bool and not self._in_range(right):
            raise ValueError(f"is {self._wanted()}, not {_shown(value)}")
        if self.metadata["parse"] is not None and right:
            try:
                self.metadata["parse"](right)
            except UsageError as error:
                raise ValueError(f"cannot be used: {error}") from None
        return right

    def _in_range(self, value: float) -> bool:
        least, most, above = (self.metadata[name] for name in ("least", "most", "above"))
        return (
            math.isfinite(value)
            and (least is None or value >= least)
            and (most is None or value <= most)
            and (above is None or value > above)
        )

    def _wanted(self) -> str:
        if self.metadata["choices"]:
            return f"one of {', '.join(self.metadata['choices'])}"
        if self.kind is float and not self.range:
            return "a finite number"
        return f"{_KINDS[self.kind]} {self.range}".rstrip()


def options_of(*classes: type) -> list[Option]:
    """The options of the dataclasses and of those nested in them, but of no section."""
    return [option for group in groups_of(*classes) for option in own_options(group)]


def groups_of(*classes: type) -> Iterator[type]:
    """The dataclasses that have options of their own, from the outside inwards, without sections."""
    for cls in classes:
        if own_options(cls):
            yield cls
        for field, hint in fields_of(cls):
            if _nested(field, hint):
                yield from groups_of(hint)


def sections_of(*classes: type) -> dict[str, tuple[type, str]]:
    """Name -> (dataclass, help text) of the sections of the dataclasses and of those nested in them."""
    found: dict[str, tuple[type, str]] = {}
    for cls in classes:
        for field, hint in fields_of(cls):
            if "section" in field.metadata:
                found[field.name] = hint, field.metadata["section"]
            elif _nested(field, hint):
                found |= sections_of(hint)
    return found


def own_options(cls: Any) -> tuple[Option, ...]:
    """The options that are fields of the dataclass itself."""
    return _own_options(cls)


# Kept: annotations are texts, which take long to be read, and `check` asks whenever settings are made. Apart from what
# callers use: to mypy, the type of some dataclass is not hashable.
@cache
def _own_options(cls: Any) -> tuple[Option, ...]:
    found = []
    for field, hint in fields_of(cls):
        if "help" in field.metadata:
            optional = isinstance(hint, types.UnionType)
            kind = next(part for part in typing.get_args(hint) if part is not type(None)) if optional else hint
            found.append(Option(field.name, kind, optional, field.default, field.metadata))
    return tuple(found)


def fields_of(cls: Any) -> tuple[tuple[dataclasses.Field[Any], Any], ...]:
    """The fields of a dataclass, each with its type as it is annotated."""
    return _fields_of(cls)


@cache
def _fields_of(cls: Any) -> tuple[tuple[dataclasses.Field[Any], Any], ...]:
    hints = typing.get_type_hints(cls)
    return tuple((field, hints[field.name]) for field in dataclasses.fields(cls))


def check(settings: Any) -> None:
    """For `__post_init__`: holds every option of this dataclass to what was declared, in the type that was declared.
    Raises UsageError, which names the flag."""
    for option in own_options(type(settings)):
        try:
            object.__setattr__(settings, option.name, option.read(getattr(settings, option.name)))
        except ValueError as error:
            raise UsageError(f"{flag(option.name)} {error}") from None


def check_needs(*settings: Any, given: Mapping[str, Any] | None = None) -> None:
    """Raises UsageError where an option is given that does nothing without another one, and none of those is given.

    For `__post_init__` of the outermost dataclass. Or for a command, with `given`, which is what the command line names
    (None: it does not): where a file of settings is there for several commands, or a preset sets some for all, only
    that was asked for.
    """
    values = {name: value for one in settings for name, value in values_of(one).items()}
    options = {option.name: option for option in options_of(*map(type, settings))}
    asked = values if given is None else given
    for name, option in options.items():
        if _given(asked.get(name), option) and unmet(option, values, options):
            others = " or ".join(flag(need).replace("=", " ") for need in option.metadata["needs"])
            shown = flag(option.metadata["off"] or f"no_{name}") if asked[name] is False else flag(name)
            raise UsageError(f"{shown} does nothing without {others}: add it, or leave {shown} out")


def unmet(
    option: Option, values: Mapping[str, Any], options: Mapping[str, Option], without: Collection[str] = ()
) -> bool:
    """Whether the option needs another one, and none of those is given but such that `without` names. options: all
    that `values` are of. An option that needs one of another command's is met."""

    def met(need: str) -> bool:
        name, _, wanted = need.partition("=")
        if name not in options:
            return True
        return name not in without and (values[name] == wanted if wanted else _given(values[name], options[name]))

    needs = option.metadata["needs"]
    return bool(needs) and not any(met(need) for need in needs)


def values_of(settings: Any) -> dict[str, Any]:
    """The values of the options and sections by name, wherever they lie in the nesting."""
    values: dict[str, Any] = {}
    for field, hint in fields_of(type(settings)):
        value = getattr(settings, field.name)
        values |= values_of(value) if _nested(field, hint) else {field.name: value}
    return values


def build(cls: type[S], values: Mapping[str, Any]) -> S:
    """The dataclass with these values by name, wherever in the nesting a name belongs; what is not named keeps its
    default. Names that belong nowhere are left out."""
    made: dict[str, Any] = {}
    for field, hint in fields_of(cls):
        if _nested(field, hint):
            made[field.name] = build(hint, values)
        elif field.name in values:
            made[field.name] = values[field.name]
    return cls(**made)


def _given(value: Any, option: Option) -> bool:
    """Whether an option says anything: an empty text does (`--serve` alone)."""
    return value is not None and value != option.default


def _nested(field: dataclasses.Field[Any], hint: Any) -> bool:
    """Whether a field holds a dataclass whose options count among those of the outer one."""
    return dataclasses.is_dataclass(hint) and "section" not in field.metadata


def _float(value: Any) -> Any:
    """A number as a float; also a text that is one, since YAML reads 1e-3 as text. Anything else as it is."""
    try:
        return float(value) if isinstance(value, (numbers.Real, str)) else value
    except ValueError:
        return value


def _shown(value: Any) -> str:
    if isinstance(value, (str, bool, int, float)):
        # Python writes no whole number of more than 4300 digits.
        text = repr(redact(value)) if isinstance(value, str) else str(value)
        return text if len(text) <= _QUOTED else text[:_QUOTED] + "..."
    names: dict[Any, str] = {list: "a list", dict: "a mapping"}
    return names.get(type(value), f"a {type(value).__name__}")
