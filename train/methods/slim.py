"""Masked feature prediction and agreement of views, from skeletons alone: what a clip's hidden parts would have been
to a teacher that sees all of it.

After SLiM (Do et al., "Less is More", arXiv 2603.10648), written anew for encoders that need not be transformers. An
EMA teacher sees two long views of each clip. The encoder sees the same views, half of them with tubes hidden: joints of
one part of the body for a span of time. It predicts, of both as shares of prototypes,

    masked   the teacher's feature of each place (frames, and joints or parts where they are kept apart) that was hidden
    views    the teacher's feature of the whole other long view, from long views and from short ones

The teacher's shares are balanced over the batch by Sinkhorn and Knopp's iteration, so that not all clips can be one
prototype (Caron et al., SwAV, NeurIPS 2020). What is hidden is 0, as a joint that was not seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.skeleton import NTU25
from train.data.augment import resample
from train.data.clips import Batch
from train.methods.base import Given, Task
from train.model.ema import EmaModel
from train.model.encoder import Encoder
from train.model.parts import PART_JOINTS
from train.settings.pretraining import PretrainSettings

# Which share of a clip a long view takes; and of a long view a short one, which has half as many frames.
LONG, SHORT = (0.5, 1.0), (0.2, 0.6)
# Temperatures of the encoder's and of the teacher's shares, and how often they are balanced.
TEMPERATURE, TEACHER_TEMPERATURE, BALANCED = 0.1, 0.05, 3
# The share of the long views in which tubes are hidden, and the shortest tube, as a share of the frames.
MASKED_VIEWS, SHORTEST_TUBE = 0.5, 0.25
MOST_TUBES, MOST_PLACES = 24, 4096
_HIDDEN, _BOTTLENECK = 256, 64


def make_task(given: Given) -> Slim:
    return Slim(given.network, given.augment, given.pretraining)


class Slim(Task):
    """The two parts, each with a weight of its own in the settings; 0 leaves it out."""

    def __init__(self, encoder: Encoder, augment: Callable[[Tensor], Tensor], settings: PretrainSettings) -> None:
        super().__init__()
        if not (settings.masked_weight or settings.view_weight):
            raise UsageError("--masked-weight and --view-weight are both 0: nothing is left to learn")
        self.augment, self.settings = augment, settings
        self.heads = nn.ModuleDict()
        if settings.masked_weight:
            self.heads["masked"] = Prototypes(encoder.map_channels, settings.prototypes)
        if settings.view_weight:
            self.heads["views"] = Prototypes(encoder.feature_size, settings.prototypes)
        self.teacher = EmaModel(nn.ModuleList([encoder, self.heads]), settings.ema_momentum)

    def loss(self, batch: Batch, encoder: Encoder, progress: float) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        n, _, frames, _ = batch.clip.shape
        valid = batch.clip.abs().amax(dim=(1, 2, 3)) > 0
        long = [self.augment(part_of(batch.clip, LONG, frames)) for _ in range(2)]
        views = torch.cat(long)  # (2 N, 3, T, V)
        hidden = tube_masks(len(views), frames, self.settings.hide_from, self.settings.hide_to, views.device)
        hidden &= (torch.rand(len(views), device=views.device) < MASKED_VIEWS)[:, None, None]
        maps, taught = encoder.maps(views * ~hidden[:, None]), self._teacher_maps(views)
        total, figures = views.new_zeros(()), {}
        if "masked" in self.heads:
            places, weight = _chosen_places(encoder.at_places(hidden.float(), maps) * valid.repeat(2)[:, None, None])
            target = self._shares("masked", _at(taught, places), weight > 0)
            loss = self._cross_entropy("masked", _at(maps, places), target, weight)
            total, figures["slim/masked"] = total + self.settings.masked_weight * loss, loss.detach()
        if "views" in self.heads:
            own = self._shares("views", self._teacher.pool(taught), valid.repeat(2))
            other = own.roll(n, 0)
            losses = [self._cross_entropy("views", encoder.pool(maps), other, valid.repeat(2).float())]
            for number in range(self.settings.short_views):
                short = self.augment(part_of(long[number % 2], SHORT, max(frames // 2, 2)))
                # A short view tells of the whole that it was cut from, and of the other one.
                target = (own + other)[:n] / 2
                losses.append(self._cross_entropy("views", encoder.features(short), target, valid.float()))
            loss = torch.stack(losses).mean()
            total, figures["slim/views"] = total + self.settings.view_weight * loss, loss.detach()
        return total, figures

    def after_step(self, encoder: Encoder, progress: float) -> None:  # noqa: ARG002
        self.teacher.update(nn.ModuleList([encoder, self.heads]))

    @property
    def _teacher(self) -> Encoder:
        return cast(Encoder, self.teacher.module[0])

    @torch.no_grad()
    def _teacher_maps(self, views: Tensor) -> Tensor:
        return self._teacher.maps(views)

    @torch.no_grad()
    def _shares(self, name: str, features: Tensor, counted: Tensor) -> Tensor:
        """By the teacher's head: its features (M, F) -> shares (M, K) of the prototypes, balanced over the counted
        rows (M,)."""
        head = cast(nn.ModuleDict, self.teacher.module[1])[name]
        with torch.autocast(features.device.type, enabled=False):
            return balanced(head(features.float()), counted)

    def _cross_entropy(self, name: str, features: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """The mean over rows (M, F) by weight (M,) of the cross-entropy with the teacher's shares (M, K)."""
        with torch.autocast(features.device.type, enabled=False):
            log_share = F.log_softmax(self.heads[name](features.float()) / TEMPERATURE, dim=1)
            each = -(target * log_share).sum(dim=1)
            return (each * weight).sum() / weight.sum().clamp(min=1e-6)


