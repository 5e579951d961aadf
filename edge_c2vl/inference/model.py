"""An open model: the network in its engine, and what its outputs mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from edge_c2vl.bundle.text_labels import TextLabels
from edge_c2vl.inference.base import Backend
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.scores import softmax

if TYPE_CHECKING:
    from edge_c2vl.bundle.bundle import Bundle


@dataclass(frozen=True)
class ClipModel:
    """What judges a clip. A context manager that closes its engine.

    backend: the engine. trained_labels: names of its logits (K); trained_distraction: those that count as distraction.
    clip: how skeletons become its input. words: labels in words, told beside the trained ones. by_words: decisions
    follow `words` instead of the trained labels; raises ValueError where there are none. name: the bundle's.
    """

    backend: Backend
    trained_labels: Sequence[str]
    trained_distraction: Sequence[str]
    clip: ClipSpec
    words: TextLabels | None = None
    by_words: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        if self.by_words and self.words is None:
            raise ValueError("a model without labels in words cannot decide by them")

    @classmethod
    def open(
        cls,
        bundle: Bundle,
        backend: str = "auto",
        precision: str = "auto",
        threads: int = 1,
        by_words: bool = False,
    ) -> ClipModel:
        """The model of a verified bundle. backend, precision, threads: see `open_backend`, whose errors it raises."""
        from edge_c2vl.inference.select import open_backend

        manifest = bundle.manifest
        engine = open_backend(bundle, backend, precision, threads)
        return cls(engine, manifest.labels, manifest.distraction, manifest.clip, bundle.words, by_words, manifest.name)

    @property
    def labels(self) -> list[str]:
        """The labels that decisions name (L)."""
        return list(self.words.labels if self.by_words and self.words else self.trained_labels)

    @property
    def distraction(self) -> list[str]:
        """Those of `labels` that count as distraction."""
        return list(self.words.distraction if self.by_words and self.words else self.trained_distraction)

    def classify(self, clips: Array) -> Array:
        """clips: float32 (N, 3, T, 25), `Clip.data` of N clips -> float32 (N, L), the probability of each of `labels`.

        Raises ValueError on another shape, RuntimeError once closed.
        """
        logits, embeddings = self.backend.infer(clips)
        scores = self.words.scores(embeddings) if self.by_words and self.words else logits
        return softmax(scores).astype(np.float32, copy=False)

    def close(self) -> None:
        """Closes the engine. May be called again."""
        self.backend.close()

    def __enter__(self) -> ClipModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
