"""CPU cores that are switched off, and ONNX Runtime's import, which some versions do not survive there.

A Jetson's lower power modes take cores offline. On aarch64, ONNX Runtime 1.20 to 1.25 then aborts the whole process
when it is imported (microsoft/onnxruntime #24092, #24221, #25103), and no Python code can catch that. So the cores are
looked at beforehand.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
from pathlib import Path
from typing import Any

from edge_c2vl.errors import EdgeC2VLError

# The first version that was seen to run with cores offline (1.28 and 1.32 run, 1.20 to 1.25 abort).
SURVIVES = (1, 28)
FOLDER = Path("/sys/devices/system/cpu")
DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu")


def parse_cores(text: str) -> set[int]:
    """The kernel's list of cores: "0-3,6" -> {0, 1, 2, 3, 6}. Raises ValueError for anything else."""
    cores: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        if not re.fullmatch(r"\d{1,4}(-\d{1,4})?", part):
            raise ValueError(f"{part!r} is no range of cores")
        first, _, last = part.partition("-")
        cores.update(range(int(first), int(last or first) + 1))
    return cores


def format_cores(cores: set[int]) -> str:
    """{0, 1, 2, 3, 6} -> "0-3,6"."""
    ranges: list[list[int]] = []
    for core in sorted(cores):
        if ranges and ranges[-1][1] == core - 1:
            ranges[-1][1] = core
        else:
            ranges.append([core, core])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ranges)


def offline_cores(folder: Path | None = None) -> set[int]:
    """Cores that are fitted and switched off. Empty where the kernel does not tell."""
    folder = FOLDER if folder is None else folder
    try:
        lists = [parse_cores((folder / name).read_text()) for name in ("possible", "present", "online")]
    except (OSError, ValueError):
        return set()
    # `possible` alone counts for nothing: it names what could be plugged into the board.
    return (lists[0] & lists[1]) - lists[2]


def load_onnxruntime() -> Any:
    """The module onnxruntime. Raises EdgeC2VLError where importing it would end this process."""
    why = refusal()
    if why:
        raise EdgeC2VLError(why)
    import onnxruntime

    return onnxruntime


def refusal(folder: Path | None = None, machine: str | None = None) -> str:
    """Why ONNX Runtime must not be imported here, and what to do; empty where it may be."""
    offline = offline_cores(folder)
    if not offline or (machine or platform.machine()) != "aarch64":
        return ""
    for distribution in DISTRIBUTIONS:
        try:
            version = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
        if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < SURVIVES:
            return (
                f"CPU cores {format_cores(offline)} are switched off, and {distribution} {version} would abort: "
                f"take a power mode with all cores (sudo nvpmodel -m N), install {distribution}>=1.28 (Python 3.11 or "
                "newer), or start it as the service of deploy/, which hides those cores"
            )
    return ""
