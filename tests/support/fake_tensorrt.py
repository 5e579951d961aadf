"""A stand-in for TensorRT that really computes (by ONNX Runtime), so that batches, graphs and the build's steps are
exercised where there is no GPU. A "plan" is an ONNX model's bytes.

It knows nothing of NVIDIA's library but the calls that are made; their names are held against NVIDIA's own bindings by
.ci/tensorrt-names.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from edge_c2vl.inference import cuda as cuda_module
from edge_c2vl.inference import tensorrt as tensorrt_module
from tests.support.fake_cuda import FakeCuda


class Flags(SimpleNamespace):
    """An enumeration of which every member has a number of its own."""

    def __init__(self, *names: str) -> None:
        super().__init__(**{name: number for number, name in enumerate(names)})


class FakeTensorRT:
    """The module tensorrt, in a version. `seen` keeps what it was told."""

    MemoryPoolType = Flags("WORKSPACE")
    DeviceType = Flags("GPU", "DLA")
    TensorIOMode = Flags("INPUT", "OUTPUT")
    HardwareCompatibilityLevel = Flags("NONE", "AMPERE_PLUS")

    class ILogger:
        Severity = SimpleNamespace(INTERNAL_ERROR=0, ERROR=1, WARNING=2)

        def __init__(self) -> None:
            pass

    def __init__(self, version: str, cuda: FakeCuda, layers: tuple[str, ...] = ("conv", "matmul")) -> None:
        self.__version__ = version
        self.cuda = cuda
        self.layers = layers
        self.seen: dict[str, Any] = {"deserialised": [], "flags": []}
        major = int(version.split(".")[0])
        precisions = ("INT8", "FP16") if major < 11 else ()  # 11 removed them, and EXPLICIT_BATCH
        self.BuilderFlag = Flags("GPU_FALLBACK", "VERSION_COMPATIBLE", *precisions)
        self.NetworkDefinitionCreationFlag = Flags(
            *(("EXPLICIT_BATCH",) if major < 11 else ()), *(("STRONGLY_TYPED",) if major >= 10 else ())
        )
        if major >= 10:
            self.IProgressMonitor = type("IProgressMonitor", (), {"__init__": lambda self: None})
        self.broken = ""  # parse, build or load
        self.shape = (-1, 3, 8, 25)  # of the model's input
        self.foreign_cache = b"from another GPU"

    def _tell(self, log: Any, message: str) -> None:
        log.log(1, message)
        log.log(2, "a warning that nobody wants to see")

    # Building

    def Builder(self, log: Any) -> Any:
        def create_network(bits: int) -> Any:
            self.seen["network_bits"] = bits
            output = SimpleNamespace(dtype="DataType.FLOAT")
            named = [
                SimpleNamespace(name=name, type=f"LayerType.{name.upper()}", get_output=lambda _index: output)
                for name in self.layers
            ]
            return SimpleNamespace(
                get_layer=named.__getitem__,
                num_layers=len(named),
                get_input=lambda _: SimpleNamespace(shape=self.shape),
            )

        def build_serialized_network(network: Any, config: Any) -> Any:
            self.seen["config"] = config
            monitor = getattr(config, "progress_monitor", None)
            if monitor is not None:
                monitor.phase_start("Building", None, 4)
                monitor.phase_start("Timing", "Building", 2)
                going_on = all(monitor.step_complete("Timing", step) for step in range(2))
                going_on = going_on and all(monitor.step_complete("Building", step) for step in range(4))
                monitor.phase_finish("Building")
                if not going_on:
                    self._tell(log, "cancelled")
                    return None
            if self.broken == "build":
                self._tell(log, "no kernel\nfor conv")
                return None
            return network.model

        return SimpleNamespace(
            num_DLA_cores=2,
            create_network=create_network,
            create_builder_config=lambda: FakeConfig(self),
            create_optimization_profile=lambda: FakeProfile(self),
            build_serialized_network=build_serialized_network,
        )

    def OnnxParser(self, network: Any, log: Any) -> Any:
        def parse(model: bytes, path: str) -> bool:
            # As TensorRT does, with the weights that lie in files beside it.
            network.model = onnx.load(path).SerializeToString() if b".weights" in model else model
            self.seen["parsed"] = path
            return self.broken != "parse"

        error = SimpleNamespace(desc=lambda: "node 3:\n unknown operator")
        return SimpleNamespace(parse=parse, num_errors=1, get_error=lambda _index: error)

    # Running

    def Runtime(self, log: Any) -> Any:
        runtime = SimpleNamespace(engine_host_code_allowed=False)

        def deserialize(plan: bytes) -> Any:
            self.seen["deserialised"].append(plan)
            self.seen["host_code"] = runtime.engine_host_code_allowed
            if self.broken == "load":
                self._tell(log, "magic tag\nmismatch")
                return None
            return FakeEngine(self.cuda, plan)

        runtime.deserialize_cuda_engine = deserialize
        return runtime


class FakeConfig:
    def __init__(self, trt: FakeTensorRT) -> None:
        self._trt = trt
        self.flags: list[str] = []
        self.pools: dict[int, int] = {}
        if hasattr(trt, "IProgressMonitor"):
            self.progress_monitor = None

    def set_flag(self, flag: int) -> None:
        self.flags.append(next(name for name, number in vars(self._trt.BuilderFlag).items() if number == flag))

    def set_memory_pool_limit(self, pool: int, size: int) -> None:
        self.pools[pool] = size

    def add_optimization_profile(self, profile: Any) -> None:
        self.profile = profile

    def create_timing_cache(self, content: bytes) -> Any:
        """None where the content is no cache."""
        return None if content == b"junk" else SimpleNamespace(content=content, serialize=lambda: content + b"+")

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        if cache.content == self._trt.foreign_cache:
            return False
        self.given_cache, self._cache = cache.content, cache
        return True

    def get_timing_cache(self) -> Any:
        return self._cache

    def can_run_on_DLA(self, layer: Any) -> bool:
        return layer.name != "matmul"


class FakeProfile:
    def __init__(self, trt: FakeTensorRT) -> None:
        self._trt = trt

    def set_shape(self, name: str, smallest: tuple, usual: tuple, largest: tuple) -> None:
        self._trt.seen["profile"] = (name, smallest, usual, largest)


class FakeEngine:
    def __init__(self, cuda: FakeCuda, plan: bytes) -> None:
        self._cuda, self._session = cuda, onnxruntime.InferenceSession(plan, providers=["CPUExecutionProvider"])
        self._tensors = {tensor.name: tensor.shape for tensor in self._session.get_inputs()}
        self._inputs = set(self._tensors)
        self._tensors |= {tensor.name: tensor.shape for tensor in self._session.get_outputs()}
        self.num_io_tensors = len(self._tensors)

    def get_tensor_name(self, index: int) -> str:
        return list(self._tensors)[index]

    def get_tensor_shape(self, name: str) -> list[int]:
        return [size if isinstance(size, int) else -1 for size in self._tensors[name]]

    def get_tensor_mode(self, name: str) -> int:
        return int(name not in self._inputs)

    def create_execution_context(self) -> Any:
        return FakeContext(self._cuda, self._session)


class FakeContext:
    """Reads and writes the memory at the addresses that it was given, as a GPU would."""

    def __init__(self, cuda: FakeCuda, session: Any) -> None:
        self._cuda, self._session = cuda, session
        self._addresses: dict[str, int] = {}
        self._shapes = {tensor.name: tuple(tensor.shape) for tensor in session.get_inputs()}
        self._ready = False  # TensorRT sets itself up in the first run after a new shape, not inside a capture

    def set_tensor_address(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shapes[name], self._ready = shape, False
        return shape[0] <= 8

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == 77
        if self._cuda.captured is not None and not self._ready:
            return False
        self._ready = True
        shapes = dict(self._shapes)
        self._cuda.enqueue(lambda: self._compute(shapes))
        return True

    def _compute(self, shapes: Any) -> None:
        names = [output.name for output in self._session.get_outputs()]
        given = {name: self._at(name, shape) for name, shape in shapes.items()}
        for name, value in zip(names, self._session.run(names, given), strict=True):
            self._at(name, value.shape)[:] = value

    def _at(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        size = int(np.prod(shape)) * 4
        memory: Any = (ctypes.c_byte * size).from_address(self._addresses[name])
        return np.frombuffer(memory, np.float32).reshape(shape)


def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str) -> FakeTensorRT:
    """That version on a GPU, as far as the code can tell."""
    runtime = FakeCuda()
    trt = FakeTensorRT(version, runtime)
    monkeypatch.setattr(tensorrt_module, "load_tensorrt", lambda: trt)
    monkeypatch.setattr(cuda_module, "open_library", lambda: runtime)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return trt
