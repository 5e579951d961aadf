"""The processor that this runs on."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from edge_c2vl.device.files import read_text


def cpu_name() -> str:
    """The board's name where it has one (Jetson, Raspberry Pi), else the processor's; with the architecture."""
    board = read_text(Path("/proc/device-tree/model")).rstrip("\0").strip()
    model = re.search(r"^model name\s*:\s*(.+)$", read_text(Path("/proc/cpuinfo")), re.MULTILINE)
    name = board or (model[1].strip() if model else platform.processor()) or "CPU"
    return f"{name} ({platform.machine()})"


def overflows_int8() -> bool:
    """Whether this CPU adds pairs of INT8 products in 16 bits, which overflow: x86 without VNNI. ONNX Runtime has
    another way there; it takes twice as long, so it is not for other CPUs."""
    flags = re.search(r"^flags\s*:(.*)$", read_text(Path("/proc/cpuinfo")), re.MULTILINE)
    return flags is not None and not {"avx512_vnni", "avx_vnni"} & set(flags[1].split())


def folder_name(device: str) -> str:
    """A device's name as the name of a folder: lower case, words joined by hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", device.lower()).strip("-.") or "device"
