"""`doctor --service`: what the installed service can reach of what this machine has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_c2vl.device import cpu_cores
from edge_c2vl.device.systemd_unit import DeviceNode, Unit, find_nodes, read_unit
from edge_c2vl.doctor.findings import Finding

UNIT = "edge-c2vl.service"
ROOT = Path("/")
# What cameras, CUDA and TensorRT open, on Orin (nvmap, nvhost, nvgpu) and on Thor and PCs (nvidia); below /dev.
NODES = {
    "cameras": ("video*", "media*"),
    "GPU": (
        "nvmap",
        "nvhost*",
        "nvgpu/*/*",
        "nvsciipc",
        "host1x-fence",
        "nvidia*",
        "nvidia-caps/*",
        "dri/renderD*",
    ),
}


def check_service(
    root: Path = ROOT, nodes: Callable[[tuple[str, ...], Path], list[DeviceNode]] = find_nodes
) -> list[Finding]:
    unit = read_unit(UNIT, root)
    if unit is None:
        return [Finding("service", "info", f"{UNIT} is not installed", "sudo deploy/install.sh")]
    if unit.uid < 0:
        return [Finding("service", "warn", f"its user {unit.user} does not exist", "sudo deploy/install.sh")]
    findings = []
    for what, patterns in NODES.items():
        findings.append(_reach(f"service: {what}", unit, nodes(patterns, root)))
    return [*findings, *_cores(unit, root), *_argus(unit, root)]


def _reach(name: str, unit: Unit, nodes: list[DeviceNode]) -> Finding:
    if not nodes:
        return Finding(name, "info", "this machine has none")
    missing = {node.path: (node, why) for node in nodes if (why := unit.why_not(node))}
    if not missing:
        return Finding(name, "ok", f"it may open all {len(nodes)} device nodes")
    value = f"it may not open {', '.join(f'{path} ({why})' for path, (_, why) in missing.items())}"
    not_named = [path for path, (_, why) in missing.items() if "DeviceAllow" in why]
    gids = sorted({node.gid for node, why in missing.values() if "group" in why})
    advice = []
    if not_named:
        rules = "".join(f" DeviceAllow={path} rw" for path in not_named)
        advice.append(f"sudo systemctl edit edge-c2vl, with [Service]{rules}")
    if gids:
        groups = ",".join(f"$(getent group {gid} | cut -d: -f1)" for gid in gids)
        advice.append(f"sudo usermod --append --groups {groups} {unit.user}")
    return Finding(name, "warn", value, "; ".join([*advice, "then sudo systemctl restart edge-c2vl"]))


def _cores(unit: Unit, root: Path) -> list[Finding]:
    """The unit hides cores that are off, so that ONNX Runtime does not count them."""
    if not cpu_cores.offline_cores(root / "sys/devices/system/cpu"):
        return []
    bound = " ".join(unit.settings.get("BindReadOnlyPaths", []))
    if "cpu/possible" in bound and "cpu/present" in bound:
        return [Finding("service: CPU cores", "ok", "it sees only those that are switched on")]
    return [Finding("service: CPU cores", "warn", "it sees cores that are off", "sudo deploy/install.sh")]


def _argus(unit: Unit, root: Path) -> list[Finding]:
    if not (root / "tmp/argus_socket").exists():
        return []
    private = (unit.settings.get("PrivateTmp") or ["false"])[-1] not in ("false", "no", "off", "0")
    if not private:
        return [Finding("service: CSI cameras", "ok", "it reaches nvargus-daemon")]
    value = "with a /tmp of its own it loses nvargus-daemon when that starts again"
    return [Finding("service: CSI cameras", "warn", value, "sudo deploy/install.sh")]
