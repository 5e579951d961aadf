"""From a bundle's model to an engine for this device: built, compared with ONNX Runtime, timed, vouched for.

The same ONNX files serve every TensorRT: before 10 builder flags allow INT8 and FP16 kernels; from 10 on the network is
strongly typed, so the types stand in the file (Q/DQ in model.int8.onnx, FP16 tensors in model.fp16.onnx).
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_c2vl.bundle.bundle import Bundle, Engine, revise_bundle
from edge_c2vl.device.machine import folder_name
from edge_c2vl.errors import BundleError, UsageError
from edge_c2vl.inference.base import Backend
from edge_c2vl.names import utf8_name
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.arrays import ERRORS, NpzFile
from edge_c2vl.utils.atomic import write_file
from edge_c2vl.utils.cache import default_cache

Say = Callable[[str], None]


@dataclass(frozen=True)
class BuildOptions:
    """precision: "auto" is the best that the bundle has a model of. batch: fewest, usual and most clips an inference.
    workspace_mb: scratch memory a kernel may use; 0 leaves it to TensorRT. dla: number of the deep learning accelerator
    to use. timing_cache: file of kernel timings to read and extend; None: one for this GPU in the user's cache."""

    precision: str = "auto"
    batch: tuple[int, int, int] = (1, 1, 1)
    workspace_mb: int = 0
    dla: int | None = None
    version_compatible: bool = False
    hardware_compatible: bool = False
    optimisation_level: int | None = None
    timing_cache: Path | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.batch[0] <= self.batch[1] <= self.batch[2]:
            raise UsageError(f"--batch wants MIN <= OPT <= MAX, all at least 1, not {' '.join(map(str, self.batch))}")
        if self.dla is not None and self.batch[0] != self.batch[2]:
            raise UsageError("the DLA takes one batch size: with --dla give --batch the same number three times")


@dataclass(frozen=True)
class Flags:
    """What a TensorRT version is told for a precision. model: which ONNX it parses; network, builder: names of its
    NetworkDefinitionCreationFlag and BuilderFlag."""

    model: str
    network: tuple[str, ...]
    builder: tuple[str, ...]


def choose_flags(
    version: tuple[int, ...], precision: str, dla: int | None = None, version_compatible: bool = False
) -> Flags:
    """Raises BundleError for what that version cannot do."""
    shown = ".".join(map(str, version))
    if version < (8, 6):
        raise BundleError(f"TensorRT {shown} is too old: 8.6 or newer is needed")
    if dla is not None and precision == "fp32":
        raise UsageError("the DLA computes in INT8 and FP16 only: take --precision int8 or fp16 with --dla")
    if dla is not None and (10, 8) <= version < (11, 4):
        raise BundleError(f"TensorRT {shown} has no DLA (10.8 to 11.3 lack it): leave out --dla")
    if dla is not None and version < (11,) and precision == "int8":
        raise BundleError(f"TensorRT {shown} runs no Q/DQ on the DLA: take --precision fp16 with --dla")
    builder = []
    if dla is not None:
        builder.append("GPU_FALLBACK")
    if version_compatible:
        builder.append("VERSION_COMPATIBLE")
    if version >= (11,):
        return Flags(precision, (), tuple(builder))  # strongly typed, always
    if version >= (10,) and dla is None:
        return Flags(precision, ("STRONGLY_TYPED",), tuple(builder))
    # TensorRT 8, and the DLA of 10, which takes no strongly typed network.
    # FP16 beside INT8: the layers without Q/DQ, such as the gathering of neighbours, may run in it.
    allowed = {"int8": ["INT8", "FP16"], "fp16": ["FP16"], "fp32": []}[precision]
    return Flags("int8" if precision == "int8" else "fp32", ("EXPLICIT_BATCH",), tuple(allowed + builder))


def build_engine(bundle: Bundle, options: BuildOptions, say: Say = lambda _: None) -> tuple[Bundle, Engine]:
    """Builds a TensorRT engine on this device, checks it, and puts it into the bundle. Raises BundleError where
    TensorRT is missing or refuses, and leaves the bundle as it was."""
    from edge_c2vl.inference.cuda import Cuda
    from edge_c2vl.inference.tensorrt import TensorRTBackend, load_tensorrt, this_device, version_of

    trt = load_tensorrt()
    version = version_of(trt)
    wanted = options.precision
    if wanted == "auto" and options.dla is not None and version < (11,):
        wanted = "fp16"  # the best that the DLA takes there
    precision = best_precision(bundle, wanted)
    flags = choose_flags(version, precision, options.dla, options.version_compatible)
    cuda = Cuda()
    device = this_device(trt, cuda)
    model = bundle.model_path(flags.model)
    say(f"TensorRT {device.tensorrt}, CUDA {device.cuda}, {device.gpu} (SM {device.sm}); building {precision}")
    plan = _plan(trt, bundle, model, flags, options, device, say)
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
    with TensorRTBackend(plan, engine, bundle.manifest, trt, cuda) as built:
        measured = compare_with_onnxruntime(bundle, built, clips)
        times = built.gpu_ms(clips[: options.batch[1]])
    measured |= {
        "p50_ms": round(float(np.percentile(times, 50)), 4),
        "p95_ms": round(float(np.percentile(times, 95)), 4),
    }
    return _with_engine(bundle, replace(engine, measured=measured), plan)


