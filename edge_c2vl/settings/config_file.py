"""YAML files of settings: read with care, and every key held to what its field declares."""

from __future__ import annotations

import os
import stat
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from edge_c2vl.errors import UsageError
from edge_c2vl.settings.fields import Option, build, flag, options_of, own_options, sections_of
from edge_c2vl.utils.redact import redact

S = TypeVar("S")
# A settings file is a page of text; a larger one is something else.
MAX_BYTES = 1 << 16
MAX_DEPTH = 10


def read_settings(given: Mapping[str, Any], config: Path | None, *classes: type[S], **defaults: Any) -> list[Any]:
    """One instance of each dataclass from what was given by name (None: it was not), then the file, then `defaults`.

    Raises UsageError: the file cannot be read or is no mapping; a key that no dataclass has; a wrong value.
    """
    values = dict(defaults) | (read_config(config, *classes) if config else {})
    values |= {name: value for name, value in given.items() if value is not None}
    return [build(cls, values) for cls in classes]


def read_config(path: str | Path, *classes: type) -> dict[str, Any]:
    """The values in a file, by the names of the dataclasses' options and sections. A key without a value is left out.

    Raises UsageError with the file, the key and what is wrong; no value that may be a secret is quoted.
    """
    path = Path(path)
    options, sections = {option.name: option for option in options_of(*classes)}, sections_of(*classes)
    values: dict[str, Any] = {}
    for key, value in load_mapping(path).items():
        name = str(key).replace("-", "_")
        if name in values:
            raise UsageError(f"{path}: {key} stands there twice")
        if name in sections:
            values[name] = read_section(path, name, value, sections[name][0])
        elif name in options:
            _put(values, name, value, options[name], f"{path}: {key}")
        else:
            raise UsageError(_unknown(path, key, [flag(option)[2:] for option in options] + list(sections)))
    return values


def read_section(path: Path, name: str, content: Any, cls: type[S]) -> S:
    """The settings of a section, from what stands below its name."""
    if content is not None and not isinstance(content, dict):
        raise UsageError(f"{path}: below `{name}:` stand lines of `name: value`")
    options, values = {option.name: option for option in own_options(cls)}, dict[str, Any]()
    for key, value in (content or {}).items():
        if str(key) not in options:
            raise UsageError(_unknown(path, key, list(options)))
        _put(values, str(key), value, options[str(key)], f"{path}: {key}")
    try:
        return cls(**values)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def load_mapping(path: Path) -> dict[Any, Any]:
    """What a YAML file holds, where that is a mapping. Raises UsageError, which quotes nothing of the file.

    An empty file is an error: a full disk or a power cut leaves such.
    """
    import yaml

    try:
        text = _bytes_of(path)
        _check_work(text, path)
        # Safe: the loader is a subclass of yaml.SafeLoader, which makes plain values and no other objects.
        values = yaml.load(text, _safe_loader())
    except OSError as error:
        raise UsageError(f"{path}: the settings cannot be read: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        # What the error says beside this quotes the line, which may hold a password.
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise UsageError(f"{path}: not YAML: {where}{' '.join(str(error.problem).split())[:100]}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"{path}: not YAML: {' '.join(str(error).split())[:200]}") from None
    if values is None:
        raise UsageError(f"{path}: it is empty; `policy:` alone keeps all defaults")
    if not isinstance(values, dict):
        raise UsageError(f"{path}: settings are lines of `name: value`")
    return values


def _put(values: dict[str, Any], name: str, value: Any, option: Option, where: str) -> None:
    if value is None:
        return
    try:
        values[name] = option.read(value)
    except ValueError as error:
        raise UsageError(f"{where} {error}") from None


def _unknown(path: Path, key: Any, known: list[str]) -> str:
    shown = redact(str(key))
    return f"{path}: no setting {shown[:40]!r}; there are {', '.join(known)}"


def _bytes_of(path: Path) -> bytes:
    # Not waiting: a pipe in its place would never answer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"{path}: the settings cannot be read: that is no file")
        text = file.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise UsageError(f"{path}: more than {MAX_BYTES} bytes are no settings file")
    return text


def _check_work(text: bytes, path: Path) -> None:
    """Raises UsageError where a little text would be a lot of work: nested aliases stand for billions of values, and
    PyYAML takes the square of the time for what is nested deeply. Also where a tag (`!!int`) chooses how a value is
    read: PyYAML's errors for a wrong one quote the value, or are of any type."""
    import yaml

    depth = 0
    for token in yaml.scan(text, yaml.SafeLoader):
        if isinstance(token, (yaml.AliasToken, yaml.AnchorToken)):
            raise UsageError(f"{path}: aliases (& and *) are not for settings")
        if isinstance(token, yaml.TagToken):
            raise UsageError(f"{path}: not YAML of settings: it holds a tag (!)")
        begins = type(token).__name__.endswith("StartToken")
        depth += begins - type(token).__name__.endswith("EndToken")
        if begins and depth > MAX_DEPTH:
            raise UsageError(f"{path}: not YAML of settings: more than {MAX_DEPTH} levels")


def _safe_loader() -> type:
    """A subclass of PyYAML's safe loader. That one takes the last of two equal keys; this one refuses them."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key_node, _ in node.value:
                key = self.construct_object(key_node, deep=True)
                if isinstance(key, Hashable) and key in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, "a name stands there twice", key_node.start_mark
                    )
                seen |= {key} if isinstance(key, Hashable) else set()
            return super().construct_mapping(node, deep)

    return Loader
