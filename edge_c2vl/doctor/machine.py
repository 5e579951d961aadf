"""The machine itself: CPU cores, memory, disk, temperature."""

from __future__ import annotations

import shutil
from pathlib import Path

from edge_c2vl.device import cpu_cores
from edge_c2vl.doctor.findings import Finding

MIN_FREE_MEMORY_MB = 500  # `run` takes up to 350 MB
MIN_FREE_DISK_MB = 500
HOT_CELSIUS = 85.0  # a Jetson Orin throttles from about 99


def check_cores(root: Path = Path("/"), machine: str | None = None) -> list[Finding]:
    """Cores that are switched off, and whether this ONNX Runtime survives that."""
    folder = root / "sys/devices/system/cpu"
    off = cpu_cores.offline_cores(folder)
    if not off:
        return []
    refused = cpu_cores.refusal(folder, machine)
    value = f"{cpu_cores.format_cores(off)} are switched off"
    if refused:
        return [Finding("CPU cores", "fail", value, refused)]
    return [Finding("CPU cores", "info", value, "the pose gets faster with all of them")]


def check_resources() -> list[Finding]:
    """Free memory and disk."""
    import psutil

    memory_mb = psutil.virtual_memory().available / 1e6
    disk_mb = shutil.disk_usage(Path.cwd()).free / 1e6
    memory_advice = "`run` takes up to 350 MB; close other programs" if memory_mb < MIN_FREE_MEMORY_MB else ""
    disk_advice = "events and --output need room: delete something" if disk_mb < MIN_FREE_DISK_MB else ""
    return [
        Finding("free memory", "warn" if memory_advice else "ok", f"{memory_mb / 1e3:.1f} GB", memory_advice),
        Finding("free disk here", "warn" if disk_advice else "ok", f"{disk_mb / 1e3:.1f} GB", disk_advice),
        Finding("processor", "info", f"{psutil.cpu_count(logical=True)} cores"),
    ]


def check_temperature(root: Path = Path("/")) -> list[Finding]:
    """The hottest thermal zone, where the kernel tells."""
    zones = []
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        try:
            zones.append((int((zone / "temp").read_text()) / 1000, (zone / "type").read_text().strip()))
        except (OSError, ValueError):
            continue  # a zone whose sensor is switched off
    if not zones:
        return [Finding("temperature", "info", "not readable here")]
    hottest, name = max(zones)
    hot = hottest >= HOT_CELSIUS
    advice = "the processor will slow down: see to cooling, or choose a lower power mode" if hot else ""
    return [Finding("temperature", "warn" if hot else "ok", f"{hottest:.0f} C ({name})", advice)]
