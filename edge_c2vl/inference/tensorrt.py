"""TensorRT: runs an engine that was built on this device and that the bundle's manifest vouches for."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_c2vl.bundle.bundle import Bundle, Engine, Manifest
from edge_c2vl.device.jetson import tensorrt_hint
from edge_c2vl.errors import BundleError
from edge_c2vl.inference.base import Backend
from edge_c2vl.inference.cuda import Buffer, Cuda
from edge_c2vl.inference.engine_check import Device, fitting_engine, listed_engines, vouched_plan
from edge_c2vl.skeletons.skeleton import Array

OLDEST = (8, 6)


class TensorRTBackend(Backend):
    """An engine with pinned host buffers. The work of a batch size is captured as a CUDA graph when it comes a second
    time in a row, so that a decision costs one launch."""

    def __init__(
        self,
        plan: bytes,
        engine: Engine,
        manifest: Manifest,
        trt: Any = None,
        cuda: Cuda | None = None,
        graph: bool = True,
    ) -> None:
        """plan: bytes from `vouched_plan`, or just built. graph: whether work may be captured. Raises BundleError where
        TensorRT refuses the plan."""
        trt = trt or load_tensorrt()
        self._cuda = cuda or Cuda()
        self._log = make_log(trt)
        self._runtime = trt.Runtime(self._log)
        if engine.version_compatible:
            # Such a plan brings its own runtime, which TensorRT loads only when told that the plan is trusted.
            self._runtime.engine_host_code_allowed = True
        if engine.dla is not None:
            self._runtime.DLA_core = engine.dla
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise BundleError(f"TensorRT cannot load {engine.path}: {self._log.last}")
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise BundleError(f"TensorRT cannot run {engine.path}: {self._log.last}")
        self._smallest, _, largest = engine.batch
        shape = (3, manifest.clip.frames, 25)
        self._buffers = {
            "clip": Buffer(self._cuda, (largest, *shape)),
            "logits": Buffer(self._cuda, (largest, len(manifest.labels))),
            "embedding": Buffer(self._cuda, (largest, manifest.embedding_size)),
        }
        for name, buffer in self._buffers.items():
            self._context.set_tensor_address(name, buffer.address)
        self._largest = largest
        self._rows = 0  # the batch size that the context is set to
        self._graph: Any = None  # of that batch size; None: not captured yet, or not to be captured
        self._capturable = graph
        super().__init__("tensorrt", engine.precision, shape)

    @classmethod
    def open(cls, bundle: Bundle, precision: str = "auto") -> TensorRTBackend:
        """The best engine of the bundle that was built for this device. Raises BundleError: see `fitting_engine`."""
        listed_engines(bundle, precision)  # said before TensorRT is missed
        trt, cuda = load_tensorrt(), Cuda()
        engine = fitting_engine(bundle, this_device(trt, cuda), precision)
        return cls(vouched_plan(bundle, engine), engine, bundle.manifest, trt, cuda)

    def gpu_ms(self, clips: Array, times: int = 200) -> list[float]:
        """GPU time of each of `times` inferences of clips (N, 3, T, 25), copies included, by CUDA events."""
        for _ in range(10):
            self.infer(clips)
        rows = max(len(clips), self._smallest)
        return [self._cuda.timed_ms(lambda: self._start(rows)) for _ in range(times)]

    def _infer(self, clip: Array) -> tuple[Array, Array]:
        parts = [self._part(clip[first : first + self._largest]) for first in range(0, len(clip), self._largest)]
        logits, embeddings = zip(*parts, strict=True)
        return np.concatenate(logits), np.concatenate(embeddings)

    def _part(self, clip: Array) -> tuple[Array, Array]:
        count = len(clip)
        rows = max(count, self._smallest)
        given = self._buffers["clip"].array
        given[:count], given[count:rows] = clip, 0
        self._start(rows)
        self._cuda.synchronise()
        # Copied: the next inference overwrites the buffers.
        return self._buffers["logits"].array[:count].copy(), self._buffers["embedding"].array[:count].copy()

    def _start(self, rows: int) -> None:
        """Enqueues the inference of the first `rows` clips of the buffer."""
        if rows != self._rows:
            self._drop_graph()
            if not self._context.set_input_shape("clip", (rows, *self.clip_shape)):
                raise BundleError(f"TensorRT does not take a batch of {rows}: {self._log.last}")
            self._rows = rows
            self._enqueue()  # TensorRT sets itself up for the shape now, which must not happen inside a capture
            return
        if self._graph is None and self._capturable:
            try:
                self._graph = self._cuda.capture(self._enqueue)
            except BundleError:
                self._capturable = False  # some engines (DLA, loops) cannot be captured; they run as they are
        if self._graph is None:
            self._enqueue()
        else:
            self._cuda.launch(self._graph)

    def _enqueue(self) -> None:
        self._buffers["clip"].upload(self._rows)
        if not self._context.execute_async_v3(self._cuda.stream):
            raise BundleError(f"TensorRT failed: {self._log.last}")
        self._buffers["logits"].download(self._rows)
        self._buffers["embedding"].download(self._rows)

    def _drop_graph(self) -> None:
        if self._graph is not None:
            self._cuda.call("cuGraphExecDestroy", self._graph)
            self._graph = None

    def _close(self) -> None:
        self._cuda.synchronise()
        self._drop_graph()
        for buffer in self._buffers.values():
            buffer.free()
        self._context = self._engine = self._runtime = None
        self._cuda.close()


def open_tensorrt(bundle: Bundle, _variant: str, precision: str, _threads: int) -> TensorRTBackend:
    return TensorRTBackend.open(bundle, precision)


def load_tensorrt() -> Any:
    """The module tensorrt. Raises BundleError with what to install where it is missing, broken or too old."""
    try:
        import tensorrt
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "tensorrt"
        why = "is missing" if missing else f"does not load ({error})"
        raise BundleError(f"TensorRT's Python binding {why}: {tensorrt_hint()}") from None
    if version_of(tensorrt) < OLDEST:
        raise BundleError(f"TensorRT {tensorrt.__version__} is too old, 8.6 or newer is needed: {tensorrt_hint()}")
    return tensorrt


def version_of(trt: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in trt.__version__.split(".")[:3] if part.isdecimal())


def this_device(trt: Any, cuda: Cuda) -> Device:
    gpu, sm, version = cuda.device()
    return Device(gpu, sm, trt.__version__, version)


def make_log(trt: Any) -> Any:
    """A TensorRT logger that says nothing and keeps the last error in `last`: it belongs into our one line."""

    class Log(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.last = "it gave no reason"

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.last = " ".join(message.split())

    return Log()
