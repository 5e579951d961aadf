"""A Jetson: its board, the versions of L4T and JetPack, its power modes and accelerators, read from files.

`root` is everywhere the folder that the machine's files lie in.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from edge_c2vl.device.files import read_text

# L4T's major version -> JetPack's, and the Python that JetPack's own packages (TensorRT) are built for.
JETPACK = {32: ("4", "3.6"), 35: ("5", "3.8"), 36: ("6", "3.10"), 38: ("7", "3.12"), 39: ("7", "3.12")}
ROOT = Path("/")


@dataclass(frozen=True)
class Jetson:
    """board: the device tree's name. l4t: "36.4.0", empty where unknown. jetpack, python: empty where unknown."""

    board: str
    l4t: str
    jetpack: str
    python: str


@dataclass(frozen=True)
class PowerMode:
    """A mode of nvpmodel: `cores` are the CPU cores that it keeps on."""

    number: int
    name: str
    cores: frozenset[int]


def find_jetson(root: Path = ROOT) -> Jetson | None:
    """The Jetson that this is, or None."""
    release = read_text(root / "etc/nv_tegra_release")
    board = read_text(root / "proc/device-tree/model").strip("\0 \n")
    if not release and not re.search(r"jetson|tegra", board, re.IGNORECASE):
        return None
    found = re.search(r"R(\d+).*?REVISION: *([\d.]+)", release)
    l4t = f"{found[1]}.{found[2]}" if found else ""
    jetpack, python = JETPACK.get(int(found[1]), ("", "")) if found else ("", "")
    return Jetson(board or "Jetson", l4t, jetpack, python)


def power_modes(root: Path = ROOT) -> list[PowerMode]:
    """The modes of this board, by number. They differ from board to board: 0 is 15 W on an Orin Nano Super."""
    text = read_text(root / "etc/nvpmodel.conf")
    _, *parts = re.split(r"^<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>", text, flags=re.MULTILINE)
    modes = []
    for number, name, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        on = re.findall(r"^CPU_ONLINE\s+CORE_(\d+)\s+1\b", body, re.MULTILINE)
        modes.append(PowerMode(int(number), name, frozenset(map(int, on))))
    return sorted(modes, key=lambda mode: mode.number)


def present_mode(modes: list[PowerMode], root: Path = ROOT) -> PowerMode | None:
    """The mode that nvpmodel set last; None where it cannot be told."""
    status = re.search(r"pmode:(\d+)", read_text(root / "var/lib/nvpmodel/status"))
    default = re.search(r"PM_CONFIG\s+DEFAULT=(\d+)", read_text(root / "etc/nvpmodel.conf"))
    chosen = status or default
    return next((mode for mode in modes if chosen and mode.number == int(chosen[1])), None)


def fastest_mode(modes: list[PowerMode]) -> PowerMode | None:
    """The mode without a cap (MAXN), else the one with the most cores, else the one with the most watts."""

    def rank(mode: PowerMode) -> tuple[bool, int, int]:
        watts = re.search(r"(\d+)W", mode.name)
        return mode.name.startswith("MAXN"), len(mode.cores), int(watts[1]) if watts else 0

    return max(modes, key=rank, default=None)


def dla_cores(root: Path = ROOT) -> int:
    """Deep learning accelerators that the device tree switches on."""
    tree = root / "proc/device-tree"
    nodes = [*tree.glob("host1x@*/nvdla*@*"), *tree.glob("*/host1x@*/nvdla*@*")]
    return sum(read_text(node / "status").strip("\0 \n") in ("", "okay", "ok") for node in nodes)


def tensorrt_hint(root: Path = ROOT) -> str:
    """What to install for TensorRT's Python binding, on this JetPack or on a PC."""
    jetson = find_jetson(root)
    if jetson is None:
        return "pip install tensorrt (an NVIDIA GPU and its driver are needed)"
    if jetson.jetpack in ("4", "5"):
        return f"JetPack {jetson.jetpack} is too old for this program's Python: flash JetPack 6 or newer"
    return f"on JetPack {jetson.jetpack or '(version unknown)'}: {tensorrt_advice(jetson, sys.version_info[:2])}"


def tensorrt_advice(jetson: Jetson, python: tuple[int, int]) -> str:
    """How TensorRT gets into this environment on a Jetson: it comes with JetPack, for JetPack's own Python only."""
    here = f"{python[0]}.{python[1]}"
    if jetson.python and here != jetson.python:
        return (
            f"JetPack {jetson.jetpack} brings TensorRT for Python {jetson.python}, this is {here}: make the "
            f"environment anew with python{jetson.python} -m venv --system-site-packages"
        )
    return "sudo apt-get install tensorrt python3-libnvinfer, and make the environment with --system-site-packages"
