"""Jetsons as trees of files: what /etc, /proc, /sys and /dev of real boards say, as far as the program reads it.

Written after NVIDIA's documentation and the sources of its kernel modules (the GPU's nodes on Orin are registered under
the device tree's name, such as 17000000.gpu), not read off boards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from edge_c2vl.device.systemd_unit import DeviceNode

UNIT = Path(__file__).resolve().parents[2] / "deploy" / "edge-c2vl.service"
VIDEO, RENDER = 44, 104
CHARACTER = 0o020000


@dataclass(frozen=True)
class Board:
    """modes: (number, name, CPU cores that are on). nodes: path -> (name of its major, its group)."""

    model: str
    release: str
    cores: int
    modes: tuple[tuple[int, str, int], ...]
    nodes: dict[str, tuple[str, int]]
    dla: tuple[str, ...] = ()  # what the status of each says


ORIN_NODES = {
    "/dev/video0": ("video4linux", VIDEO),
    "/dev/media0": ("media", VIDEO),
    "/dev/nvmap": ("misc", VIDEO),
    "/dev/nvsciipc": ("misc", VIDEO),
    "/dev/host1x-fence": ("misc", VIDEO),
    "/dev/nvhost-ctrl-gpu": ("17000000.gpu", VIDEO),
    "/dev/nvhost-ctrl": ("nvhost", VIDEO),
    "/dev/nvgpu/igpu0/as": ("17000000.gpu", RENDER),
    "/dev/nvgpu/igpu0/ctrl": ("17000000.gpu", RENDER),
    "/dev/dri/renderD128": ("drm", RENDER),
}
THOR_NODES = {
    "/dev/nvidia0": ("nvidia", VIDEO),
    "/dev/nvidiactl": ("nvidiactl", VIDEO),
    "/dev/nvidia-uvm": ("nvidia-uvm", VIDEO),
    "/dev/nvmap": ("misc", VIDEO),
    "/dev/dri/renderD128": ("drm", RENDER),
}
R36 = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64"
R38 = "# R38 (release), REVISION: 2.0, GCID: 41844464, BOARD: generic, EABI: aarch64"
BOARDS = {
    "orin-nano": Board(
        "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        R36,
        6,
        ((0, "15W", 6), (1, "25W", 6), (2, "MAXN_SUPER", 6), (3, "7W", 4)),
        ORIN_NODES,
    ),
    "orin-nx": Board(
        "NVIDIA Jetson Orin NX 16GB",
        R36,
        8,
        ((0, "MAXN", 8), (1, "10W", 4), (2, "15W", 4), (3, "25W", 8)),
        ORIN_NODES,
        ("okay", "okay"),
    ),
    "agx-orin": Board(
        "NVIDIA Jetson AGX Orin Developer Kit",
        R36,
        12,
        ((0, "MAXN", 12), (1, "15W", 4), (2, "30W", 8), (3, "50W", 12)),
        ORIN_NODES,
        ("okay", "disabled"),
    ),
    "thor": Board("NVIDIA Jetson AGX Thor Developer Kit", R38, 14, ((0, "MAXN", 14), (1, "120W", 12)), THOR_NODES),
}


def make_jetson(root: Path, board: Board, mode: int, argus: bool = True) -> Path:
    """The board's files below `root`, in the power mode of that number."""
    chosen = next(entry for entry in board.modes if entry[0] == mode)
    blocks = "".join(
        f"\n< POWER_MODEL ID={number} NAME={name} >\n"
        + "".join(f"CPU_ONLINE CORE_{core} {int(core < cores)}\n" for core in range(board.cores))
        + "CPU_A78_0 MIN_FREQ 729600\n"
        for number, name, cores in board.modes
    )
    files = {
        "etc/nv_tegra_release": board.release,
        "etc/nvpmodel.conf": f"# comment\n{blocks}\n< PM_CONFIG DEFAULT={board.modes[0][0]} >\n",
        "var/lib/nvpmodel/status": f"pmode:{mode:04d} fmode:fanNull\n",
        "proc/device-tree/model": board.model + "\0",
        "sys/devices/system/cpu/possible": f"0-{board.cores - 1}\n",
        "sys/devices/system/cpu/present": f"0-{board.cores - 1}\n",
        "sys/devices/system/cpu/online": f"0-{chosen[2] - 1}\n",
        "etc/passwd": "root:x:0:0::/root:/bin/sh\nedge-c2vl:x:990:990::/var/lib/edge-c2vl:/usr/sbin/nologin\n",
        "etc/group": f"root:x:0:\nvideo:x:{VIDEO}:edge-c2vl\nrender:x:{RENDER}:edge-c2vl\nedge-c2vl:x:990:\n",
    }
    for number, status in enumerate(board.dla):
        files[f"proc/device-tree/bus@0/host1x@13e00000/nvdla{number}@1588000{number}/status"] = status + "\0"
    if argus:
        files["tmp/argus_socket"] = ""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def nodes_of(board: Board, patterns: Iterable[str]) -> list[DeviceNode]:
    """As `find_nodes` gives them: without being root nobody can make real ones."""
    return [
        DeviceNode(path, kind, CHARACTER | 0o660, 0, group)
        for path, (kind, group) in board.nodes.items()
        if any(fnmatchcase(path, f"/dev/{pattern}") for pattern in patterns)
    ]


def install_unit(root: Path, text: str | None = None) -> None:
    """Installs the unit of deploy/, or one of that text, below `root`."""
    folder = root / "usr/local/lib/systemd/system"
    folder.mkdir(parents=True)
    (folder / UNIT.name).write_text(UNIT.read_text() if text is None else text)
