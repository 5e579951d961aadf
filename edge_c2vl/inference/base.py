"""What every inference engine looks like from outside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TypeVar

import numpy as np

from edge_c2vl.skeletons.skeleton import Array

B = TypeVar("B", bound="Backend")


class Backend(ABC):
    """An open model: clip in, logits and embedding out. A context manager; closed once, it stays closed.

    `name`: the engine ("onnxruntime:cpu"). `precision`: "fp32", "fp16" or "int8". `clip_shape`: (3, T, 25).
    `note`: why it was chosen and others were not, where that was left to `open_backend`; else empty. `unused_engine`:
    why the bundle's TensorRT engine is not what runs; empty where it is, where there is none, or where it was not asked
    for.
    """

    note: str = ""
    unused_engine: str = ""

    def __init__(self, name: str, precision: str, clip_shape: tuple[int, int, int]) -> None:
        self.name = name
        self.precision = precision
        self.clip_shape = clip_shape
        self._open = True

    def infer(self, clip: Array) -> tuple[Array, Array]:
        """clip: float32 (N, 3, T, 25) -> logits (N, K), embedding (N, D) of unit length.

        Raises ValueError on another shape, RuntimeError once closed.
        """
        if not self._open:
            raise RuntimeError(f"the {self.name} backend is closed")
        if clip.ndim != 4 or clip.shape[1:] != self.clip_shape:
            raise ValueError(f"this model takes clips (N, {', '.join(map(str, self.clip_shape))}), not {clip.shape}")
        return self._infer(np.ascontiguousarray(clip, np.float32))

    def warm_up(self, times: int = 3) -> None:
        """Runs an empty clip, so that the first real one does not pay for lazy initialisation."""
        for _ in range(times):
            self.infer(np.zeros((1, *self.clip_shape), np.float32))

    def close(self) -> None:
        if self._open:
            self._open = False
            self._close()

    def __enter__(self: B) -> B:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def _infer(self, clip: Array) -> tuple[Array, Array]: ...

    @abstractmethod
    def _close(self) -> None: ...


def in_batches(run: Callable[[Array], Sequence[Array]], clips: Array, size: int) -> list[Array]:
    """What `run` gives for clips (N, ...), N at least 1, `size` of them at a time. The last are filled up with zeros;
    what comes of these is left out."""
    parts = []
    for first in range(0, len(clips), size):
        part = clips[first : first + size]
        full = np.zeros((size, *clips.shape[1:]), np.float32)
        full[: len(part)] = part
        parts.append([value[: len(part)] for value in run(full)])
    return [np.concatenate(values) for values in zip(*parts, strict=True)]
