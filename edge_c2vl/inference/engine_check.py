"""Which of a bundle's TensorRT engines a device may load.

A plan is executable code: only one that the manifest vouches for, byte for byte, and that was made for this device by
this TensorRT from the bundle's present model, is handed to TensorRT. Everything else is refused with the command that
builds it anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from edge_c2vl.bundle.bundle import Bundle, Engine
from edge_c2vl.errors import BundleError

BEST_FIRST = ("int8", "fp16", "fp32")


@dataclass(frozen=True)
class Device:
    """A GPU and its software: `sm` is the compute capability, such as "8.7"."""

    gpu: str
    sm: str
    tensorrt: str
    cuda: str = ""


def rebuild(bundle: Bundle, precision: str) -> str:
    return f"build it on this device with edge-c2vl build-engine {bundle.path} --precision {precision}"


def listed_engines(bundle: Bundle, precision: str = "auto") -> list[Engine]:
    """The manifest's TensorRT engines of that precision; "auto": all, INT8 first. Raises BundleError on none."""
    wanted = BEST_FIRST if precision == "auto" else (precision,)
    engines = [e for name in wanted for e in bundle.manifest.engines if (e.backend, e.precision) == ("tensorrt", name)]
    if not engines:
        what = "TensorRT engine" if precision == "auto" else f"{precision} TensorRT engine"
        shown = precision if precision != "auto" else next(p for p in BEST_FIRST if p in bundle.precisions)
        raise BundleError(f"bundle {bundle.path} has no {what}: {rebuild(bundle, shown)}")
    return engines


def fitting_engine(bundle: Bundle, device: Device, precision: str = "auto") -> Engine:
    """The best engine that was built for this device. Raises BundleError: none is listed, or why it is refused."""
    reasons = []
    for engine in listed_engines(bundle, precision):
        why = refusal(bundle, engine, device)
        if not why:
            return engine
        reasons.append(f"{bundle.path / engine.path} {why}: {rebuild(bundle, engine.precision)}")
    raise BundleError(reasons[0])


def refusal(bundle: Bundle, engine: Engine, device: Device) -> str:
    """Why this engine cannot run on this device; empty where it can."""
    model = bundle.manifest.files.get(f"model.{engine.precision}.onnx")
    if model is None or model["sha256"] != engine.model_sha256:
        return f"is stale (it was built from another model.{engine.precision}.onnx than the bundle has)"
    built, here = _numbers(engine.tensorrt), _numbers(device.tensorrt)
    # Version-compatible plans run on the same major version, if it is not older (TensorRT's documentation).
    newer = engine.version_compatible and built[:1] == here[:1] and here >= built
    if built != here and not newer:
        return f"was built by TensorRT {engine.tensorrt}, this is {device.tensorrt}"
    if (engine.gpu, engine.sm) == (device.gpu, device.sm):
        return ""
    ampere = engine.hardware_compatible and min(_numbers(engine.sm), _numbers(device.sm)) >= (8, 0)
    if not ampere:
        return f"was built for {engine.gpu} (SM {engine.sm}), this is {device.gpu} (SM {device.sm})"
    return ""


def vouched_plan(bundle: Bundle, engine: Engine) -> bytes:
    """The plan's bytes. What is hashed is what is returned, so that nobody can change it in between.

    Raises BundleError where they are not the bytes that the manifest vouches for.
    """
    path = bundle.path / engine.path
    try:
        plan = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}): {rebuild(bundle, engine.precision)}") from None
    digest = hashlib.sha256(plan).hexdigest()
    if digest != engine.sha256 or digest != bundle.manifest.files[engine.path]["sha256"]:
        raise BundleError(f"{path} is not the plan that the manifest vouches for: {rebuild(bundle, engine.precision)}")
    return plan


def _numbers(version: str) -> tuple[int, ...]:
    """ "10.3.0.26" -> (10, 3, 0, 26)."""
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
