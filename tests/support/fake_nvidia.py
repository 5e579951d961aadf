"""Stand-ins for CUDA's driver and TensorRT that really move memory and really compute (by ONNX Runtime), so that
buffers, batches, graphs and the build's steps are exercised where there is no GPU. A "plan" is an ONNX model's bytes.

They know nothing of NVIDIA's libraries but the calls that are made; the names of these calls are held against NVIDIA's
own bindings and headers by .ci/tensorrt-names.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime

from edge_c2vl.inference.cuda import FUNCTIONS, Out


class FakeCuda:
    """Stands for libcuda.so.1: C functions with the parameters that `edge_c2vl.inference.cuda.FUNCTIONS` lists, so that
    what is passed goes through ctypes as it does to the real ones."""

    def __init__(self, gpus: int = 1, can_capture: bool = True) -> None:
        self.gpus, self.can_capture = gpus, can_capture
        self.memory: dict[int, Any] = {}
        self.captured: list[Callable[[], None]] | None = None
        self.graphs: set[int] = set()
        self.work: dict[int, list[Callable[[], None]]] = {}
        self.launches = 0
        self.events = 0
        self.retained = 0  # holders of the context
        self.current = threading.local()  # whether a thread has made the context its own
        self.broken: dict[str, int] = {}  # function -> the status that it gives
        for name, kinds in FUNCTIONS.items():
            types = [ctypes.POINTER(kind.type) if isinstance(kind, Out) else kind for kind in kinds]
            setattr(self, name, ctypes.CFUNCTYPE(ctypes.c_int, *types)(self._checked(name)))

    def _checked(self, name: str) -> Callable[..., int]:
        work = getattr(self, f"_{name}")

        def function(*arguments: Any) -> int:
            # As the real one does: without a current context only these answer.
            free = name.startswith(("cuInit", "cuGet", "cuDriver", "cuDevice", "cuCtxSetCurrent"))
            if not free and not getattr(self.current, "set", False):
                return 201
            return self.broken.get(name) or work(*arguments) or 0

        return function

    def enqueue(self, work: Callable[[], None]) -> None:
        if self.captured is None:
            work()
        else:
            self.captured.append(work)

    def _cuInit(self, flags: int) -> int:
        return 0 if flags == 0 else 1

    def _cuGetErrorName(self, status: int, text: Any) -> None:
        names = {100: b"CUDA_ERROR_NO_DEVICE", 201: b"CUDA_ERROR_INVALID_CONTEXT"}
        text[0] = names.get(status, b"CUDA_ERROR_%d" % status)

    def _cuDriverGetVersion(self, version: Any) -> None:
        version[0] = 12060

    def _cuDeviceGetCount(self, count: Any) -> None:
        count[0] = self.gpus

    def _cuDeviceGet(self, device: Any, ordinal: int) -> int:
        device[0] = 0
        return 0 if ordinal < self.gpus else 101

    def _cuDeviceGetName(self, text: int, size: int, _device: int) -> None:
        ctypes.memmove(text, b"Fake GPU\0", min(size, 9))

    def _cuDeviceGetAttribute(self, value: Any, kind: int, _device: int) -> None:
        value[0] = {75: 8, 76: 7}[kind]

    def _cuDevicePrimaryCtxRetain(self, context: Any, _device: int) -> None:
        context[0] = 55
        self.retained += 1

    def _cuDevicePrimaryCtxRelease_v2(self, _device: int) -> None:
        self.retained -= 1

    def _cuCtxSetCurrent(self, context: int) -> int:
        self.current.set = context == 55
        return 0 if context == 55 else 201

    def _cuStreamCreate(self, stream: Any, _flags: int) -> None:
        stream[0] = 77

    def _cuStreamDestroy_v2(self, stream: int) -> int:
        return 0 if stream == 77 else 400

    _cuStreamSynchronize = _cuStreamDestroy_v2

    def _cuMemAllocHost_v2(self, address: Any, size: int) -> None:
        block = (ctypes.c_byte * size)()
        address[0] = ctypes.addressof(block)
        self.memory[ctypes.addressof(block)] = block

    _cuMemAlloc_v2 = _cuMemAllocHost_v2

    def _cuMemFree_v2(self, address: int) -> None:
        del self.memory[address]

    _cuMemFreeHost = _cuMemFree_v2

    def _cuMemcpyHtoDAsync_v2(self, target: int, source: int, size: int, _stream: int) -> None:
        self.enqueue(lambda: ctypes.memmove(target, source, size))

    _cuMemcpyDtoHAsync_v2 = _cuMemcpyHtoDAsync_v2

    def _cuStreamBeginCapture_v2(self, _stream: int, _mode: int) -> int:
        if not self.can_capture:
            return 900
        self.captured = []
        return 0

    def _cuStreamEndCapture(self, _stream: int, graph: Any) -> None:
        number = len(self.work) + 1
        self.work[number], self.captured = self.captured or [], None
        graph[0] = number

    def _cuGraphInstantiateWithFlags(self, made: Any, graph: int, flags: int) -> int:
        self.graphs.add(graph)
        made[0] = graph
        return flags

    def _cuGraphDestroy(self, _graph: int) -> None:
        pass

    def _cuGraphExecDestroy(self, graph: int) -> None:
        self.graphs.remove(graph)

    def _cuGraphLaunch(self, graph: int, _stream: int) -> int:
        if graph not in self.graphs:
            return 400
        self.launches += 1
        for work in self.work[graph]:
            work()
        return 0

    def _cuEventCreate(self, event: Any, _flags: int) -> None:
        self.events += 1
        event[0] = self.events

    def _cuEventDestroy_v2(self, _event: int) -> None:
        self.events -= 1

    def _cuEventRecord(self, _event: int, stream: int) -> int:
        return 0 if stream == 77 else 400

    def _cuEventSynchronize(self, _event: int) -> None:
        pass

    def _cuEventElapsedTime(self, elapsed: Any, _start: int, _end: int) -> None:
        elapsed[0] = 0.25


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
