"""An open TensorRT plan: arrays in, arrays out. The encoder's backend and the pose networks run on it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np

from edge_c2vl.bundle.bundle import Engine
from edge_c2vl.errors import BundleError
from edge_c2vl.inference.cuda import Buffer, Cuda, undone
from edge_c2vl.skeletons.skeleton import Array


class PlanRunner:
    """A plan with pinned host buffers. The work of a batch size is captured as a CUDA graph when it comes a second time
    in a row, so that an inference costs one launch. It is the user of `cuda`, and does not close it."""

    def __init__(
        self,
        plan: bytes,
        trt: Any,
        cuda: Cuda,
        largest: int = 1,
        engine: Engine | None = None,
        graph: bool = True,
    ) -> None:
        """largest: rows that tensors whose first size may vary have room for. engine: what a manifest says of the plan;
        it is needed where the plan runs on a DLA or with another version of TensorRT. graph: whether work may be
        captured. Raises BundleError where TensorRT refuses the plan."""
        name = "the plan" if engine is None else engine.path
        self._cuda, self._log = cuda, make_log(trt)
        self._runtime = trt.Runtime(self._log)
        if engine is not None and engine.version_compatible:
            # Such a plan brings its own runtime, which TensorRT loads only when told that the plan is trusted.
            self._runtime.engine_host_code_allowed = True
        if engine is not None and engine.dla is not None:
            self._runtime.DLA_core = engine.dla
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise BundleError(f"TensorRT cannot load {name}: {self._log.last}")
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise BundleError(f"TensorRT cannot run {name}: {self._log.last}")
        self._rows = 0  # the batch size that the context is set to
        self._graph: Any = None  # of that batch size; None: not captured yet, or not to be captured
        self._capturable = graph
        self._buffers: dict[str, Buffer] = {}
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        with undone(self.close):
            for tensor in map(self._engine.get_tensor_name, range(self._engine.num_io_tensors)):
                first, *rest = self._engine.get_tensor_shape(tensor)
                self._buffers[tensor] = Buffer(cuda, (first if first > 0 else largest, *rest))
                self._context.set_tensor_address(tensor, self._buffers[tensor].address)
                given = self._engine.get_tensor_mode(tensor) == trt.TensorIOMode.INPUT
                (self.inputs if given else self.outputs).append(tensor)

    def run(self, given: Mapping[str, Array], smallest: int = 1) -> dict[str, Array]:
        """The answers to inputs by name, float32 (N, ...). smallest: rows that the plan takes at least; what is missing
        is filled up with zeros, and what comes of these is left out."""
        count = len(next(iter(given.values())))
        rows = max(count, smallest)
        for name, value in given.items():
            array = self._buffers[name].array
            array[:count], array[count:rows] = value, 0
        self.start(rows)
        self._cuda.synchronise()
        # Copied: the next inference overwrites the buffers.
        return {name: self._buffers[name].array[:count].copy() for name in self.outputs}

    def start(self, rows: int) -> None:
        """Enqueues the inference of the first `rows` rows of what the inputs were last."""
        if rows != self._rows:
            self._drop_graph()
            for name in self.inputs:
                if not self._context.set_input_shape(name, (rows, *self._buffers[name].array.shape[1:])):
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

    def gpu_ms(self, rows: int = 1, times: int = 200) -> list[float]:
        """GPU time of each of `times` inferences with the inputs as they were last, copies included, by CUDA events."""
        return [self._cuda.timed_ms(lambda: self.start(rows)) for _ in range(times)]

    def close(self) -> None:
        with ExitStack() as held:  # in reverse, and the rest too where one cannot be given back
            held.callback(self._drop_plan)
            for buffer in self._buffers.values():
                held.callback(buffer.free)
            held.callback(self._drop_graph)
            held.callback(self._cuda.synchronise)

    def _enqueue(self) -> None:
        for name in self.inputs:
            self._buffers[name].upload(self._rows)
        if not self._context.execute_async_v3(self._cuda.stream):
            raise BundleError(f"TensorRT failed: {self._log.last}")
        for name in self.outputs:
            self._buffers[name].download(self._rows)

    def _drop_graph(self) -> None:
        if self._graph is not None:
            graph, self._graph = self._graph, None
            self._cuda.call("cuGraphExecDestroy", graph)

    def _drop_plan(self) -> None:
        self._context = self._engine = self._runtime = None

    def __enter__(self) -> PlanRunner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def differences(found: Mapping[str, Array], expected: Mapping[str, Array]) -> dict[str, float]:
    """The largest difference of each answer."""
    return {name: float(np.abs(found[name] - expected[name]).max()) for name in expected}


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
