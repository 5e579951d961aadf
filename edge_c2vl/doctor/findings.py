"""What a check gives, and what several of them need."""

from __future__ import annotations

import importlib.metadata
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """state: "fail": run cannot work; "warn": something that a user may miss or trip over; "ok"; "info". value: what is
    there. advice: what to do, empty where nothing is."""

    name: str
    state: str
    value: str
    advice: str = ""


def told(error: Exception) -> str:
    """The error in one line. NumPy's explanation of a failed import is a page long, and ends with what had failed."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__


def version_of(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def output_of(command: list[str]) -> str:
    """What a program prints; empty where it is missing, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
