"""Encoders as after training, and clips for them."""

from __future__ import annotations

import torch
from torch import nn

from train.model.encoder import Encoder, GraphConvolution, make_encoder
from train.settings.training import EncoderSettings


def trained(settings: EncoderSettings) -> Encoder:
    """An encoder whose BatchNorms and edge weights are no longer the initial ones, as after training."""
    torch.manual_seed(0)
    encoder = make_encoder(settings)
    with torch.no_grad():
        for module in encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.5)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
            elif isinstance(module, GraphConvolution):
                module.importance.uniform_(0.5, 1.5)
                if module.learnt is not None:
                    module.learnt.normal_(0, 0.2)
                if module.joint_bias is not None:
                    module.joint_bias.normal_()
    return encoder.eval()


def clips(count: int, frames: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    clip = torch.randn(count, 3, frames, 25, generator=generator)
    return clip * (torch.rand(count, 1, 1, 25, generator=generator) > 0.3)
