"""Stand-ins for CUDA's runtime and TensorRT that really move memory and really compute (by ONNX Runtime), so that
buffers, batches, graphs and the build's steps are exercised where there is no GPU. A "plan" is an ONNX model's bytes.

They know nothing of NVIDIA's libraries but the calls that are made; the names of these calls are held against the real
tensorrt, where it is installed, in test_tensorrt.py.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime


class FakeCuda:
    """The functions of cuda.bindings.runtime that are used: each returns (status, *results)."""

    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=2)
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)

    def __init__(self, gpus: int = 1, can_capture: bool = True) -> None:
        self.gpus, self.can_capture = gpus, can_capture
        self.memory: dict[int, Any] = {}
        self.captured: list[Callable[[], None]] | None = None
        self.graphs: set[int] = set()
        self.work: dict[int, list[Callable[[], None]]] = {}
        self.launches = 0
        self.events = 0

    def enqueue(self, work: Callable[[], None]) -> None:
        if self.captured is None:
            work()
        else:
            self.captured.append(work)

    def cudaGetDeviceCount(self) -> tuple:
        return 0, self.gpus

    def cudaGetDevice(self) -> tuple:
        return 0, 0

    def cudaGetDeviceProperties(self, _device: int) -> tuple:
        return 0, SimpleNamespace(name=b"Fake GPU\0\0", major=8, minor=7)

    def cudaRuntimeGetVersion(self) -> tuple:
        return 0, 12060

    def cudaStreamCreate(self) -> tuple:
        return 0, 77

    def cudaStreamDestroy(self, _stream: int) -> tuple:
        return (0,)

    def cudaStreamSynchronize(self, _stream: int) -> tuple:
        return (0,)

    def cudaMallocHost(self, size: int) -> tuple:
        return self.cudaMalloc(size)

    def cudaMalloc(self, size: int) -> tuple:
        block = (ctypes.c_byte * size)()
        self.memory[ctypes.addressof(block)] = block
        return 0, ctypes.addressof(block)

    def cudaFree(self, address: int) -> tuple:
        del self.memory[address]
        return (0,)

    cudaFreeHost = cudaFree

    def cudaMemcpyAsync(self, target: int, source: int, size: int, _kind: int, _stream: int) -> tuple:
        self.enqueue(lambda: ctypes.memmove(target, source, size))
        return (0,)

    def cudaStreamBeginCapture(self, _stream: int, _mode: int) -> tuple:
        if not self.can_capture:
            return (900,)
        self.captured = []
        return (0,)

    def cudaStreamEndCapture(self, _stream: int) -> tuple:
        graph = len(self.work) + 1
        self.work[graph], self.captured = self.captured or [], None
        return 0, graph

    def cudaGraphInstantiate(self, graph: int, _flags: int) -> tuple:
        self.graphs.add(graph)
        return 0, graph

    def cudaGraphDestroy(self, _graph: int) -> tuple:
        return (0,)

    def cudaGraphExecDestroy(self, graph: int) -> tuple:
        self.graphs.remove(graph)
        return (0,)

    def cudaGraphLaunch(self, graph: int, _stream: int) -> tuple:
        assert graph in self.graphs
        self.launches += 1
        for work in self.work[graph]:
            work()
        return (0,)

    def cudaEventCreate(self) -> tuple:
        self.events += 1
        return 0, self.events

    def cudaEventDestroy(self, _event: int) -> tuple:
        self.events -= 1
        return (0,)

    def cudaEventRecord(self, _event: int, _stream: int) -> tuple:
        return (0,)

    def cudaEventSynchronize(self, _event: int) -> tuple:
        return (0,)

    def cudaEventElapsedTime(self, _start: int, _end: int) -> tuple:
        return 0, 0.25


class Flags(SimpleNamespace):
    """An enumeration of which every member has a number of its own."""

    def __init__(self, *names: str) -> None:
        super().__init__(**{name: number for number, name in enumerate(names)})


class FakeTensorRT:
    """The module tensorrt, in a version. `seen` keeps what it was told."""

    MemoryPoolType = Flags("WORKSPACE")
    DeviceType = Flags("GPU", "DLA")
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
            named = [SimpleNamespace(name=name) for name in self.layers]
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
            network.model = model
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
            return SimpleNamespace(create_execution_context=lambda: FakeContext(self.cuda, plan))

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


class FakeContext:
    """Reads and writes the memory at the addresses that it was given, as a GPU would."""

    def __init__(self, cuda: FakeCuda, plan: bytes) -> None:
        self._cuda = cuda
        self._session = onnxruntime.InferenceSession(plan, providers=["CPUExecutionProvider"])
        self._addresses: dict[str, int] = {}
        self._shape: tuple[int, ...] | None = None
        self._ready = False  # TensorRT sets itself up in the first run after a new shape, not inside a capture

    def set_tensor_address(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        assert name == "clip"
        self._shape, self._ready = shape, False
        return shape[0] <= 8

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == 77
        if self._cuda.captured is not None and not self._ready:
            return False
        self._ready = True
        shape = self._shape
        self._cuda.enqueue(lambda: self._compute(shape))
        return True

    def _compute(self, shape: Any) -> None:
        clip = self._at("clip", shape)
        for name, value in zip(
            ("logits", "embedding"), self._session.run(["logits", "embedding"], {"clip": clip}), strict=True
        ):
            self._at(name, value.shape)[:] = value

    def _at(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        size = int(np.prod(shape)) * 4
        memory: Any = (ctypes.c_byte * size).from_address(self._addresses[name])
        return np.frombuffer(memory, np.float32).reshape(shape)
