"""Settings from a YAML file, read at the start and again on SIGHUP."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from edge_c2vl.errors import UsageError
from edge_c2vl.policy import PolicySettings

# A settings file is a page of text; a larger one is something else.
MAX_BYTES = 1 << 20


def read_settings(path: str | Path) -> PolicySettings:
    """The alert policy's settings from a YAML file such as

        policy:
          warning_fast_s: 3.0
          cannot_see_s: 20

    What is not named keeps its default. Raises UsageError with the file, the name and what is wrong.
    """
    import yaml

    path = Path(path)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise UsageError(f"{path}: more than {MAX_BYTES} bytes are no settings file")
        values = yaml.safe_load(text)
    except OSError as error:
        raise UsageError(f"{path}: the settings cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"{path}: not YAML: {' '.join(str(error).split())[:200]}") from None
    return _policy(values, path)


def _policy(values: Any, path: Path) -> PolicySettings:
    if values is None:
        values = {}
    if not isinstance(values, dict) or not set(values) <= {"policy"}:
        raise UsageError(f"{path}: settings stand below `policy:`, and nothing else is known")
    policy = values.get("policy") or {}
    known = [entry.name for entry in fields(PolicySettings)]
    if not isinstance(policy, dict):
        raise UsageError(f"{path}: below `policy:` stand lines of name: number")
    unknown = [str(name) for name in policy if name not in known]
    if unknown:
        raise UsageError(f"{path}: no setting {unknown[0]!r}; there are {', '.join(known)}")
    try:
        return PolicySettings(**policy)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path}: {error}") from None
