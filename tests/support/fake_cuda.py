"""A stand-in for CUDA's driver that really moves memory, so that buffers, graphs and events are exercised where there
is no GPU. It knows nothing of NVIDIA's library but the calls that are made; their names and parameters are held against
NVIDIA's own header by .ci/tensorrt-names."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

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
        self.events = self.streams = 0
        self.retained = 0  # holders of the context
        self.current = threading.local()  # whether a thread has made the context its own
        self.broken: dict[str, int] = {}  # function -> the status that it gives
        self.works: dict[str, int] = {}  # how many calls of a broken one still work
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
            if name in self.broken and self.works.get(name, 0) < 1:
                return self.broken[name]
            if name in self.broken:
                self.works[name] -= 1
            return work(*arguments) or 0

        return function

    @property
    def held(self) -> dict[str, int]:
        """How much was taken and not given back, of what there is any."""
        counts = {
            "blocks of memory": len(self.memory),
            "graphs": len(self.graphs),
            "events": self.events,
            "streams": self.streams,
            "contexts": self.retained,
        }
        return {what: count for what, count in counts.items() if count}

    def enqueue(self, work: Callable[[], None]) -> None:
        if self.captured is None:
            work()
        else:
            self.captured.append(work)

    def _cuInit(self, flags: int) -> int:
        return 0 if flags == 0 else 1

    def _cuGetErrorName(self, status: int, text: Any) -> None:
        names = {2: b"CUDA_ERROR_OUT_OF_MEMORY", 100: b"CUDA_ERROR_NO_DEVICE", 201: b"CUDA_ERROR_INVALID_CONTEXT"}
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
        self.streams += 1
        stream[0] = 77

    def _cuStreamDestroy_v2(self, stream: int) -> int:
        self.streams -= 1
        return 0 if stream == 77 else 400

    def _cuStreamSynchronize(self, stream: int) -> int:
        return 0 if stream == 77 else 400

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
