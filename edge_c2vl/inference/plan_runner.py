"""A TensorRT plan whose inputs have fixed shapes, such as the pose networks': pictures in, answers out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edge_c2vl.errors import BundleError
from edge_c2vl.inference.cuda import Buffer, Cuda
from edge_c2vl.inference.tensorrt import make_log
from edge_c2vl.skeletons.skeleton import Array


class PlanRunner:
    """An open plan. The first run is as it comes; from the second on it is one launch of a CUDA graph, unless
    graph=False. A context manager. Raises BundleError where TensorRT or CUDA fail."""

    def __init__(self, plan: bytes, trt: Any, cuda: Cuda, graph: bool = True) -> None:
        self._cuda, self._wants_graph, self._log = cuda, graph, make_log(trt)
        self._runtime = trt.Runtime(self._log)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise BundleError(f"TensorRT cannot load the plan: {self._log.last}")
        self._context = self._engine.create_execution_context()
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        self._buffers = {name: Buffer(cuda, tuple(self._engine.get_tensor_shape(name))) for name in names}
        self.inputs = [name for name in names if self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        for name, buffer in self._buffers.items():
            self._context.set_tensor_address(name, buffer.address)
        self._runs, self._graph = 0, None

    def run(self, given: Mapping[str, Array]) -> dict[str, Array]:
        """The answers to inputs by name, float32."""
        for name, value in given.items():
            self._buffers[name].array[:] = value
        self._start()
        self._cuda.synchronise()
        return {name: buffer.array.copy() for name, buffer in self._buffers.items() if name not in self.inputs}

    def gpu_ms(self, times: int = 200) -> list[float]:
        """GPU time of each of `times` runs with the inputs as they were last, copies included, by CUDA events."""
        return [self._cuda.timed_ms(self._start) for _ in range(times)]

    def _start(self) -> None:
        if self._wants_graph and self._runs > 0 and self._graph is None:
            self._graph = self._cuda.capture(self._enqueue)
        self._runs += 1
        if self._graph is None:
            self._enqueue()
        else:
            self._cuda.launch(self._graph)

    def _enqueue(self) -> None:
        for name in self.inputs:
            self._buffers[name].upload(len(self._buffers[name].array))
        if not self._context.execute_async_v3(self._cuda.stream):
            raise BundleError(f"TensorRT failed: {self._log.last}")
        for name, buffer in self._buffers.items():
            if name not in self.inputs:
                buffer.download(len(buffer.array))

    def __enter__(self) -> PlanRunner:
        return self

    def __exit__(self, *_: object) -> None:
        self._cuda.synchronise()
        if self._graph is not None:
            self._cuda.call("cuGraphExecDestroy", self._graph)
        for buffer in self._buffers.values():
            buffer.free()
        self._context = self._engine = self._runtime = None


def differences(found: Mapping[str, Array], expected: Mapping[str, Array]) -> dict[str, float]:
    """The largest difference of each answer."""
    return {name: float(np.abs(found[name] - expected[name]).max()) for name in expected}