class Prototypes(nn.Module):
    """Features (M, F) -> cosines (M, K) to K learnt directions, behind two layers."""

    def __init__(self, size: int, count: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(size, _HIDDEN), nn.GELU(), nn.Linear(_HIDDEN, _BOTTLENECK))
        self.directions = nn.Parameter(F.normalize(torch.randn(count, _BOTTLENECK), dim=1))

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize(self.project(features), dim=1) @ F.normalize(self.directions, dim=1).T


def balanced(cosines: Tensor, counted: Tensor) -> Tensor:
    """Cosines (M, K) -> shares (M, K) of the prototypes, each row's sum 1, by which the counted rows (M,) use all
    prototypes about equally often (Sinkhorn and Knopp)."""
    logits = cosines / TEACHER_TEMPERATURE
    shares = (logits - logits.amax(dim=1, keepdim=True)).exp() * counted[:, None]
    for _ in range(BALANCED):
        shares = shares / shares.sum(dim=0, keepdim=True).clamp(min=1e-9)
        shares = shares / shares.sum(dim=1, keepdim=True).clamp(min=1e-9)
    return shares


def tube_masks(n: int, frames: int, least: float, most: float, device: torch.device) -> Tensor:
    """(N, T, V) bool: tubes over some joints of one part of the body and a span of time, until a share between least
    and most of the joints' frames, drawn for each clip, is hidden; never more than most."""
    wanted = least + (most - least) * torch.rand(n, device=device)
    place, size = _places(device)
    time = torch.arange(frames, device=device)
    mask = torch.zeros((n, frames, NTU25.size), dtype=torch.bool, device=device)
    for _ in range(MOST_TUBES):
        part = torch.randint(len(PART_JOINTS), (n,), device=device)
        random = torch.rand((4, n), device=device)
        count = 1 + (random[0] * size[part]).floor()
        first = (random[1] * (size[part] - count + 1)).floor()
        joints = (place[part] >= first[:, None]) & (place[part] < (first + count)[:, None])
        length = ((SHORTEST_TUBE + (1 - SHORTEST_TUBE) * random[2]) * frames).ceil()
        start = (random[3] * (frames - length + 1)).floor()
        span = (time >= start[:, None]) & (time < (start + length)[:, None])
        larger = mask | (span[:, :, None] & joints[:, None])
        share = mask.float().mean(dim=(1, 2))
        taken = (share < wanted) & (larger.float().mean(dim=(1, 2)) <= most)
        mask = torch.where(taken[:, None, None], larger, mask)
    return mask


def _places(device: torch.device) -> tuple[Tensor, Tensor]:
    """(parts, V): each joint's number within the part, -1 outside it; and (parts,): how many joints a part has."""
    place = torch.full((len(PART_JOINTS), NTU25.size), -1, device=device)
    for number, joints in enumerate(PART_JOINTS):
        place[number, joints] = torch.arange(len(joints), device=device)
    return place, torch.tensor([len(joints) for joints in PART_JOINTS], device=device)


def part_of(clip: Tensor, share: tuple[float, float], frames: int) -> Tensor:
    """(N, 3, T, V) -> (N, 3, frames, V): a random part of each clip, so large a share of it, stretched or shortened."""
    n, last = len(clip), clip.shape[2] - 1
    length = share[0] + (share[1] - share[0]) * torch.rand((n, 1), device=clip.device)
    start = (1 - length) * torch.rand((n, 1), device=clip.device)
    along = torch.linspace(0, 1, frames, device=clip.device)[None]
    return resample(clip, (start + length * along) * last)


def _chosen_places(hidden: Tensor) -> tuple[Tensor, Tensor]:
    """How much of each place was hidden (N, T', V') -> which places (M,) count, as numbers into that, and how much of
    each of them was hidden."""
    share = hidden.flatten()
    places = torch.arange(share.numel(), device=share.device)
    if len(places) > MOST_PLACES:
        # Drawn, because every nth could be of one part of the body alone.
        places = places[torch.randperm(len(places), device=share.device)[:MOST_PLACES]]
    return places, share[places]


def _at(maps: Tensor, places: Tensor) -> Tensor:
    """(N, C, T', V') -> (M, C)."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)[places]
