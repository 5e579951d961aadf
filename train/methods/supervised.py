"""Supervised classification of clips."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from train.data.augment import Augment
from train.data.clips import Batch
from train.data.targets import Targets
from train.methods.base import Task
from train.model.encoder import Encoder


class Supervised(Task):
    """Cross-entropy of the encoder's classifier on augmented clips; clips without a label are not counted.

    A label that stands for several classes asks for the sum of their probabilities: -log sum_k p_k over those that it
    allows, as in learning from partial labels (Cour et al., JMLR 2011). Where a clip is mirrored, so is its label.
    """

    allowed: Tensor
    mirrored: Tensor

    def __init__(
        self,
        augment: Augment,
        targets: Targets,
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
        self.register_buffer("allowed", targets.allowed, persistent=False)
        self.register_buffer("mirrored", targets.mirrored, persistent=False)

    def loss(self, batch: Batch, encoder: Encoder, progress: float) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        if self.frozen:
            encoder.eval()
        clip, turned_over = self.augment.with_mirrored(batch.clip)
        logits, _ = encoder(clip)
        labelled = batch.label >= 0
        label = torch.where(turned_over, self.mirrored[batch.label], batch.label)[labelled]
        logits, allowed = logits[labelled], self.allowed[label]
        loss = partial_cross_entropy(logits, allowed, self.smoothing)
        with torch.no_grad():
            right = allowed.gather(1, logits.argmax(dim=1, keepdim=True)).float()
        return loss, {"accuracy": right.mean()}

    def evaluate(self, encoder: Encoder) -> dict[str, float]:
        return self._evaluate(encoder) if self._evaluate else {}


def partial_cross_entropy(logits: Tensor, allowed: Tensor, smoothing: float = 0.0) -> Tensor:
    """Logits (N, K), allowed (N, K) bool -> mean over N of -log of the allowed classes' probability; with one class
    allowed, PyTorch's cross-entropy with label smoothing."""
    log = torch.log_softmax(logits.float(), dim=1)
    likelihood = torch.logsumexp(log.masked_fill(~allowed, float("-inf")), dim=1)
    return -((1 - smoothing) * likelihood + smoothing * log.mean(dim=1)).mean()
