"""From an ONNX model to a TensorRT plan.

The same ONNX files serve every TensorRT: before 10 builder flags allow INT8 and FP16 kernels; from 10 on the network is
strongly typed, so the types stand in the file (Q/DQ in model.int8.onnx, FP16 tensors in model.fp16.onnx). INT8 weights
get a Q/DQ pair before they are parsed (weight_pairs.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_c2vl.device.machine import folder_name
from edge_c2vl.errors import BundleError, UsageError
from edge_c2vl.inference.engine_check import Device
from edge_c2vl.inference.plan_runner import make_log
from edge_c2vl.inference.weight_pairs import with_weight_pairs
from edge_c2vl.utils.atomic import write_file
from edge_c2vl.utils.cache import default_cache

Say = Callable[[str], None]
Shapes = Mapping[str, tuple[tuple[int, ...], ...]]
NO_DLA = ((10, 8), (11, 4, 1))  # from the one to before the other


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
    if dla is not None and NO_DLA[0] <= version < NO_DLA[1]:
        raise BundleError(f"TensorRT {shown} has no DLA (10.8 to 11.4.0 lack it): leave out --dla")
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


def build_plan(
    trt: Any,
    model: Path,
    flags: Flags,
    options: BuildOptions,
    device: Device,
    shapes: Shapes,
    say: Say = lambda _: None,
) -> tuple[bytes, dict[str, int]]:
    """The serialised engine, and how many layers of each kind and type TensorRT read from the model.

    shapes: of each input whose size may vary: the smallest, usual and largest; inputs of a fixed size need none. Raises
    BundleError where TensorRT cannot read or build the model, KeyboardInterrupt after Ctrl-C.
    """
    try:
        content = with_weight_pairs(model.read_bytes())
    except ValueError as error:
        raise BundleError(f"{model} cannot be prepared for TensorRT: {error}") from None
    log = make_log(trt)
    builder = trt.Builder(log)
    network = builder.create_network(_bits(trt.NetworkDefinitionCreationFlag, flags.network))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(content, str(model)):
        why = "; ".join(" ".join(parser.get_error(index).desc().split()) for index in range(parser.num_errors))
        raise BundleError(f"TensorRT cannot read {model}: {why or log.last}")
    layers = _layers(network)
    fixed = network.get_input(0).shape[0]
    if fixed > 0 and shapes and set(options.batch) != {fixed}:
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
    if shapes:
        profile = builder.create_optimization_profile()
        for name, sizes in shapes.items():
            profile.set_shape(name, *sizes)
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
    return bytes(plan), layers


def _layers(network: Any) -> dict[str, int]:
    """How many layers there are of each kind, with the type of what they give, such as {"CONVOLUTION HALF": 12}."""
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    kinds = Counter(f"{_word(layer.type)} {_word(layer.get_output(0).dtype)}" for layer in layers)
    return dict(sorted(kinds.items()))


def _word(value: Any) -> str:
    """ "LayerType.CONVOLUTION" -> "CONVOLUTION"."""
    return str(value).rpartition(".")[2]


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


def _cache_file(device: Device) -> Path:
    return default_cache() / "timing" / f"{folder_name(device.gpu)}-tensorrt-{device.tensorrt}.cache"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, content)
