"""What ONNX Runtime may run on. Nothing is imported here, so that the help of commands can name it."""

from __future__ import annotations

# Short name -> what ONNX Runtime calls it, in the order that they are tried in.
PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
