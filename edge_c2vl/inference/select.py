"""Inference engines behind one interface: one file an engine, one line here where it is listed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edge_c2vl.device.cpu_cores import load_onnxruntime
from edge_c2vl.errors import BundleError, UsageError
from edge_c2vl.inference.base import Backend

if TYPE_CHECKING:
    from edge_c2vl.bundle.bundle import Bundle

log = logging.getLogger("edge_c2vl")

NAMES = ("auto", "tensorrt", "onnxruntime")


def open_backend(bundle: Bundle, name: str = "auto", precision: str = "auto", threads: int = 1) -> Backend:
    """Opens the model of a verified bundle.

    name: "tensorrt", "onnxruntime" (CUDA where this build has it, else the CPU), "onnxruntime:" and providers in the
    order they are tried in ("onnxruntime:cuda,cpu"), or "auto": the best that opens; its `note` says why the others did
    not. precision: "auto" is the best that there is a model of; on a CPU the one that was measured to be fastest.
    Raises UsageError for a backend or precision that there is not, BundleError for a model that does not open.
    """
    kind, _, providers = name.partition(":")
    if kind not in NAMES or (providers and kind != "onnxruntime"):
        raise UsageError(f"no backend {name!r}: there are {', '.join(NAMES)}, and onnxruntime:tensorrt,cuda,cpu")
    if kind == "tensorrt":
        return _open_tensorrt(bundle, precision)
    if kind == "onnxruntime":
        wanted = [part.strip() for part in providers.split(",")] if providers else _best_provider()
        return _open_onnxruntime(bundle, wanted, precision, threads)
    candidates: list[tuple[str, Callable[[], Backend]]] = [
        ("tensorrt", lambda: _open_tensorrt(bundle, precision)),
        ("onnxruntime:cuda", lambda: _open_onnxruntime(bundle, ["cuda"], precision, threads)),
        ("onnxruntime:cpu", lambda: _open_onnxruntime(bundle, ["cpu"], precision, threads)),
    ]
    refused = []
    for label, opener in candidates:
        try:
            backend = opener()
        except BundleError as error:
            refused.append(f"{label}: {error}")
            continue
        backend.note = "; ".join([part for part in (backend.note, *(f"not {why}" for why in refused)) if part])
        if refused and any(engine.backend == "tensorrt" for engine in bundle.manifest.engines):
            # Slower than what was built for this vehicle: whoever runs it without a terminal has to learn of it too.
            backend.unused_engine = refused[0]
            log.warning("running on %s, because the bundle's engine cannot be used: %s", backend.name, refused[0])
        return backend
    raise BundleError(f"no backend opens bundle {bundle.path}: {'; '.join(refused)}")


def cpu_precision(bundle: Bundle, device: str) -> tuple[str, str]:
    """The precision to run on that CPU, and why: INT8, unless the bundle's own figures say that FP32 is faster.

    Figures of this CPU count before those of another one of the same architecture.
    """
    present = bundle.precisions
    if "int8" not in present:
        return "fp32", ""
    own = bundle.manifest.latency.get(device)
    architecture = device.rpartition(" ")[2]
    others = [(name, row) for name, row in bundle.manifest.latency.items() if name.rpartition(" ")[2] == architecture]
    measured, row = (device, own) if own else others[0] if others else ("", {})
    int8, fp32 = _p50_ms(row, "int8"), _p50_ms(row, "fp32")
    if int8 is None or fp32 is None:
        hint = f"edge-c2vl build-engine {bundle.path} --backend onnxruntime"
        return "int8", f"int8 was not measured against fp32 on this CPU; {hint} does"
    chosen = "int8" if int8 <= fp32 else "fp32"
    return chosen, f"{chosen}, because int8 takes {int8:g} ms and fp32 {fp32:g} ms on {measured}"


def _p50_ms(row: dict[str, Any], precision: str) -> float | None:
    figures = row.get(precision)
    value = figures.get("p50_ms") if isinstance(figures, dict) else None
    return float(value) if isinstance(value, (int, float)) else None


def _best_provider() -> list[str]:
    onnxruntime = load_onnxruntime()

    return ["cuda"] if "CUDAExecutionProvider" in onnxruntime.get_available_providers() else ["cpu"]


def _open_onnxruntime(bundle: Bundle, providers: list[str], precision: str, threads: int) -> Backend:
    from edge_c2vl.device.machine import cpu_name
    from edge_c2vl.inference.onnxruntime import OnnxRuntimeBackend, optimised_model

    note = ""
    if precision == "auto":
        if providers[0] == "cpu":
            precision, note = cpu_precision(bundle, cpu_name())
        else:
            # Without TensorRT a GPU runs Q/DQ in floating point, with the rounding and without the speed.
            wanted = "int8" if providers[0] == "tensorrt" else "fp16"
            precision = wanted if wanted in bundle.precisions else "fp32"
    model = bundle.model_path(precision)
    if providers == ["cpu"]:
        model, stale = optimised_model(bundle, precision, cpu_name())
        note = "; ".join(part for part in (note, stale) if part)
    backend = OnnxRuntimeBackend(model, precision, providers, threads)
    backend.note = note
    return backend


def _open_tensorrt(bundle: Bundle, precision: str) -> Backend:
    from edge_c2vl.inference.tensorrt import TensorRTBackend

    return TensorRTBackend.open(bundle, precision)
