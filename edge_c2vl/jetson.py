"""What a Jetson says about itself: board, L4T and JetPack version."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# L4T's major version -> JetPack's, and the Python that JetPack's own packages (TensorRT) are built for.
JETPACK = {32: ("4", "3.6"), 35: ("5", "3.8"), 36: ("6", "3.10"), 38: ("7", "3.12"), 39: ("7", "3.12")}


@dataclass(frozen=True)
class Jetson:
    """board: the device tree's name. l4t: "36.4.0", empty where unknown. jetpack, python: empty where unknown."""

    board: str
    l4t: str
    jetpack: str
    python: str


def find_jetson(root: Path = Path("/")) -> Jetson | None:
    """The Jetson that this is, or None. `root`: where its files lie."""
    release = _read(root / "etc/nv_tegra_release")
    board = _read(root / "proc/device-tree/model").strip("\0 \n")
    if not release and not re.search(r"jetson|tegra", board, re.IGNORECASE):
        return None
    found = re.search(r"R(\d+).*?REVISION: *([\d.]+)", release)
    l4t = f"{found[1]}.{found[2]}" if found else ""
    jetpack, python = JETPACK.get(int(found[1]), ("", "")) if found else ("", "")
    return Jetson(board or "Jetson", l4t, jetpack, python)


def tensorrt_advice(jetson: Jetson, python: tuple[int, int]) -> str:
    """How TensorRT gets into this environment on a Jetson: it comes with JetPack, for JetPack's own Python only."""
    here = f"{python[0]}.{python[1]}"
    if jetson.python and here != jetson.python:
        return (
            f"JetPack {jetson.jetpack} brings TensorRT for Python {jetson.python}, this is {here}: make the "
            f"environment anew with python{jetson.python} -m venv --system-site-packages"
        )
    return "sudo apt-get install tensorrt python3-libnvinfer, and make the environment with --system-site-packages"


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
