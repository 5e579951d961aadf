"""The few calls of the CUDA runtime that inference needs, through cuda-python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.device.machine import tensorrt_hint
from edge_c2vl.errors import BundleError


class Cuda:
    """A stream on the current GPU, and calls on it. Raises BundleError where CUDA is not there or a call fails."""

    def __init__(self, runtime: Any = None) -> None:
        self.runtime = runtime or _runtime()
        if self.call("cudaGetDeviceCount") == 0:
            raise BundleError("CUDA finds no GPU on this machine")
        self.stream = self.call("cudaStreamCreate")

    def call(self, name: str, *arguments: Any) -> Any:
        """A function of the CUDA runtime by its name; returns what it gives beside its status."""
        status, *results = getattr(self.runtime, name)(*arguments)
        if int(status) != 0:
            why = getattr(status, "name", str(status))
            hint = ": the NVIDIA driver is missing or too old" if why == "cudaErrorInsufficientDriver" else ""
            raise BundleError(f"CUDA failed in {name}: {why}{hint}")
        return results[0] if len(results) == 1 else tuple(results)

    def synchronise(self) -> None:
        self.call("cudaStreamSynchronize", self.stream)

    def device(self) -> tuple[str, str, str]:
        """Name of the GPU, compute capability ("8.7"), version of the CUDA runtime ("12.6")."""
        properties = self.call("cudaGetDeviceProperties", self.call("cudaGetDevice"))
        name = properties.name.decode() if isinstance(properties.name, bytes) else str(properties.name)
        version = int(self.call("cudaRuntimeGetVersion"))
        return name.rstrip("\0"), f"{properties.major}.{properties.minor}", f"{version // 1000}.{version % 1000 // 10}"

    def capture(self, work: Callable[[], None]) -> Any:
        """What `work` enqueues, as a CUDA graph to be launched; it is not run."""
        mode = self.runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self.call("cudaStreamBeginCapture", self.stream, mode)
        try:
            work()
        finally:
            graph = self.call("cudaStreamEndCapture", self.stream)
        try:
            return self.call("cudaGraphInstantiate", graph, 0)
        finally:
            self.call("cudaGraphDestroy", graph)

    def launch(self, graph: Any) -> None:
        self.call("cudaGraphLaunch", graph, self.stream)

    def timed_ms(self, work: Callable[[], None]) -> float:
        """How long the GPU takes for what `work` enqueues, by CUDA events."""
        start, end = self.call("cudaEventCreate"), self.call("cudaEventCreate")
        try:
            self.call("cudaEventRecord", start, self.stream)
            work()
            self.call("cudaEventRecord", end, self.stream)
            self.call("cudaEventSynchronize", end)
            return float(self.call("cudaEventElapsedTime", start, end))
        finally:
            self.call("cudaEventDestroy", start)
            self.call("cudaEventDestroy", end)

    def close(self) -> None:
        self.call("cudaStreamDestroy", self.stream)


class Buffer:
    """Page-locked memory of the host, seen as `array`, and its twin on the GPU at `address`."""

    def __init__(self, cuda: Cuda, shape: tuple[int, ...]) -> None:
        self._cuda = cuda
        self._row_bytes = int(np.prod(shape[1:])) * 4
        size = shape[0] * self._row_bytes
        self._host = int(cuda.call("cudaMallocHost", size))
        self.address = int(cuda.call("cudaMalloc", size))
        memory: Any = (ctypes.c_byte * size).from_address(self._host)
        self.array: NDArray[np.float32] = np.frombuffer(memory, np.float32).reshape(shape)

    def upload(self, rows: int) -> None:
        self._copy(self.address, self._host, rows, "cudaMemcpyHostToDevice")

    def download(self, rows: int) -> None:
        self._copy(self._host, self.address, rows, "cudaMemcpyDeviceToHost")

    def _copy(self, target: int, source: int, rows: int, kind: str) -> None:
        direction = getattr(self._cuda.runtime.cudaMemcpyKind, kind)
        self._cuda.call("cudaMemcpyAsync", target, source, rows * self._row_bytes, direction, self._cuda.stream)

    def free(self) -> None:
        del self.array
        self._cuda.call("cudaFree", self.address)
        self._cuda.call("cudaFreeHost", self._host)


def _runtime() -> Any:
    try:
        from cuda.bindings import runtime
    except ImportError:
        try:
            from cuda import cudart as runtime  # cuda-python before 12.6
        except ImportError:
            raise BundleError(f"the package cuda-python is missing: {tensorrt_hint()}") from None
    return runtime
