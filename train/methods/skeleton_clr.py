"""SkeletonCLR, the baseline that learns from skeletons alone. Random and supervised encoders need no code of their own,
and hard cross-modal InfoNCE is C2VL with softening 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.data.clips import Batch
from train.methods.base import Given, Task
from train.methods.c2vl import make_projector
from train.methods.c2vl_loss import gather
from train.model.ema import EmaModel
from train.model.encoder import Encoder


def make_task(given: Given) -> SkeletonCLR:
    settings = given.pretraining
    sizes = (settings.projection, settings.key_queue)
    return SkeletonCLR(given.network, given.augment, *sizes, settings.key_temperature, settings.ema_momentum)


class SkeletonCLR(Task):
    """MoCo on skeletons (Li et al., CrosSCLR, CVPR 2021, section 3.1; He et al., CVPR 2020).

    Two augmentations of a clip are a positive pair, one of them seen by the key encoder, an EMA of the encoder and its
    projector; the negatives are the keys of the last `queue` clips. Like its authors' code it keeps the key encoder in
    train mode.
    """

    queue: Tensor
    filled: Tensor

    def __init__(
        self,
        encoder: Encoder,
        augment: Callable[[Tensor], Tensor],
        size: int = 128,
        queue: int = 512,
        temperature: float = 0.07,
        momentum: float = 0.99,
    ) -> None:
        super().__init__()
        self.projector = make_projector(encoder.feature_size, size, encoder.feature_size)
        self.keys = EmaModel(nn.ModuleList([encoder, self.projector]), momentum)
        self.augment, self.temperature = augment, temperature
        self.register_buffer("queue", torch.zeros(queue, size))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    def loss(self, batch: Batch, encoder: Encoder, progress: float) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        query = _unit(self.projector(encoder.features(self.augment(batch.clip))))  # (N, D)
        with torch.no_grad():
            key_encoder, key_projector = self.keys.module
            key = _unit(key_projector(cast(Encoder, key_encoder).features(self.augment(batch.clip))))
        with torch.autocast(query.device.type, enabled=False):
            past = self.queue[: int(self.filled)].clone()
            logits = torch.cat([(query * key).sum(dim=1, keepdim=True), query @ past.T], dim=1) / self.temperature
            # Two empty clips are alike: nothing can be learnt from them, nor from being unlike them.
            valid = batch.clip.abs().amax(dim=(1, 2, 3)) > 0
            each = F.cross_entropy(
                logits, torch.zeros(len(query), dtype=torch.long, device=query.device), reduction="none"
            )
            loss = (each * valid).sum() / valid.sum().clamp(min=1)
        if self.training:
            self._enqueue(gather(key)[gather(valid)])
        with torch.no_grad():
            found = ((logits.argmax(dim=1) == 0) & valid).sum() / valid.sum().clamp(min=1)
        return loss, {"retrieval": found}

    @torch.no_grad()
    def _enqueue(self, keys: Tensor) -> None:
        """Newest first."""
        self.queue.copy_(torch.cat([keys, self.queue])[: len(self.queue)])
        self.filled.fill_(min(int(self.filled) + len(keys), len(self.queue)))

    def after_step(self, encoder: Encoder, progress: float) -> None:  # noqa: ARG002
        self.keys.update(nn.ModuleList([encoder, self.projector]))


def _unit(x: Tensor) -> Tensor:
    return F.normalize(x.float(), dim=1)
