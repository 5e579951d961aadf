"""Distillation: a small encoder learns the embedding that a large pretrained one gives of each clip.

    L = mean over clips of |z - z_T|^2        z, z_T: unit-length embeddings of student and teacher

Both see the same variation of a clip, as Beyer et al. ("Knowledge distillation: A good teacher is patient and
consistent", CVPR 2022) found best. The student's embedding then lies in the teacher's space, and words that the teacher
knows mean the same to it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from train.data.clips import Batch
from train.methods.base import Given, Task
from train.model.encoder import Encoder


def make_task(given: Given) -> Distil:
    assert given.teacher is not None  # for mypy: PretrainSettings asks for one
    return Distil(given.teacher, given.augment)


class Distil(Task):
    """The student needs an embedding of the teacher's size. A clip in which nobody was seen is left out."""

    def __init__(self, teacher: Encoder, augment: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        # In a tuple, so that it is no submodule: it would be copied into every checkpoint.
        self._teacher = (teacher.eval().requires_grad_(False),)
        self.augment = augment

    def loss(self, batch: Batch, encoder: Encoder, progress: float) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        valid = batch.clip.abs().amax(dim=(1, 2, 3)) > 0
        clip = self.augment(batch.clip)
        (teacher,) = self._teacher
        with torch.no_grad():
            told = teacher.to(clip.device)(clip)[1]
        own = encoder(clip)[1]
        with torch.autocast(clip.device.type, enabled=False):
            each = (own.float() - told.float()).square().sum(dim=1)
            return (each * valid).sum() / valid.sum().clamp(min=1), {}
