"""Inference engines behind one interface: one file an engine, one line here where it is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_c2vl.backends.base import Backend
from edge_c2vl.errors import UsageError

if TYPE_CHECKING:
    from edge_c2vl.bundle import Bundle

NAMES = ("auto", "onnxruntime")

__all__ = ["NAMES", "Backend", "open_backend"]


def open_backend(bundle: Bundle, name: str = "auto", precision: str = "auto", threads: int = 1) -> Backend:
    """Opens the model of a verified bundle. Raises UsageError for a backend or precision that there is not, BundleError
    for a model that does not open."""
    if name not in NAMES:
        raise UsageError(f"no backend {name!r}: there are {', '.join(NAMES)}")
    from edge_c2vl.backends.onnxruntime import OnnxRuntimeBackend

    precision = "fp32" if precision == "auto" else precision
    return OnnxRuntimeBackend(bundle.model_path(precision), precision, threads=threads)
