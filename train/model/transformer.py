"""A small transformer over the body's parts and time: a patch is a few frames of one part of the body.

Every linear layer is a convolution with BatchNorm behind it, as in LeViT (Graham et al., ICCV 2021). So it folds and is
quantised as ST-GCN's layers are. A part is told from another by an embedding of its own, a time by sines (Vaswani et
al., 2017).

A patch in which no joint was seen is no key of the attention: nothing of the others depends on it, and what stands in
its place is what they say of it. Where a joint of a seen patch is missing, it is 0, as everywhere.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge_c2vl.errors import UsageError
from train.model.encoder import Encoder, JoinedBlock, Stream
from train.model.parts import PART_JOINTS
from train.settings.training import HEAD_CHANNELS, EncoderSettings

_WIDER = 4  # how many times a layer's channels its last two convolutions have between them


class Transformer(Encoder):
    """It reads these settings: blocks (its layers), joined (their channels), stride (the frames of a patch), stream,
    presence, pooling (over time, part by part), dropout, embedding, classes."""

    def __init__(self, settings: EncoderSettings) -> None:
        nn.Module.__init__(self)
        self.settings = settings
        self.stream = Stream(settings.stream, settings.presence)
        self.patches = nn.ModuleList(
            _normed(self.stream.channels, settings.joined, (settings.stride, len(part))) for part in PART_JOINTS
        )
        self.parts = nn.Parameter(0.02 * torch.randn(settings.joined, 1, len(PART_JOINTS)))
        self.layers = nn.ModuleList(AttentionBlock(settings.joined) for _ in range(settings.blocks))
        spread = settings.pooling == "mean_std"
        self._add_heads(settings.joined * len(PART_JOINTS) * (2 if spread else 1))

    @property
    def map_channels(self) -> int:
        return self.settings.joined

    def maps(self, clip: Tensor) -> Tensor:
        """(N, 3, T, 25) -> (N, C, T // stride, parts). Raises UsageError where a clip is shorter than a patch."""
        stride, frames = self.settings.stride, int(clip.shape[2])
        if frames < stride:
            raise UsageError(f"--stride {stride} is longer than a clip of {frames} frames: give a smaller one")
        data = self.stream(clip)
        x = torch.cat([patch(data[..., part]) for patch, part in zip(self.patches, PART_JOINTS, strict=True)], dim=3)
        x = x + self.parts + _sines(int(x.shape[1]), int(x.shape[2]), x)
        seen = self.at_places((clip.abs().amax(dim=1) > 0).to(clip.dtype), x).flatten(1) > 0  # (N, T' * parts)
        # Added to a place's score, its share is 0. Where nothing at all was seen, all places are alike.
        unseen = -1e4 * (~seen).to(clip.dtype)[:, None, None]
        for layer in self.layers:
            x = layer(x, unseen)
        return x

    def at_places(self, values: Tensor, maps: Tensor) -> Tensor:  # noqa: ARG002
        parts = torch.stack([values[..., part].mean(dim=2) for part in PART_JOINTS], dim=2)
        return F.avg_pool2d(parts[:, None], (self.settings.stride, 1))[:, 0]

    def pool(self, maps: Tensor) -> Tensor:
        """(N, C, T', parts) -> (N, F): the parts' features stand side by side, so that it is known which one moved."""
        _, channels, frames, parts = (int(size) for size in maps.shape)
        beside = maps.permute(0, 3, 1, 2).reshape(-1, parts * channels, frames, 1)
        return super().pool(beside)


class AttentionBlock(nn.Module):
    """Attention between all places, then two convolutions of each place by itself, both with a residual.

    (N, C, T', P), and what is added to the places' scores (N, 1, 1, T' * P) -> (N, C, T', P).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = channels // HEAD_CHANNELS
        self.asked = _normed(channels, 3 * channels)
        self.answer = _normed(channels, channels, begins=JoinedBlock.BEGINS)
        self.wider = _normed(channels, _WIDER * channels)
        self.narrower = _normed(_WIDER * channels, channels, begins=JoinedBlock.BEGINS)

    def forward(self, x: Tensor, added: Tensor) -> Tensor:
        _, channels, frames, parts = (int(size) for size in x.shape)
        asked = self.asked(x).reshape(-1, 3, self.heads, HEAD_CHANNELS, frames * parts).transpose(3, 4)
        query, key, value = asked.unbind(1)  # each (N, heads, T' * P, HEAD_CHANNELS)
        # Not by F.scaled_dot_product_attention, whose exported form has IsNaN, which not every engine runs.
        scores = query @ key.transpose(2, 3) * HEAD_CHANNELS**-0.5 + added
        told = scores.softmax(dim=3) @ value
        x = x + self.answer(told.transpose(2, 3).reshape(-1, channels, frames, parts))
        narrower: Tensor = self.narrower(F.relu(self.wider(x)))
        return x + narrower


def _normed(channels_in: int, channels_out: int, patch: tuple[int, int] = (1, 1), begins: float = 1.0) -> nn.Sequential:
    """A convolution over patches of (frames, joints), and BatchNorm whose scale begins at `begins`."""
    norm = nn.BatchNorm2d(channels_out)
    nn.init.constant_(norm.weight, begins)
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, patch, (patch[0], 1), bias=False), norm)


def _sines(channels: int, frames: int, like: Tensor) -> Tensor:
    """(C, T', 1): sines and cosines of the patch's number, of wavelengths from 2 pi to 100 times that."""
    rates = torch.exp(
        -math.log(100.0) * torch.arange(channels // 2, dtype=like.dtype, device=like.device) / (channels // 2)
    )
    angles = rates[:, None] * torch.arange(frames, dtype=like.dtype, device=like.device)
    return torch.cat([angles.sin(), angles.cos()])[:, :, None]
