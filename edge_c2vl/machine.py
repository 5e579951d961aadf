"""What machine this is: its processor's name, and on a Jetson which JetPack."""

from __future__ import annotations

import platform
import re
from pathlib import Path

# L4T (release, least minor version) -> JetPack, newest first. https://developer.nvidia.com/embedded/jetpack-archive
_JETPACKS = (((38, 0), "7"), ((36, 4), "6.1 or 6.2"), ((36, 0), "6.0"), ((35, 0), "5"))


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


def jetpack(release: Path = Path("/etc/nv_tegra_release")) -> str | None:
    """The JetPack of this Jetson, by the L4T release that its file names; None where this is no Jetson."""
    found = re.search(r"R(\d+).*?REVISION:\s*(\d+)", _text(release))
    if not found:
        return None
    version = (int(found[1]), int(found[2]))
    return next((name for least, name in _JETPACKS if version >= least), "4 or older")


def tensorrt_hint(release: Path = Path("/etc/nv_tegra_release")) -> str:
    """What to install for TensorRT's Python binding, on this JetPack or on a PC."""
    version = jetpack(release)
    if version is None:
        return "install it with: pip install tensorrt cuda-python (an NVIDIA GPU and its driver are needed)"
    if version.startswith(("4", "5")):
        return f"JetPack {version} is too old for this program's Python: flash JetPack 6 or newer"
    cuda = "'cuda-python>=13'" if version.startswith("7") else "'cuda-python<13'"
    return (
        f"on JetPack {version}: sudo apt install tensorrt python3-libnvinfer, "
        f"make the virtual environment with --system-site-packages, and pip install {cuda}"
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
