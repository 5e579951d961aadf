"""TensorRT: runs an engine that was built on this device and that the bundle's manifest vouches for."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_c2vl.bundle.bundle import Bundle, Engine, Manifest
from edge_c2vl.device.jetson import tensorrt_hint
from edge_c2vl.errors import BundleError
from edge_c2vl.inference.base import Backend
from edge_c2vl.inference.cuda import Cuda, undone
from edge_c2vl.inference.engine_check import Device, fitting_engine, listed_engines, vouched_plan
from edge_c2vl.inference.plan_runner import PlanRunner
from edge_c2vl.skeletons.skeleton import Array

OLDEST = (8, 6)


class TensorRTBackend(Backend):
    """An engine of the bundle on its plan (plan_runner.py): batches of any size in those that the engine takes."""

    def __init__(
        self,
        plan: bytes,
        engine: Engine,
        manifest: Manifest,
        trt: Any = None,
        graph: bool = True,
    ) -> None:
        """plan: bytes from `vouched_plan`, or just built. graph: whether work may be captured. Raises BundleError where
        CUDA is not there or TensorRT refuses the plan."""
        trt = trt or load_tensorrt()
        self._cuda = Cuda()
        self._smallest, _, self._largest = engine.batch
        with undone(self._cuda.close):
            self._plan = PlanRunner(plan, trt, self._cuda, self._largest, engine, graph)
        super().__init__("tensorrt", engine.precision, (3, manifest.clip.frames, 25))

    @classmethod
    def open(cls, bundle: Bundle, precision: str = "auto") -> TensorRTBackend:
        """The best engine of the bundle that was built for this device. Raises BundleError: see `fitting_engine`."""
        listed_engines(bundle, precision)  # said before TensorRT is missed
        trt = load_tensorrt()
        engine = fitting_engine(bundle, this_device(trt), precision)
        return cls(vouched_plan(bundle, engine), engine, bundle.manifest, trt)

    def gpu_ms(self, clips: Array, times: int = 200) -> list[float]:
        """GPU time of each of `times` inferences of clips (N, 3, T, 25), copies included, by CUDA events."""
        for _ in range(10):
            self.infer(clips)
        return self._plan.gpu_ms(max(len(clips), self._smallest), times)

    def _infer(self, clip: Array) -> tuple[Array, Array]:
        starts = range(0, len(clip), self._largest)
        parts = [self._plan.run({"clip": clip[first : first + self._largest]}, self._smallest) for first in starts]
        logits, embedding = (np.concatenate([part[name] for part in parts]) for name in ("logits", "embedding"))
        return logits, embedding

    def _close(self) -> None:
        with self._cuda:
            self._plan.close()


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


def this_device(trt: Any) -> Device:
    """Raises BundleError where CUDA is not there."""
    with Cuda() as cuda:
        gpu, sm, version = cuda.device()
    return Device(gpu, sm, trt.__version__, version)
