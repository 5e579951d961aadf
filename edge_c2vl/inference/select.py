"""Inference engines behind one interface: one file an engine, one line here where it is listed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from edge_c2vl.errors import BundleError, UsageError
from edge_c2vl.inference.base import Backend
from edge_c2vl.inference.providers import PROVIDERS

if TYPE_CHECKING:
    from edge_c2vl.bundle.bundle import Bundle

log = logging.getLogger("edge_c2vl")

# Name -> the function that opens it, as "module:function" of this folder, and what of it "auto" tries, best first. It
# takes the bundle, what stands behind the name's colon, the precision and the number of threads.
ENGINES: dict[str, tuple[str, tuple[str, ...]]] = {
    "tensorrt": ("tensorrt:open_tensorrt", ("",)),
    "onnxruntime": ("onnxruntime:open_onnxruntime", ("cuda", "cpu")),
}
NAMES = ("auto", *ENGINES)


def open_backend(bundle: Bundle, name: str = "auto", precision: str = "auto", threads: int = 1) -> Backend:
    """Opens the model of a verified bundle.

    name: "tensorrt", "onnxruntime" (CUDA where this build has it, else the CPU), "onnxruntime:" and providers in the
    order they are tried in ("onnxruntime:cuda,cpu"), or "auto": the best that opens; its `note` says why the others did
    not. precision: "auto" is the best that there is a model of; on a CPU the one that was measured to be fastest.
    Raises UsageError for a backend or precision that there is not, BundleError for a model that does not open.
    """
    kind, _, variant = name.partition(":")
    if kind not in NAMES or (variant and (kind == "auto" or ENGINES[kind][1] == ("",))):
        raise UsageError(f"no backend {name!r}: there are {', '.join(NAMES)}, and onnxruntime:{','.join(PROVIDERS)}")
    if kind != "auto":
        return _open(bundle, kind, variant, precision, threads)
    refused = []
    for kind, variant in [(kind, variant) for kind, (_, variants) in ENGINES.items() for variant in variants]:
        try:
            backend = _open(bundle, kind, variant, precision, threads)
        except BundleError as error:
            refused.append(f"{kind}:{variant}: {error}" if variant else f"{kind}: {error}")
            continue
        backend.note = "; ".join([part for part in (backend.note, *(f"not {why}" for why in refused)) if part])
        if refused and any(
            (engine.backend, engine.model) == ("tensorrt", "encoder") for engine in bundle.manifest.engines
        ):
            # Slower than what was built for this vehicle: whoever runs it without a terminal has to learn of it too.
            backend.unused_engine = refused[0]
            log.warning("running on %s, because the bundle's engine cannot be used: %s", backend.name, refused[0])
        return backend
    raise BundleError(f"no backend opens bundle {bundle.path}: {'; '.join(refused)}")


def _open(bundle: Bundle, kind: str, variant: str, precision: str, threads: int) -> Backend:
    module, _, function = ENGINES[kind][0].partition(":")
    opener: Callable[[Bundle, str, str, int], Backend] = getattr(
        import_module(f"edge_c2vl.inference.{module}"), function
    )
    return opener(bundle, variant, precision, threads)
