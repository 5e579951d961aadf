"""An open model: the network in its engine, and what its outputs mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.bundle.text_labels import TextLabels
from edge_c2vl.inference.base import Backend
from edge_c2vl.skeletons.clip import Clip, ClipSpec
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.scores import softmax


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

    def classify(self, clips: Array | Sequence[Clip]) -> Array:
        """clips: N clips of `make_clip`, or float32 (N, 3, T, 25), their `data` -> float32 (N, L), the probability of
        each of `labels`.

        A clip in which no arms were seen (`Clip.arms` below `clip.min_arms`) gets probabilities as well, which mean
        nothing. Raises ValueError on another shape, RuntimeError once closed.
        """
        if not isinstance(clips, np.ndarray):
            clips = np.stack([clip.data for clip in clips]) if clips else np.zeros((0, *self.backend.clip_shape), "f4")
        if len(clips) == 0:
            return np.zeros((0, len(self.labels)), np.float32)
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


class ClassifierBundle(Bundle):
    """A verified bundle that also judges clips: `edge_c2vl.Bundle`. A context manager; closed once, it stays closed.

    `path` is its folder, `manifest` what its manifest.json says, `report` how well it did; `clip` says how skeletons
    become its clips, `labels` names its classes.
    """

    _model: ClipModel | None = None
    _engine: tuple[str, str, int] = ("auto", "auto", 1)

    @classmethod
    def open(
        cls, path: str | Path = "default", backend: str = "auto", precision: str = "auto", threads: int = 1
    ) -> ClassifierBundle:
        """Opens and verifies a folder, or "default": the bundle that comes with this package.

        backend, precision, threads: as of `edge-c2vl run`; the engine is opened when it is first needed. Raises
        BundleError with the command that mends it.
        """
        bundle = super().open(path)
        assert isinstance(bundle, cls)
        bundle._engine = (backend, precision, threads)
        return bundle

    @property
    def model(self) -> ClipModel:
        """The network in its engine. Raises UsageError for a backend or precision that there is not, BundleError where
        it does not open."""
        if self._model is None:
            self._model = ClipModel.open(self, *self._engine)
        return self._model

    @property
    def clip(self) -> ClipSpec:
        """How skeletons become this model's clips: what `make_clip` takes."""
        return self.manifest.clip

    @property
    def labels(self) -> list[str]:
        """Names of the classes, in the order of what `classify` returns."""
        return list(self.manifest.labels)

    def classify(self, clips: Array | Sequence[Clip]) -> Array:
        """See `ClipModel.classify`."""
        return self.model.classify(clips)

    def close(self) -> None:
        """Closes the engine, if one is open. May be called again."""
        if self._model is not None:
            self._model.close()

    def __enter__(self) -> ClassifierBundle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
