"""ONNX Runtime: runs a bundle's ONNX on the CPU, or on what other providers there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_c2vl.backends.base import Backend
from edge_c2vl.errors import BundleError
from edge_c2vl.skeleton import Array


class OnnxRuntimeBackend(Backend):
    """A session over one ONNX file. threads: 0 leaves the number to ONNX Runtime."""

    def __init__(self, model: Path, precision: str, providers: list[str] | None = None, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Spinning keeps a core busy between two decisions, which belongs to the pose network.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(model), options, providers=providers or ["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises a family of its own, none of which is exported
            raise BundleError(f"{model}: ONNX Runtime cannot open it: {' '.join(str(error).split())}") from error
        shape = self._session.get_inputs()[0].shape
        provider = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        super().__init__(f"onnxruntime:{provider}", precision, (shape[1], shape[2], shape[3]))

    def _infer(self, clip: Array) -> tuple[Array, Array]:
        logits, embedding = self._session.run(["logits", "embedding"], {"clip": clip})
        return logits, embedding

    def _close(self) -> None:
        self._session = None
