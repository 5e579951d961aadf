"""Supervised classification of clips."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from train.data.clips import Batch
from train.methods.base import Task
from train.model.encoder import Encoder


class Supervised(Task):
    """Cross-entropy of the encoder's classifier on augmented clips; clips without a label are not counted."""

    class_weights: Tensor | None

    def __init__(
        self,
        augment: Callable[[Tensor], Tensor],
        class_weights: Tensor | None = None,
        smoothing: float = 0.0,
        evaluate: Callable[[Encoder], dict[str, float]] | None = None,
        frozen: bool = False,
    ) -> None:
        """frozen: the encoder stays as it is, in eval mode, and its classifier alone is trained."""
        super().__init__()
        self.frozen = frozen
        self.augment = augment
        self.smoothing = smoothing
        self._evaluate = evaluate
        self.register_buffer("class_weights", class_weights, persistent=False)

    def loss(self, batch: Batch, encoder: Encoder, progress: float) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        if self.frozen:
            encoder.eval()
        logits, _ = encoder(self.augment(batch.clip))
        loss = F.cross_entropy(
            logits, batch.label, weight=self.class_weights, ignore_index=-1, label_smoothing=self.smoothing
        )
        labelled = batch.label >= 0
        with torch.no_grad():
            right = (logits.argmax(dim=1) == batch.label)[labelled].float()
        return loss, {"accuracy": right.mean()}

    def evaluate(self, encoder: Encoder) -> dict[str, float]:
        return self._evaluate(encoder) if self._evaluate else {}
