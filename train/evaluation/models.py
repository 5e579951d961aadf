"""What is evaluated: a PyTorch checkpoint, or the bundle that runs in the vehicle, behind one interface."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.names import printable
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import Array


class Model(ABC):
    """`labels`: the classes, in the order of the logits. `spec`: the clips it takes. `name`: what it is, for a report.
    `trained_on`: in words. `split`: the split that it was trained on, where that is known. A context manager."""

    labels: list[str]
    spec: ClipSpec
    name: str
    trained_on: str = ""
    split: str = ""

    @property
    def description(self) -> str:
        """For a report."""
        return self.name + (f"; trained on {self.trained_on}" if self.trained_on else "")

    @abstractmethod
    def logits(self, clips: Array) -> Array:
        """(N, 3, T, 25) -> (N, K). Raises UsageError where the model has no classifier."""

    @abstractmethod
    def features(self, clips: Array) -> Array:
        """(N, 3, T, 25) -> (N, F): what probes are fitted on."""

    def embeddings(self, clips: Array) -> Array:  # noqa: ARG002
        """(N, 3, T, 25) -> (N, D), unit length: what words are compared with."""
        raise UsageError(f"{self.name} gives no embeddings")

    def language(self) -> Any:
        """The train.knowledge.language.Language of the embeddings. Raises UsageError where they have none."""
        raise UsageError(f"{self.name} was not pretrained on language, so words mean nothing to it")

    def close(self) -> None:  # noqa: B027
        """Lets go of the engine."""

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class CheckpointModel(Model):
    """The encoder of a finished run, in PyTorch."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        from train.model.checkpoint import load_model

        self.path, self._device = path, device
        encoder, about = load_model(path)
        self.encoder = encoder.to(device)
        self.labels, self.spec, self.trained_on = about.labels, about.clip, about.trained_on
        self.name = printable(f"checkpoint {path}, FP32 in PyTorch")
        self.split = trained_split(path)

    def logits(self, clips: Array) -> Array:
        if self.encoder.classifier is None:
            raise UsageError(f"{self.path} has no classifier: finetune it, or choose --protocol fixed or knn")
        return self._run(clips, lambda batch: self.encoder(batch)[0])

    def features(self, clips: Array) -> Array:
        return self._run(clips, self.encoder.features)

    def embeddings(self, clips: Array) -> Array:
        return self._run(clips, lambda batch: self.encoder(batch)[1])

    def language(self) -> Any:
        from train.knowledge.language import language_of

        return language_of(self.path)

    def _run(self, clips: Array, function: Any) -> Array:
        import torch

        with torch.no_grad():
            found: Array = function(torch.from_numpy(clips).to(self._device)).float().cpu().numpy()
        return found


class BundleModel(Model):
    """A bundle through the vehicle's own backend. Its features are the embeddings, which is what it gives."""

    def __init__(self, path: str, backend: str = "auto", precision: str = "auto", threads: int = 1) -> None:
        from edge_c2vl.bundle.bundle import Bundle
        from edge_c2vl.inference.select import open_backend

        self._bundle = bundle = Bundle.open(path)
        self._backend = open_backend(bundle, backend, precision, threads)
        manifest = bundle.manifest
        self.labels, self.spec, self.trained_on = manifest.labels, manifest.clip, manifest.trained_on
        self.name = printable(f"bundle {path}, {self._backend.precision.upper()} in {self._backend.name}")

    def logits(self, clips: Array) -> Array:
        return self._backend.infer(clips)[0]

    def features(self, clips: Array) -> Array:
        return self._backend.infer(clips)[1]

    embeddings = features

    def language(self) -> Any:
        from train.knowledge.language import language_of

        return language_of(self._bundle.path)

    def close(self) -> None:
        self._backend.close()


def trained_split(checkpoint: Path) -> str:
    """The split column that a run's settings name; empty where they do not lie beside the model or name none."""
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    try:
        settings = json.loads((folder / "settings.json").read_text("utf-8"))
        return str(settings["data"]["split"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def open_model(
    checkpoint: str | None,
    bundle: str | None,
    *,
    backend: str = "auto",
    precision: str = "auto",
    threads: int = 1,
    device: str = "cpu",
) -> Model:
    """Raises UsageError unless exactly one is named; CheckpointError or BundleError where it cannot be opened."""
    if (checkpoint is None) == (bundle is None):
        raise UsageError("name one model: --checkpoint RUN (PyTorch) or --bundle FOLDER (what runs in the vehicle)")
    if checkpoint is not None:
        return CheckpointModel(Path(checkpoint), device)
    assert bundle is not None
    return BundleModel(bundle, backend, precision, threads)


def open_seeds(
    checkpoints: Sequence[str],
    bundle: str | None,
    *,
    backend: str = "auto",
    precision: str = "auto",
    device: str = "cpu",
) -> list[list[Model]]:
    """The models of each seed, one of each stream. A folder of seed0, seed1, ... stands for as many models.

    Raises UsageError unless either checkpoints or a bundle is named, or where the streams differ in their seeds.
    """
    if bool(checkpoints) == (bundle is not None):
        raise UsageError("name models: --checkpoint RUN (PyTorch) or --bundle FOLDER (what runs in the vehicle)")
    if bundle is not None:
        return [[BundleModel(bundle, backend, precision)]]
    from train.model.checkpoint import members

    streams = [members(Path(path)) for path in checkpoints]
    if len({len(seeds) for seeds in streams}) > 1:
        raise UsageError(f"fusion needs as many seeds of each stream; there are {[len(seeds) for seeds in streams]}")
    return [[CheckpointModel(path, device) for path in seeds] for seeds in zip(*streams, strict=True)]


def matching(model: Model, labels: list[str]) -> NDArray[np.int64]:
    """(len(labels),): the model's index of each label, -1 where the model does not know it."""
    known = {name: index for index, name in enumerate(model.labels)}
    return np.array([known.get(name, -1) for name in labels], np.int64)
