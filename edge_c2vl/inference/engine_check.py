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


def rebuild(bundle: Bundle, precision: str, model: str = "encoder") -> str:
    wanted = f" --precision {precision}" if model == "encoder" else ""  # the pose networks have one precision
    return f"build it on this device with edge-c2vl build-engine {bundle.path}{wanted}"


def listed_engines(bundle: Bundle, precision: str = "auto", model: str = "encoder") -> list[Engine]:
    """The manifest's TensorRT engines of that model and precision; "auto": all, INT8 first. Raises BundleError on
    none."""
    wanted = BEST_FIRST if precision == "auto" else (precision,)
    named = [engine for engine in bundle.manifest.engines if (engine.backend, engine.model) == ("tensorrt", model)]
    engines = [engine for name in wanted for engine in named if engine.precision == name]
    if not engines:
        what = "TensorRT engine" if precision == "auto" else f"{precision} TensorRT engine"
        whose = "" if model == "encoder" else f" of the pose network {model}"
        shown = precision if precision != "auto" else next(p for p in BEST_FIRST if p in bundle.precisions)
        raise BundleError(f"bundle {bundle.path} has no {what}{whose}: {rebuild(bundle, shown, model)}")
    return engines


def fitting_engine(
    bundle: Bundle, device: Device, precision: str = "auto", model: str = "encoder", digest: str = ""
) -> Engine:
    """The best engine that was built for this device. digest: see `refusal`. Raises BundleError: none is listed, or why
    it is refused."""
    reasons = []
    for engine in listed_engines(bundle, precision, model):
        why = refusal(bundle, engine, device, digest)
        if not why:
            return engine
        reasons.append(f"{bundle.path / engine.path} {why}: {rebuild(bundle, engine.precision, engine.model)}")
    raise BundleError(reasons[0])


def refusal(bundle: Bundle, engine: Engine, device: Device, digest: str = "") -> str:
    """Why this engine cannot run on this device; empty where it can. digest: the SHA-256 of the model that it has to
    come from; left out, the bundle's of its precision."""
    name = f"model.{engine.precision}.onnx" if engine.model == "encoder" else engine.model
    if not digest and name in bundle.manifest.files:
        digest = bundle.manifest.files[name]["sha256"]
    if digest != engine.model_sha256 or not digest:
        return f"is stale (it was built from another {name} than the bundle has)"
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
        raise BundleError(
            f"{path} cannot be read ({error.strerror}): {rebuild(bundle, engine.precision, engine.model)}"
        ) from None
    digest = hashlib.sha256(plan).hexdigest()
    if digest != engine.sha256 or digest != bundle.manifest.files[engine.path]["sha256"]:
        raise BundleError(
            f"{path} is not the plan that the manifest vouches for: {rebuild(bundle, engine.precision, engine.model)}"
        )
    return plan


def _numbers(version: str) -> tuple[int, ...]:
    """ "10.3.0.26" -> (10, 3, 0, 26)."""
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
