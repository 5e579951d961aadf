"""The alert policy's settings from a file of their own (`--settings`)."""

from __future__ import annotations

from pathlib import Path

from edge_c2vl.errors import UsageError
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.settings.config_file import load_mapping, read_section


def read_policy(path: str | Path) -> PolicySettings:
    """The alert policy's settings from a YAML file such as

        policy:
          warning_fast_s: 3.0
          cannot_see_s: 20

    What is not named keeps its default; `policy:` alone keeps all. Raises UsageError with the file, the name and what
    is wrong.
    """
    path = Path(path)
    values = load_mapping(path)
    if set(values) != {"policy"}:
        raise UsageError(f"{path}: settings stand below `policy:`; a file with options beside it is for --config")
    return read_section(path, "policy", values["policy"], PolicySettings)
