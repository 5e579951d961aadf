"""The few calls of CUDA's driver that inference needs, by ctypes: the library is there wherever the GPU works, on every
JetPack and every PC, and nothing has to be installed for it."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from ctypes import c_char_p, c_float, c_int, c_size_t, c_uint, c_uint64, c_void_p
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import BundleError

LIBRARY = "libcuda.so.1"


class Out(NamedTuple):
    """A parameter through which a function gives something of that type."""

    type: Any


# The parameters of each function, as cuda.h has them; .ci/tensorrt-names holds them against cuda.h of CUDA 12 and 13.
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "cuInit": (c_uint,),
    "cuGetErrorName": (c_int, Out(c_char_p)),
    "cuDriverGetVersion": (Out(c_int),),
    "cuDeviceGetCount": (Out(c_int),),
    "cuDeviceGet": (Out(c_int), c_int),
    "cuDeviceGetName": (c_void_p, c_int, c_int),
    "cuDeviceGetAttribute": (Out(c_int), c_int, c_int),
    "cuDevicePrimaryCtxRetain": (Out(c_void_p), c_int),
    "cuDevicePrimaryCtxRelease_v2": (c_int,),
    "cuCtxSetCurrent": (c_void_p,),
    "cuStreamCreate": (Out(c_void_p), c_uint),
    "cuStreamDestroy_v2": (c_void_p,),
    "cuStreamSynchronize": (c_void_p,),
    "cuStreamBeginCapture_v2": (c_void_p, c_int),
    "cuStreamEndCapture": (c_void_p, Out(c_void_p)),
    "cuGraphInstantiateWithFlags": (Out(c_void_p), c_void_p, c_uint64),
    "cuGraphLaunch": (c_void_p, c_void_p),
    "cuGraphDestroy": (c_void_p,),
    "cuGraphExecDestroy": (c_void_p,),
    "cuEventCreate": (Out(c_void_p), c_uint),
    "cuEventDestroy_v2": (c_void_p,),
    "cuEventRecord": (c_void_p, c_void_p),
    "cuEventSynchronize": (c_void_p,),
    "cuEventElapsedTime": (Out(c_float), c_void_p, c_void_p),
    "cuMemAlloc_v2": (Out(c_uint64), c_size_t),
    "cuMemFree_v2": (c_uint64,),
    "cuMemAllocHost_v2": (Out(c_void_p), c_size_t),
    "cuMemFreeHost": (c_void_p,),
    "cuMemcpyHtoDAsync_v2": (c_uint64, c_void_p, c_size_t, c_void_p),
    "cuMemcpyDtoHAsync_v2": (c_void_p, c_uint64, c_size_t, c_void_p),
}
CAPTURE_THREAD_LOCAL = 1  # CUstreamCaptureMode
COMPUTE_CAPABILITY_MAJOR, COMPUTE_CAPABILITY_MINOR = 75, 76  # CUdevice_attribute
_DRIVER = ": the NVIDIA driver does not run; a container needs --runtime nvidia, a service what `doctor --service` says"
_HINTS = dict.fromkeys(
    ("CUDA_ERROR_NO_DEVICE", "CUDA_ERROR_UNKNOWN", "CUDA_ERROR_OPERATING_SYSTEM", "CUDA_ERROR_STUB_LIBRARY"), _DRIVER
)


class Cuda:
    """A stream on the first GPU, and calls on it, from any thread. Raises BundleError where CUDA is not there or a call
    fails. TensorRT works in the same context, which is the one that CUDA's runtime uses by itself."""

    def __init__(self, library: Any = None) -> None:
        self._library = library or open_library()
        self._threads = threading.local()
        self._context: Any = None
        self.call("cuInit", 0)
        if self.call("cuDeviceGetCount") == 0:
            raise BundleError("CUDA finds no GPU on this machine")
        self._device = self.call("cuDeviceGet", 0)
        self._context = self.call("cuDevicePrimaryCtxRetain", self._device)
        with undone(lambda: self.call("cuDevicePrimaryCtxRelease_v2", self._device)):
            self.stream = self.call("cuStreamCreate", 0)

    def call(self, name: str, *arguments: Any) -> Any:
        """A function of CUDA's driver by its name in cuda.h; returns what it gives."""
        if self._context is not None and not getattr(self._threads, "ready", False):
            self._checked("cuCtxSetCurrent", self._context)  # each thread has a current context of its own
            self._threads.ready = True
        return self._checked(name, *arguments)

    def _checked(self, name: str, *arguments: Any) -> Any:
        status, given = self._bare(name, *arguments)
        if status != 0:
            known, text = self._bare("cuGetErrorName", status)
            why = text.decode() if known == 0 and text else str(status)
            raise BundleError(f"CUDA failed in {name}: {why}{_HINTS.get(why, '')}")
        return given

    def _bare(self, name: str, *arguments: Any) -> tuple[int, Any]:
        """The status of a call, and what it gives."""
        given, rest, passed = None, iter(arguments), []
        for kind in FUNCTIONS[name]:
            if isinstance(kind, Out):
                given = kind.type()
                passed.append(ctypes.byref(given))
            else:
                passed.append(next(rest))
        return int(getattr(self._library, name)(*passed)), None if given is None else given.value

    def synchronise(self) -> None:
        self.call("cuStreamSynchronize", self.stream)

    def device(self) -> tuple[str, str, str]:
        """Name of the GPU, compute capability ("8.7"), the CUDA that its driver knows ("12.6")."""
        text = ctypes.create_string_buffer(256)
        self.call("cuDeviceGetName", text, len(text), self._device)
        kinds = (COMPUTE_CAPABILITY_MAJOR, COMPUTE_CAPABILITY_MINOR)
        major, minor = (self.call("cuDeviceGetAttribute", kind, self._device) for kind in kinds)
        version = self.call("cuDriverGetVersion")
        return text.value.decode(), f"{major}.{minor}", f"{version // 1000}.{version % 1000 // 10}"

    def capture(self, work: Callable[[], None]) -> Any:
        """What `work` enqueues, as a CUDA graph to be launched; it is not run."""
        self.call("cuStreamBeginCapture_v2", self.stream, CAPTURE_THREAD_LOCAL)
        try:
            work()
        finally:
            graph = self.call("cuStreamEndCapture", self.stream)
        try:
            return self.call("cuGraphInstantiateWithFlags", graph, 0)
        finally:
            self.call("cuGraphDestroy", graph)

    def launch(self, graph: Any) -> None:
        self.call("cuGraphLaunch", graph, self.stream)

    def timed_ms(self, work: Callable[[], None]) -> float:
        """How long the GPU takes for what `work` enqueues, by CUDA events."""
        with ExitStack() as events:
            start, end = (self._event(events) for _ in range(2))
            self.call("cuEventRecord", start, self.stream)
            work()
            self.call("cuEventRecord", end, self.stream)
            self.call("cuEventSynchronize", end)
            return float(self.call("cuEventElapsedTime", start, end))

    def _event(self, events: ExitStack) -> Any:
        """An event that goes with `events`."""
        event = self.call("cuEventCreate", 0)
        events.callback(self.call, "cuEventDestroy_v2", event)
        return event

    def close(self) -> None:
        with ExitStack() as held:  # the context too where the stream cannot be destroyed
            held.callback(self.call, "cuDevicePrimaryCtxRelease_v2", self._device)
            held.callback(self.call, "cuStreamDestroy_v2", self.stream)
        self._context = None

    def __enter__(self) -> Cuda:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Buffer:
    """Page-locked memory of the host, seen as `array`, and its twin on the GPU at `address`."""

    def __init__(self, cuda: Cuda, shape: tuple[int, ...]) -> None:
        self._cuda = cuda
        self._row_bytes = int(np.prod(shape[1:])) * 4
        size = shape[0] * self._row_bytes
        self._host = int(cuda.call("cuMemAllocHost_v2", size))
        with undone(lambda: cuda.call("cuMemFreeHost", self._host)):
            self.address = int(cuda.call("cuMemAlloc_v2", size))
        memory: Any = (ctypes.c_byte * size).from_address(self._host)
        self.array: NDArray[np.float32] = np.frombuffer(memory, np.float32).reshape(shape)

    def upload(self, rows: int) -> None:
        size = rows * self._row_bytes
        self._cuda.call("cuMemcpyHtoDAsync_v2", self.address, self._host, size, self._cuda.stream)

    def download(self, rows: int) -> None:
        size = rows * self._row_bytes
        self._cuda.call("cuMemcpyDtoHAsync_v2", self._host, self.address, size, self._cuda.stream)

    def free(self) -> None:
        del self.array
        with ExitStack() as held:
            held.callback(self._cuda.call, "cuMemFreeHost", self._host)
            held.callback(self._cuda.call, "cuMemFree_v2", self.address)


@contextmanager
def undone(undo: Callable[[], Any]) -> Iterator[None]:
    """Where what is done within fails, what was done before is undone. The failure that is told is the first one: after
    it CUDA often refuses everything, for the same reason."""
    try:
        yield
    except BaseException:
        with suppress(BundleError):
            undo()
        raise


def open_library() -> Any:
    """CUDA's driver library. Raises BundleError where it is missing or too old."""
    try:
        library = ctypes.CDLL(LIBRARY)
        for name, kinds in FUNCTIONS.items():
            getattr(library, name).argtypes = [ctypes.POINTER(k.type) if isinstance(k, Out) else k for k in kinds]
    except (OSError, AttributeError) as error:
        raise BundleError(
            f"CUDA's driver library does not load ({error}): it comes with NVIDIA's driver, on a Jetson with "
            "nvidia-l4t-cuda (sudo apt-get install nvidia-l4t-cuda), in a container with --runtime nvidia"
        ) from None
    return library
