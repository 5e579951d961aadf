"""What a training run minimises: a Task. The loop (loop.py) knows nothing else of the method.

A method is one subclass: supervised classification stands here, C2VL pretraining and its baselines in objective.py.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.data.clips import Batch
from train.model.encoder import Encoder


class Task(nn.Module):
    """Loss, own parameters (projectors, temperature), own state (queues, an EMA encoder): all in its state_dict, so
    that a checkpoint of the loop resumes it."""

    def loss(self, batch: Batch, encoder: Encoder, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean loss of a batch, and figures to log (detached scalars).

        progress: 0 at the run's first step, 1 at its end; schedules are functions of it. Random numbers come from
        PyTorch's generator, or a resumed run differs.
        """
        raise NotImplementedError

    def after_step(self, encoder: Encoder, progress: float) -> None:
        """Called after each optimiser step: where an EMA teacher follows the encoder."""

    def evaluate(self, encoder: Encoder) -> dict[str, float]:  # noqa: ARG002
        """Figures of the encoder (in eval mode, no gradients) every `evaluate_every` epochs."""
        return {}


class Supervised(Task):
    """Cross-entropy of the encoder's classifier on augmented clips; clips without a label are not counted."""

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
