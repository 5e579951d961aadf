"""ONNX Runtime: runs a bundle's ONNX on the CPU, or on what other providers there are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_c2vl.device.cpu_cores import load_onnxruntime
from edge_c2vl.errors import BundleError, UsageError
from edge_c2vl.inference.base import Backend, in_batches
from edge_c2vl.inference.providers import PROVIDERS
from edge_c2vl.names import utf8_name
from edge_c2vl.skeletons.skeleton import Array

if TYPE_CHECKING:
    from edge_c2vl.bundle.bundle import Bundle

# ONNX Runtime from which the time that threads spin for can be set (1.32 was tried, 1.23 cannot).
SHORT_SPIN = (1, 32)


def session_options(threads: int, spin: bool = True) -> Any:
    """threads: 0 leaves the number to ONNX Runtime; no more are made than there are cores. spin: whether threads may
    wait a moment for the next operator."""
    onnxruntime = load_onnxruntime()

    from edge_c2vl.device.machine import overflows_int8

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(threads, len(os.sched_getaffinity(0)))
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if spin and _version(onnxruntime.__version__) >= SHORT_SPIN:
        # Threads that wait a moment for the next operator: 3.8 ms instead of 4.6 for INT8 at width 64 on two threads.
        # Between two decisions they sleep.
        options.add_session_config_entry("session.intra_op.spin_duration_us", "200")
        options.add_session_config_entry("session.force_spinning_stop", "1")
    else:
        # Before that version there is only spinning for milliseconds, which keeps a core busy that belongs to others.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if overflows_int8():
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options


class OnnxRuntimeBackend(Backend):
    """A session over one ONNX model: a file, or its content. providers: short names in the order they are tried in."""

    def __init__(
        self, model: Path | bytes, precision: str, providers: Sequence[str] = ("cpu",), threads: int = 1
    ) -> None:
        self._session: Any = open_session(model, precision, providers, threads)
        shape = self._session.get_inputs()[0].shape
        self._batch = fixed_batch(self._session)
        super().__init__(f"onnxruntime:{used_provider(self._session)}", precision, (shape[1], shape[2], shape[3]))

    def _infer(self, clip: Array) -> tuple[Array, Array]:
        logits, embedding = in_batches(self._run, clip, self._batch) if self._batch else self._run(clip)
        return logits, embedding

    def _run(self, clip: Array) -> list[Array]:
        outputs: list[Array] = self._session.run(["logits", "embedding"], {"clip": clip})
        return outputs

    def _close(self) -> None:
        self._session = None


def open_session(model: Path | bytes, precision: str, providers: Sequence[str], threads: int, spin: bool = True) -> Any:
    """A session over one ONNX model. Raises BundleError where it does not open, UsageError for an unknown provider."""
    onnxruntime = load_onnxruntime()

    names = [_with_options(name, precision) for name in chosen_providers(providers)]
    try:
        with utf8_name(model) if isinstance(model, Path) else nullcontext(model) as source:
            return onnxruntime.InferenceSession(source, session_options(threads, spin), providers=names)
    except Exception as error:  # ONNX Runtime raises a family of its own, none of which is exported
        what = model if isinstance(model, Path) else "the model"
        raise BundleError(f"{what}: ONNX Runtime cannot open it: {' '.join(str(error).split())}") from error


def used_provider(session: Any) -> str:
    """The short name of the provider that a session runs on first."""
    used: str = session.get_providers()[0]
    return next((short for short, name in PROVIDERS.items() if name == used), used)


def fixed_batch(session: Any) -> int:
    """The number of clips that a model was exported for; 0 where it takes any number."""
    size = session.get_inputs()[0].shape[0]
    return size if isinstance(size, int) else 0


def optimised_model(bundle: Bundle, precision: str, device: str) -> tuple[Path, str]:
    """The model to open on that CPU: the one optimised for it, if the bundle has it and it is current, else the ONNX.
    Beside it, why one that is there is not used; empty otherwise."""
    onnxruntime = load_onnxruntime()

    model = bundle.model_path(precision)
    for engine in bundle.manifest.engines:
        if engine.backend != "onnxruntime" or engine.precision != precision or engine.device != device:
            continue
        if engine.model_sha256 != bundle.manifest.files[model.name]["sha256"]:
            why = "was made from another model"
        elif engine.onnxruntime != onnxruntime.__version__:
            why = f"was made by ONNX Runtime {engine.onnxruntime}, not {onnxruntime.__version__}"
        else:
            return bundle.path / engine.path, ""
        command = f"edge-c2vl build-engine {bundle.path} --backend onnxruntime --precision {precision}"
        return model, f"{engine.path} {why}; {command} makes it again"
    return model, ""


def _with_options(provider: str, precision: str) -> tuple[str, dict[str, Any]]:
    """TensorRT's engine cache stays off: it would load plans that no manifest vouches for."""
    options = {}
    if provider == "tensorrt":
        options = {"trt_fp16_enable": precision != "fp32", "trt_int8_enable": precision == "int8"}
    return PROVIDERS[provider], options


def chosen_providers(wanted: Sequence[str]) -> list[str]:
    """The wanted ones, in their order; the CPU stands in at the end for operators that the others lack.

    Raises UsageError for one that there is not, BundleError for one that this build of ONNX Runtime lacks.
    """
    onnxruntime = load_onnxruntime()

    unknown = [name for name in wanted if name not in PROVIDERS]
    if unknown:
        raise UsageError(f"no ONNX Runtime provider {unknown[0]!r}: there are {', '.join(PROVIDERS)}")
    available = onnxruntime.get_available_providers()
    for name in wanted:
        if PROVIDERS[name] not in available:
            raise BundleError(
                f"this ONNX Runtime has no {PROVIDERS[name]}: install onnxruntime-gpu, on a Jetson NVIDIA's own wheel"
            )
    return [*dict.fromkeys([*wanted, "cpu"])]


def _version(text: str) -> tuple[int, ...]:
    """ "1.32.0" -> (1, 32)."""
    return tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())


def open_onnxruntime(bundle: Bundle, variant: str, precision: str, threads: int) -> OnnxRuntimeBackend:
    """variant: providers in the order they are tried in, such as "cuda,cpu"; empty for CUDA where this build has it,
    else the CPU. Raises UsageError, BundleError."""
    from edge_c2vl.device.machine import cpu_name

    providers = [part.strip() for part in variant.split(",")] if variant else _best_provider()
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
