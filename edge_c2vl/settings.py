"""Settings from a YAML file, read at the start and again on SIGHUP."""

from __future__ import annotations

import os
import stat
from dataclasses import fields
from pathlib import Path
from typing import Any

from edge_c2vl.errors import UsageError
from edge_c2vl.policy import PolicySettings

# A settings file is a page of text; a larger one is something else.
MAX_BYTES = 1 << 16
MAX_DEPTH = 10


def read_settings(path: str | Path) -> PolicySettings:
    """The alert policy's settings from a YAML file such as

        policy:
          warning_fast_s: 3.0
          cannot_see_s: 20

    What is not named keeps its default; `policy:` alone keeps all. An empty file is an error: a full disk or a power
    cut leaves such. Raises UsageError with the file, the name and what is wrong.
    """
    import yaml

    path = Path(path)
    try:
        text = _read(path)
        _check(text, path)
        values = yaml.safe_load(text)
    except OSError as error:
        raise UsageError(f"{path}: the settings cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"{path}: not YAML: {' '.join(str(error).split())[:200]}") from None
    return _policy(values, path)


def _read(path: Path) -> bytes:
    # Not waiting: a pipe in its place would never answer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"{path}: the settings cannot be read: that is no file")
        text = file.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise UsageError(f"{path}: more than {MAX_BYTES} bytes are no settings file")
    return text


def _check(text: bytes, path: Path) -> None:
    """Raises UsageError where a little text would be a lot of work: nested aliases stand for billions of values, and
    PyYAML takes the square of the time for what is nested deeply."""
    import yaml

    depth = 0
    for token in yaml.scan(text, yaml.SafeLoader):
        if isinstance(token, (yaml.AliasToken, yaml.AnchorToken)):
            raise UsageError(f"{path}: aliases (& and *) are not for settings")
        begins = type(token).__name__.endswith("StartToken")
        depth += begins - type(token).__name__.endswith("EndToken")
        if begins and depth > MAX_DEPTH:
            raise UsageError(f"{path}: not YAML of settings: more than {MAX_DEPTH} levels")


def _policy(values: Any, path: Path) -> PolicySettings:
    if values is None:
        raise UsageError(f"{path}: it is empty; `policy:` alone keeps all defaults")
    if not isinstance(values, dict) or not set(values) <= {"policy"}:
        raise UsageError(f"{path}: settings stand below `policy:`, and nothing else is known")
    policy = {} if values.get("policy", {}) is None else values.get("policy", {})
    known = [entry.name for entry in fields(PolicySettings)]
    if not isinstance(policy, dict):
        raise UsageError(f"{path}: below `policy:` stand lines of name: number")
    unknown = [str(name) for name in policy if name not in known]
    if unknown:
        raise UsageError(f"{path}: no setting {unknown[0][:40]!r}; there are {', '.join(known)}")
    try:
        # As floating-point numbers: whole ones may have more digits than can be reckoned with.
        return PolicySettings(**{name: float(v) if type(v) is int else v for name, v in policy.items()})
    except OverflowError:
        raise UsageError(f"{path}: below `policy:` stands a number that is too large") from None
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path}: {' '.join(str(error).split())[:200]}") from None