def build_optimised(bundle: Bundle, precision: str, threads: int, say: Say = lambda _: None) -> tuple[Bundle, Engine]:
    """Writes the model as ONNX Runtime optimises it for this CPU (constants folded, weights in INT8), compares it with
    the ONNX, measures every precision of the bundle here, and puts all of that into the bundle."""
    import onnxruntime

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


def _plan(trt: Any, bundle: Bundle, model: Path, flags: Flags, options: BuildOptions, device: Any, say: Say) -> bytes:
    from edge_c2vl.inference.tensorrt import make_log

    log = make_log(trt)
    builder = trt.Builder(log)
    network = builder.create_network(_bits(trt.NetworkDefinitionCreationFlag, flags.network))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(model.read_bytes(), str(model)):
        why = "; ".join(" ".join(parser.get_error(index).desc().split()) for index in range(parser.num_errors))
        raise BundleError(f"TensorRT cannot read {model}: {why or log.last}")
    fixed = network.get_input(0).shape[0]
    if fixed > 0 and set(options.batch) != {fixed}:
        raise BundleError(f"{model} was exported for batches of {fixed}: take --batch {fixed} {fixed} {fixed}")
    config = builder.create_builder_config()
    for name in flags.builder:
        config.set_flag(getattr(trt.BuilderFlag, name))
    if options.workspace_mb:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mb << 20)
    if options.optimisation_level is not None:
        config.builder_optimization_level = options.optimisation_level
    if options.hardware_compatible:
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    profile = builder.create_optimization_profile()
    shape = (3, bundle.manifest.clip.frames, 25)
    profile.set_shape("clip", *[(size, *shape) for size in options.batch])
    config.add_optimization_profile(profile)
    if options.dla is not None:
        _use_dla(trt, builder, config, network, options.dla, say)
    cache_file = options.timing_cache or _cache_file(device)
    # A file that this TensorRT cannot use, or that another GPU wrote, counts as none.
    cache = config.create_timing_cache(_read(cache_file))
    if cache is None or not config.set_timing_cache(cache, False):
        config.set_timing_cache(config.create_timing_cache(b""), False)
    monitor = _monitor(trt, say)
    if monitor is not None and hasattr(config, "progress_monitor"):
        config.progress_monitor = monitor
    plan = builder.build_serialized_network(network, config)
    if plan is None and monitor is not None and monitor.cancelled:
        raise KeyboardInterrupt
    if plan is None:
        raise BundleError(f"TensorRT could not build {model}: {log.last}")
    try:
        _write(cache_file, bytes(config.get_timing_cache().serialize()))
    except OSError as error:  # the engine is worth more than the time that the next build would save
        say(f"the timing cache {cache_file} cannot be written ({error.strerror})")
    return bytes(plan)


def _bits(flags: Any, names: tuple[str, ...]) -> int:
    return sum(1 << int(getattr(flags, name)) for name in names)


def _use_dla(trt: Any, builder: Any, config: Any, network: Any, core: int, say: Say) -> None:
    """Puts every layer on the DLA that it can run; each of the others is named."""
    if core >= builder.num_DLA_cores:
        raise BundleError(f"this device has {builder.num_DLA_cores} DLA cores, so there is no --dla {core}")
    config.default_device_type = trt.DeviceType.DLA
    config.DLA_core = core
    network_layers = [network.get_layer(index) for index in range(network.num_layers)]
    falling_back = [layer.name for layer in network_layers if not config.can_run_on_DLA(layer)]
    say(f"DLA {core} runs {len(network_layers) - len(falling_back)} of {len(network_layers)} layers; on the GPU:")
    for name in falling_back:
        say(f"  {name}")


def _monitor(trt: Any, say: Say) -> Any:
    """A progress monitor, where this TensorRT has them (10 and newer); it names each phase of the first level, and
    cancels the build on Ctrl-C: an exception must not reach TensorRT."""
    if not hasattr(trt, "IProgressMonitor"):
        return None

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.steps: dict[str, tuple[int, int]] = {}  # phase -> steps, tenths told
            self.cancelled = False

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            try:
                if not parent_phase:
                    self.steps[phase_name] = max(num_steps, 1), 0
                    say(f"{phase_name}: {num_steps} steps")
            except KeyboardInterrupt:
                self.cancelled = True

        def step_complete(self, phase_name: str, step: int) -> bool:
            try:
                if phase_name in self.steps:
                    total, told = self.steps[phase_name]
                    tenths = 10 * (step + 1) // total
                    if tenths > told:
                        self.steps[phase_name] = total, tenths
                        say(f"{phase_name}: {10 * tenths} %")
            except KeyboardInterrupt:
                self.cancelled = True
            return not self.cancelled

        def phase_finish(self, phase_name: str) -> None:
            try:
                self.steps.pop(phase_name, None)
            except KeyboardInterrupt:
                self.cancelled = True

    return Monitor()


def _cache_file(device: Any) -> Path:
    return default_cache() / "timing" / f"{folder_name(device.gpu)}-tensorrt-{device.tensorrt}.cache"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, content)
