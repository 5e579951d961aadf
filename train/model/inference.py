"""Features and class probabilities of many clips."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edge_c2vl.utils.atomic import whole_file
from edge_c2vl.utils.cache import default_cache
from train.data.clips import ClipStore, in_order
from train.metrics import Ints
from train.model.encoder import Encoder

Floats = NDArray[np.float32]


def extract(
    encoder: Encoder, store: ClipStore, rows: Ints, batch_size: int = 256, device: str | torch.device = "cpu"
) -> Floats:
    """The features (N, F) of these rows of the store, the encoder frozen and in eval mode; its mode is put back."""
    training = encoder.training
    encoder.eval().to(device)
    with torch.no_grad():
        parts = [encoder.features(batch.clip.to(device)).float().cpu() for batch in in_order(store, rows, batch_size)]
    encoder.train(training)
    return torch.cat(parts).numpy() if parts else np.zeros((0, encoder.feature_size), np.float32)


def cached_features(encoder: Encoder, store: ClipStore, device: str = "cpu", cache: Path | None = None) -> Floats:
    """The features of all the store's clips, computed once for these weights and these clips and kept in a file."""
    digest = hashlib.sha256(repr((encoder.settings, store.folder.name, len(store))).encode())
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
    path = (cache or default_cache()) / "features" / f"{digest.hexdigest()[:24]}.npy"
    if path.is_file():
        kept: Floats = np.load(path, allow_pickle=False)
        if kept.shape == (len(store), encoder.feature_size):
            return kept
    features = extract(encoder, store, np.arange(len(store)), device=device)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part, part.open("wb") as file:
        np.save(file, features)
    return features


def predict(encoder: Encoder, store: ClipStore, rows: NDArray[np.int64]) -> NDArray[Any]:
    """Class probabilities (len(rows), K), by the encoder as it is (call eval() first)."""
    device = next(encoder.parameters()).device
    with torch.no_grad():
        parts = [encoder(b.clip.to(device))[0].softmax(dim=1).cpu().numpy() for b in in_order(store, rows)]
    return np.concatenate(parts)
