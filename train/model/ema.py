"""An exponential moving average of a module: the teacher of C2VL and slim, the key encoder of SkeletonCLR."""

from __future__ import annotations

import copy
from typing import Any, Generic, TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


class EmaModel(nn.Module, Generic[M]):
    """A copy of `module` that follows it (He et al., "Momentum Contrast", CVPR 2020) and gets no gradient."""

    def __init__(self, module: M, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.module: M = copy.deepcopy(module).requires_grad_(False)

    def forward(self, *inputs: Any) -> Any:
        return self.module(*inputs)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """w' = momentum w' + (1 - momentum) w. Buffers are copied: BatchNorm's statistics are averages already."""
        for mean, new in zip(self.module.parameters(), module.parameters(), strict=True):
            mean.lerp_(new.to(mean.dtype), 1 - self.momentum)
        for old, now in zip(self.module.buffers(), module.buffers(), strict=True):
            old.copy_(now)
