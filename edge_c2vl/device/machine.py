"""What machine this is: its processor, and what to install for TensorRT on it.

Of a Jetson: its board, and the versions of L4T and JetPack.
"""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

# L4T's major version -> JetPack's, and the Python that JetPack's own packages (TensorRT) are built for.
JETPACK = {32: ("4", "3.6"), 35: ("5", "3.8"), 36: ("6", "3.10"), 38: ("7", "3.12"), 39: ("7", "3.12")}


def cpu_name() -> str:
    """The board's name where it has one (Jetson, Raspberry Pi), else the processor's; with the architecture."""
    board = _text(Path("/proc/device-tree/model")).rstrip("\0").strip()
    model = re.search(r"^model name\s*:\s*(.+)$", _text(Path("/proc/cpuinfo")), re.MULTILINE)
    name = board or (model[1].strip() if model else platform.processor()) or "CPU"
    return f"{name} ({platform.machine()})"


def overflows_int8() -> bool:
    """Whether this CPU adds pairs of INT8 products in 16 bits, which overflow: x86 without VNNI. ONNX Runtime has
    another way there; it takes twice as long, so it is not for other CPUs."""
    flags = re.search(r"^flags\s*:(.*)$", _text(Path("/proc/cpuinfo")), re.MULTILINE)
    return flags is not None and not {"avx512_vnni", "avx_vnni"} & set(flags[1].split())


def folder_name(device: str) -> str:
    """A device's name as the name of a folder: lower case, words joined by hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", device.lower()).strip("-.") or "device"


def tensorrt_hint(root: Path = Path("/")) -> str:
    """What to install for TensorRT's Python binding and CUDA's, on this JetPack or on a PC. root: where files lie."""
    jetson = find_jetson(root)
    if jetson is None:
        return "pip install tensorrt cuda-python (an NVIDIA GPU and its driver are needed)"
    if jetson.jetpack in ("4", "5"):
        return f"JetPack {jetson.jetpack} is too old for this program's Python: flash JetPack 6 or newer"
    cuda = "'cuda-python>=13'" if jetson.jetpack == "7" else "'cuda-python<13'"
    advice = tensorrt_advice(jetson, sys.version_info[:2])
    return f"on JetPack {jetson.jetpack or '(version unknown)'}: {advice}; then pip install {cuda}"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""


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
