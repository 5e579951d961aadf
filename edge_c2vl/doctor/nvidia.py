"""NVIDIA's part of the machine: which Jetson or GPU, its power mode, CUDA, TensorRT, DLA."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from edge_c2vl.device.jetson import (
    dla_cores,
    fastest_mode,
    find_jetson,
    power_modes,
    present_mode,
    tensorrt_advice,
)
from edge_c2vl.doctor.findings import Finding, output_of, told
from edge_c2vl.errors import EdgeC2VLError

ROOT = Path("/")


def check_gpu(root: Path = ROOT) -> list[Finding]:
    jetson = find_jetson(root)
    if jetson is None:
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        gpus = output_of(query)
        if not gpus:
            return [Finding("GPU", "info", "none found; none is needed")]
        return [Finding("GPU", "ok", "; ".join(line.strip() for line in gpus.splitlines() if line.strip()))]
    jetpack = f"JetPack {jetson.jetpack}" if jetson.jetpack else "JetPack unknown"
    findings = [Finding("Jetson", "ok", f"{jetson.board}, {jetpack} (L4T {jetson.l4t or 'unknown'})")]
    if jetson.jetpack in ("4", "5"):
        findings.append(Finding("JetPack", "warn", f"{jetpack} has no Python 3.10", "flash JetPack 6 or newer"))
    return [*findings, *_power_mode(root)]


def _power_mode(root: Path) -> list[Finding]:
    modes = power_modes(root)
    now, fastest = present_mode(modes, root), fastest_mode(modes)
    if now is None or fastest is None:
        told = output_of(["nvpmodel", "-q"])  # a board whose nvpmodel.conf is of another form
        return [Finding("power mode", "info", told.splitlines()[0].split(":")[-1].strip())] if told else []
    every = frozenset().union(*(mode.cores for mode in modes))
    value = f"{now.name} (mode {now.number}), {len(now.cores)} of {len(every)} CPU cores"
    advice = ""
    if now != fastest:
        advice = f"for the highest speed: sudo nvpmodel -m {fastest.number} ({fastest.name})"
    return [Finding("power mode", "info", value, advice)]


def check_cuda(root: Path = ROOT) -> list[Finding]:
    """Opens the GPU as inference does."""
    from edge_c2vl.inference.cuda import Cuda

    try:
        with Cuda() as cuda:
            name, capability, version = cuda.device()
    except EdgeC2VLError as error:
        if find_jetson(root) is None:
            return [Finding("CUDA", "info", "not there; none is needed")]
        return [Finding("CUDA", "warn", str(error))]
    return [Finding("CUDA", "ok", f"{version}, {name} (SM {capability})")]


def check_tensorrt(root: Path = ROOT) -> list[Finding]:
    try:
        tensorrt = importlib.import_module("tensorrt")
        return [Finding("TensorRT", "ok", str(tensorrt.__version__))]
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "tensorrt"
        value = "not installed" if missing else told(error)
    jetson = find_jetson(root)
    if jetson is None:
        return [Finding("TensorRT", "info", value)]
    return [Finding("TensorRT", "warn", value, tensorrt_advice(jetson, sys.version_info[:2]))]


def check_dla(root: Path = ROOT) -> list[Finding]:
    """Deep learning accelerators, and whether this TensorRT can use them."""
    from edge_c2vl.inference.plan import NO_DLA

    cores = dla_cores(root)
    if find_jetson(root) is None or not cores:
        return []
    try:
        tensorrt = importlib.import_module("tensorrt")
        version = tuple(int(part) for part in tensorrt.__version__.split(".")[:3])
    except Exception:
        return [Finding("DLA", "info", f"{cores}; TensorRT is needed to use them")]
    if NO_DLA[0] <= version < NO_DLA[1]:
        return [Finding("DLA", "info", f"{cores}; TensorRT {tensorrt.__version__} cannot use them")]
    return [Finding("DLA", "ok", f"{cores}, for build-engine --dla N")]
