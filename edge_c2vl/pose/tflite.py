"""Reads a TensorFlow Lite file with the schema that MediaPipe's wheel carries, without TensorFlow Lite."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError


@lru_cache
def mediapipe_folder() -> Path:
    """Where MediaPipe is installed; it is not imported. Raises UsageError where it is missing."""
    found = importlib.util.find_spec("mediapipe")
    if found is None or found.origin is None:
        raise UsageError("the pose networks come from MediaPipe's wheel: pip install mediapipe==0.10.14")
    return Path(found.origin).parent


@lru_cache
def schema() -> Any:
    """TensorFlow Lite's flatbuffer schema as a Python module."""
    path = mediapipe_folder() / "tasks" / "metadata" / "schema_py_generated.py"
    spec = importlib.util.spec_from_file_location("edge_c2vl_tflite_schema", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UsageError(f"this MediaPipe has no {path}: pip install mediapipe==0.10.14")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Graph:
    """The one graph of a file. `operators`: in the order they run in. `inputs`, `outputs`: numbers of tensors."""

    def __init__(self, content: bytes) -> None:
        names = schema()
        self._model = names.ModelT.InitFromObj(names.Model.GetRootAsModel(content, 0))
        self._graph = self._model.subgraphs[0]
        self.operators: list[Any] = list(self._graph.operators)
        self.inputs = [int(number) for number in self._graph.inputs]
        self.outputs = [int(number) for number in self._graph.outputs]
        self._kinds = {value: name for name, value in vars(names.BuiltinOperator).items() if isinstance(value, int)}
        self._types = {
            names.TensorType.FLOAT32: np.float32,
            names.TensorType.FLOAT16: np.float16,
            names.TensorType.INT32: np.int32,
        }

    def kind(self, operator: Any) -> str:
        """The operator's name in the schema, such as CONV_2D, or the one that MediaPipe gives its own."""
        code = self._model.operatorCodes[operator.opcodeIndex]
        if code.customCode:
            return str(code.customCode, "ascii")
        return self._kinds[max(code.builtinCode, code.deprecatedBuiltinCode)]

    def options(self, operator: Any) -> Any:
        """The schema's record of them; of MediaPipe's own operators a dict."""
        from flatbuffers import flexbuffers

        stored = operator.customOptions
        return operator.builtinOptions if stored is None else flexbuffers.Loads(bytes(bytearray(stored)))

    def shape(self, number: int) -> list[int]:
        return [int(size) for size in self._graph.tensors[number].shape]

    def stored(self, number: int) -> NDArray[Any] | None:
        """The values that the file holds for a tensor, sparse ones made dense; None where it is computed."""
        tensor = self._graph.tensors[number]
        data = self._model.buffers[tensor.buffer].data
        if data is None or len(data) == 0:
            return None
        values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), self._types[tensor.type])
        return self._dense(tensor, values) if tensor.sparsity is not None else values.reshape(self.shape(number))

    def _dense(self, tensor: Any, values: NDArray[Any]) -> NDArray[Any]:
        """Values stored row by row: where each row's begin, and which columns they belong to."""
        sparsity, rank = tensor.sparsity, len(tensor.shape)
        sparse_dimension = schema().DimensionType.SPARSE_CSR
        formats = [dimension.format == sparse_dimension for dimension in sparsity.dimMetadata]
        if list(sparsity.traversalOrder) != list(range(rank)) or formats != [False] * (rank - 1) + [True]:
            raise ValueError(f"the tensor {tensor.name!r} is stored in a way that is not known here")
        last = sparsity.dimMetadata[-1]
        begins = np.asarray(last.arraySegments.values, np.int64)
        columns = np.asarray(last.arrayIndices.values, np.int64)
        dense = np.zeros((len(begins) - 1, int(tensor.shape[-1])), values.dtype)
        dense[np.repeat(np.arange(len(begins) - 1), np.diff(begins)), columns] = values
        return dense.reshape([int(size) for size in tensor.shape])
