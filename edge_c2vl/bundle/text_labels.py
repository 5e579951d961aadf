"""Labels in words: phrases whose embeddings lie in the same space as those of clips.

They are embedded on a workstation (`edge-c2vl labels`) and kept in the bundle as words.npz; here they are read and
compared with NumPy alone.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_c2vl.errors import BundleError
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.arrays import ERRORS, NpzFile
from edge_c2vl.utils.scores import softmax

FILE = "words.npz"
FORMAT_VERSION = 1
_TEXTS = ("labels", "distraction", "descriptions", "encoder")


@dataclass(frozen=True)
class TextLabels:
    """labels: L phrases; embeddings: (L, D), unit length; distraction: those that count as distraction; temperature: of
    the softmax over cosines; descriptions: what each label was embedded by, empty where by itself; encoder: by what."""

    labels: list[str]
    embeddings: Array
    temperature: float
    distraction: list[str] = field(default_factory=list)
    descriptions: dict[str, list[str]] = field(default_factory=dict)
    encoder: str = ""

    def scores(self, embeddings: Array) -> Array:
        """(N, D), unit length -> (N, L): cosines over temperature, whose softmax are the probabilities."""
        return (embeddings @ self.embeddings.T / self.temperature).astype(np.float32)

    def probabilities(self, embedding: Array) -> dict[str, float]:
        """Of each label, for one clip's embedding (D,)."""
        return dict(zip(self.labels, softmax(self.scores(embedding[None])[0]).tolist(), strict=True))

    def to_bytes(self) -> bytes:
        """The content of words.npz."""
        about = {name: getattr(self, name) for name in _TEXTS} | {"format_version": FORMAT_VERSION}
        buffer = io.BytesIO()
        np.savez(
            buffer,
            about=np.array(json.dumps(about, ensure_ascii=False)),
            embeddings=np.asarray(self.embeddings, np.float32),
            temperature=np.float32(self.temperature),
        )
        return buffer.getvalue()

    @classmethod
    def read(cls, path: Path, size: int) -> TextLabels:
        """size: D of the bundle's model. Raises BundleError where the file is no words, or does not fit the model."""
        try:
            with NpzFile(path) as file:
                about = json.loads(str(file["about"]))
                embeddings, temperature = np.asarray(file["embeddings"], np.float32), float(file["temperature"])
            if about["format_version"] > FORMAT_VERSION:
                raise BundleError(f"{path} is of a newer version: upgrade with pip install -U edge-c2vl")
            words = cls(embeddings=embeddings, temperature=temperature, **{name: about[name] for name in _TEXTS})
        except ERRORS as error:
            why = " ".join(str(error).split())
            raise BundleError(
                f"{path} holds no labels in words ({why}): add them again with edge-c2vl labels"
            ) from None
        problem = words._problem(size)
        if problem:
            raise BundleError(f"{path} cannot be used ({problem}): add the labels again with edge-c2vl labels")
        return words

    def _problem(self, size: int) -> str:
        labels = self.labels
        if not isinstance(labels, list) or len(labels) < 2 or not all(isinstance(label, str) for label in labels):
            return "it names fewer than two labels"
        if len(set(labels)) < len(labels) or not set(self.distraction) <= set(labels):
            return "its labels are not what they should be"
        if self.embeddings.shape != (len(labels), size):
            return f"its embeddings are {self.embeddings.shape}, the model's have {size} numbers"
        if not np.allclose(np.linalg.norm(self.embeddings, axis=1), 1, atol=1e-3):
            return "an embedding is not of unit length"
        return "" if 0 < self.temperature < np.inf else "its temperature is no positive number"
