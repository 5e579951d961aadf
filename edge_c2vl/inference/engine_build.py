"""From a bundle's model to an engine for this device: built, compared with ONNX Runtime, timed, vouched for."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_c2vl.bundle.bundle import Bundle, Engine, revise_bundle
from edge_c2vl.device.cpu_cores import load_onnxruntime
from edge_c2vl.device.machine import folder_name
from edge_c2vl.errors import BundleError
from edge_c2vl.inference.base import Backend
from edge_c2vl.inference.plan import BuildOptions, Say, build_plan, choose_flags
from edge_c2vl.names import utf8_name
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.arrays import ERRORS, NpzFile


def build_engine(bundle: Bundle, options: BuildOptions, say: Say = lambda _: None) -> tuple[Bundle, Engine]:
    """Builds a TensorRT engine on this device, checks it, and puts it into the bundle. Raises BundleError where
    TensorRT is missing or refuses, and leaves the bundle as it was."""
    from edge_c2vl.inference.tensorrt import TensorRTBackend, load_tensorrt, this_device, version_of

    trt = load_tensorrt()
    version = version_of(trt)
    wanted = options.precision
    if wanted == "auto" and options.dla is not None and version < (11,):
        wanted = "fp16"  # the best that the DLA takes there
    precision = best_precision(bundle, wanted)
    flags = choose_flags(version, precision, options.dla, options.version_compatible)
    device = this_device(trt)
    model = bundle.model_path(flags.model)
    say(f"TensorRT {device.tensorrt}, CUDA {device.cuda}, {device.gpu} (SM {device.sm}); building {precision}")
    shape = (3, bundle.manifest.clip.frames, 25)
    shapes = {"clip": tuple((size, *shape) for size in options.batch)}
    plan, layers = build_plan(trt, model, flags, options, device, shapes, say)
    name = f"engines/{folder_name(device.gpu)}/model.{precision}.plan"
    engine = Engine(
        path=name,
        device=folder_name(device.gpu),
        gpu=device.gpu,
        sm=device.sm,
        tensorrt=device.tensorrt,
        precision=precision,
        sha256=hashlib.sha256(plan).hexdigest(),
        cuda=device.cuda,
        # The model of the precision, also where TensorRT 8 parses the FP32 one for FP16: it is what `refusal` looks at.
        model_sha256=bundle.manifest.files[bundle.model_path(precision).name]["sha256"],
        batch=list(options.batch),
        version_compatible=options.version_compatible,
        hardware_compatible=options.hardware_compatible,
        dla=options.dla,
    )
    clips = checking_clips(bundle)
    with TensorRTBackend(plan, engine, bundle.manifest, trt) as built:
        measured = compare_with_onnxruntime(bundle, built, clips)
        times = built.gpu_ms(clips[: options.batch[1]])
    measured |= {
        "p50_ms": round(float(np.percentile(times, 50)), 4),
        "p95_ms": round(float(np.percentile(times, 95)), 4),
        "layers": layers,
    }
    return _with_engine(bundle, replace(engine, measured=measured), plan)


def build_optimised(bundle: Bundle, precision: str, threads: int, say: Say = lambda _: None) -> tuple[Bundle, Engine]:
    """Writes the model as ONNX Runtime optimises it for this CPU (constants folded, weights in INT8), compares it with
    the ONNX, measures every precision of the bundle here, and puts all of that into the bundle."""
    onnxruntime = load_onnxruntime()

    from edge_c2vl.device.machine import cpu_name
    from edge_c2vl.inference.benchmark import cpu_latency
    from edge_c2vl.inference.onnxruntime import OnnxRuntimeBackend, session_options

    device = cpu_name()
    precision = best_precision(bundle, precision)
    model = bundle.model_path(precision)
    say(f"ONNX Runtime {onnxruntime.__version__}, {device}; optimising {precision}")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model.ort"
        options = session_options(threads)
        options.optimized_model_filepath = str(target)
        options.add_session_config_entry("session.save_model_format", "ORT")
        with utf8_name(model) as source:
            onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        content = target.read_bytes()
        with OnnxRuntimeBackend(target, precision, threads=threads) as built:
            measured = compare_with_onnxruntime(bundle, built, checking_clips(bundle))
    engine = Engine(
        path=f"engines/{folder_name(device)}/model.{precision}.ort",
        device=device,
        gpu="",
        sm="",
        tensorrt="",
        precision=precision,
        sha256=hashlib.sha256(content).hexdigest(),
        backend="onnxruntime",
        onnxruntime=onnxruntime.__version__,
        model_sha256=bundle.manifest.files[model.name]["sha256"],
    )
    say("measuring every precision, each in processes of its own")
    with tempfile.TemporaryDirectory() as folder:
        # On a copy, for the bundle itself changes once, when everything is known.
        copied = Bundle(Path(shutil.copytree(bundle.path, Path(folder) / "copy")), bundle.manifest)
        latency = cpu_latency(_with_engine(copied, replace(engine, measured=measured), content)[0], threads)
    measured_all = {**bundle.manifest.latency, device: latency}
    return _with_engine(bundle, replace(engine, measured=measured | latency[precision]), content, latency=measured_all)


def best_precision(bundle: Bundle, wanted: str) -> str:
    """Raises BundleError where the bundle has no model of that precision."""
    precision = next(p for p in ("int8", "fp16", "fp32") if p in bundle.precisions) if wanted == "auto" else wanted
    bundle.model_path(precision)
    return precision


def checking_clips(bundle: Bundle) -> Array:
    """The calibration clips that the bundle carries (N, 3, T, 25); without any, 32 of noise."""
    if "calibration.npz" not in bundle.manifest.files:
        shape = (32, 3, bundle.manifest.clip.frames, 25)
        return np.random.default_rng(0).normal(size=shape).astype(np.float32)
    path = bundle.path / "calibration.npz"
    try:
        with NpzFile(path) as content:
            clips = content["clips"].astype(np.float32)
    except ERRORS as error:
        raise BundleError(f"{path} holds no clips ({error}): make it again with edge-c2vl quantize") from None
    if clips.ndim != 4 or clips.shape[1:] != (3, bundle.manifest.clip.frames, 25) or not np.isfinite(clips).all():
        raise BundleError(f"{path} holds {clips.shape}: make it again with edge-c2vl quantize")
    return clips


def compare_with_onnxruntime(bundle: Bundle, built: Backend, clips: Array) -> dict[str, Any]:
    """How far an engine is from ONNX Runtime with the same model, and whether it decides as FP32 does.

    Raises BundleError where the engine's outputs are not finite.
    """
    from edge_c2vl.inference.onnxruntime import OnnxRuntimeBackend

    logits, embedding = built.infer(clips)
    if not (np.isfinite(logits).all() and np.isfinite(embedding).all()):
        raise BundleError(f"the {built.precision} engine gives NaN on real clips: build it in another --precision")
    with OnnxRuntimeBackend(bundle.model_path(built.precision), built.precision) as same:
        expected, expected_embedding = same.infer(clips)
    with OnnxRuntimeBackend(bundle.model_path(), "fp32") as reference:
        decisions = reference.infer(clips)[0].argmax(axis=1)
    return {
        "clips": len(clips),
        "largest_logit_difference": round(float(np.abs(logits - expected).max()), 6),
        "largest_logit": round(float(np.abs(expected).max()), 6),
        "largest_embedding_difference": round(float(np.abs(embedding - expected_embedding).max()), 6),
        "same_decision_as_fp32": round(float((logits.argmax(axis=1) == decisions).mean()), 4),
    }


def _with_engine(bundle: Bundle, engine: Engine, content: bytes, **manifest: Any) -> tuple[Bundle, Engine]:
    others = [entry for entry in bundle.manifest.engines if entry.path != engine.path]
    return revise_bundle(bundle, {engine.path: content}, engines=[*others, engine], **manifest), engine
