"""Augmentations of a whole batch of clips at once, on the clips' own device.

A clip is (N, 3, T, 25), normalised to the body; a missing joint is (0, 0, 0) before and stays exactly so. Every clip of
a batch draws its own parameters. All random numbers come from PyTorch's generator, so a resumed run repeats them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from edge_c2vl.skeleton import NTU25
from train.settings import AugmentSettings

_LEG = ("knee", "ankle", "foot")
LEGS = tuple(NTU25.index(f"{side}_{joint}") for side in ("left", "right") for joint in _LEG)
LOWER_BODY = (*(NTU25.index(name) for name in ("spine_base", "spine_mid", "left_hip", "right_hip")), *LEGS)
_ARM = ("elbow", "wrist", "hand", "hand_tip", "thumb")
ARM = tuple(tuple(NTU25.index(f"{side}_{joint}") for joint in _ARM) for side in ("left", "right"))


def seen_joints(clip: Tensor) -> Tensor:
    """(N, 3, T, V) -> bool: which joints are there; (N, 1, 1, V) where each is there throughout or not at all, as in
    most clips, else (N, 1, T, V)."""
    # 1 or 0 as numbers: a sum over them takes a tenth of the time of one over bool.
    seen = clip.abs().amax(dim=1, keepdim=True).sign_()
    count = seen.sum(dim=2, keepdim=True)
    ever = count > 0
    return ever if torch.equal(ever, count == clip.shape[2]) else seen > 0


class Augment:
    """Applies AugmentSettings to clips of 2 or 3 dimensions (2: z is 0 and stays so)."""

    def __init__(self, settings: AugmentSettings, dimensions: int) -> None:
        self.settings = settings
        self.dimensions = dimensions

    def __call__(self, clip: Tensor) -> Tensor:
        """(N, 3, T, V) -> (N, 3, T, V), a new tensor, float32 also where the network runs in half precision."""
        with torch.autocast(clip.device.type, enabled=False):
            return self._vary(clip)

    def _vary(self, clip: Tensor) -> Tensor:
        settings, seen = self.settings, seen_joints(clip)
        if settings.crop < 1:
            clip = temporal_crop(clip, settings.crop, seen)
            seen = seen if seen.shape[2] == 1 else seen_joints(clip)
        if settings.mirror:
            chosen = (torch.rand(len(clip), device=clip.device) < settings.mirror).nonzero()[:, 0]
            clip, seen = mirror(clip, chosen), seen.index_copy(0, chosen, seen[chosen][..., list(NTU25.mirror)])
        clip = torch.bmm(self._transform(clip), clip.flatten(2)).view_as(clip)
        return self._displace(clip).mul_((seen & ~self._hidden(clip)).to(clip.dtype))

    def _transform(self, clip: Tensor) -> Tensor:
        """(N, 3, 3): shear, view, roll and size in one matrix a clip."""
        n, settings, device = len(clip), self.settings, clip.device
        identity = torch.eye(3, device=device)
        shear = identity + _uniform((n, 3, 3), settings.shear, device) * (1 - identity)
        yaw = torch.deg2rad(_uniform((n,), settings.view, device))
        roll = torch.deg2rad(_uniform((n,), settings.rotate, device))
        turned = identity.repeat(n, 1, 1)
        turned[:, 0, 0] = turned[:, 2, 2] = yaw.cos()
        if self.dimensions == 3:
            turned[:, 0, 2], turned[:, 2, 0] = yaw.sin(), -yaw.sin()
        else:
            # Without depth a turn can only narrow the picture; what depth would add to x is not known.
            shear[:, 2], shear[:, :, 2] = identity[2], identity[:, 2]
        rolled = identity.repeat(n, 1, 1)
        rolled[:, 0, 0] = rolled[:, 1, 1] = roll.cos()
        rolled[:, 0, 1], rolled[:, 1, 0] = -roll.sin(), roll.sin()
        size = 1 + _uniform((n, 1, 1), settings.scale, device)
        return size * (rolled @ shear @ turned)

    def _displace(self, clip: Tensor) -> Tensor:
        """The clip with shift, offsets and jitter added, in place."""
        n, _, frames, joints = clip.shape
        settings, device = self.settings, clip.device
        for amount, shape in (
            (settings.shift, (n, 3, 1, 1)),
            (settings.offset, (n, 3, 1, joints)),
            (settings.jitter, (n, 3, frames, joints)),
        ):
            if amount:
                noise, deviation = (
                    (torch.randn(shape, device=device), 1.0) if shape[2] == 1 else cheap_noise(shape, device)
                )
                if self.dimensions == 2:
                    noise[:, 2] = 0
                clip.add_(noise, alpha=amount / deviation)
        return clip

    def _hidden(self, clip: Tensor) -> Tensor:
        """(N, 1, T or 1, V) bool: joints to hide."""
        n, _, frames, joints = clip.shape
        settings, device = self.settings, clip.device
        hidden = torch.rand((n, joints), device=device) < settings.mask_joints
        for probability, group in ((settings.mask_lower, LOWER_BODY), (settings.mask_legs, LEGS)):
            hidden[:, group] |= torch.rand((n, 1), device=device) < probability
        # One forearm or the other, never both: without arms there is nothing to judge by.
        one_arm = torch.rand((n, 1), device=device) < settings.mask_arm
        left = torch.rand((n, 1), device=device) < 0.5
        hidden[:, ARM[0]] |= one_arm & left
        hidden[:, ARM[1]] |= one_arm & ~left
        result = hidden[:, None, None, :]
        if settings.mask_span:
            chosen = torch.rand((n, 1, 1, joints), device=device) < settings.mask_span
            ends = torch.rand((2, n, 1, 1, joints), device=device).sort(dim=0).values * frames
            time = torch.arange(frames, device=device)[None, None, :, None]
            result = result | (chosen & (time >= ends[0]) & (time < ends[1]))
        return result


def _uniform(shape: tuple[int, ...], limit: float, device: torch.device) -> Tensor:
    """Uniform in [-limit, limit]."""
    return (torch.rand(shape, device=device) * 2 - 1) * limit


def cheap_noise(shape: tuple[int, ...], device: torch.device) -> tuple[Tensor, float]:
    """Noise of mean 0, evenly spread over the odd int8 numbers, and its standard deviation: normal numbers for every
    coordinate would cost as much as all the rest of the augmentation."""
    count = math.prod(shape)
    drawn = torch.empty((count + 7) // 8, dtype=torch.int64, device=device).random_(-(2**63), None)
    odd = drawn.bitwise_or_(0x0101010101010101).view(torch.int8)[:count].view(shape)
    return odd, math.sqrt((128**2 - 1) / 3)


def mirror(clip: Tensor, chosen: Tensor) -> Tensor:
    """Left and right exchanged and x negated in the `chosen` clips (K,)."""
    # The product with a permutation is exact, and faster than indexing the last axis.
    exchange = torch.eye(clip.shape[3], device=clip.device)[list(NTU25.mirror)].T
    mirrored = clip.index_select(0, chosen) @ exchange
    mirrored[:, 0].neg_()
    return clip.index_copy(0, chosen, mirrored)


def temporal_crop(clip: Tensor, shortest: float, seen: Tensor | None = None) -> Tensor:
    """A random part of each clip, at least that share of it, stretched linearly to T frames."""
    n, _, frames, _ = clip.shape
    length = shortest + (1 - shortest) * torch.rand((n, 1), device=clip.device)
    start = (1 - length) * torch.rand((n, 1), device=clip.device)
    share = torch.linspace(0, 1, frames, device=clip.device)[None]
    return resample(clip, (start + length * share) * (frames - 1), seen)


def resample(clip: Tensor, at: Tensor, seen: Tensor | None = None) -> Tensor:
    """Clips (N, 3, T, V) at fractional frames `at` (N, T'): linear where a joint was seen in both frames around, and
    the nearer frame (whether the joint is there or not) elsewhere. seen: seen_joints(clip), where that is known."""
    n, channels, frames, joints = clip.shape
    before = at.floor().clamp(0, frames - 1).long()
    after = (before + 1).clamp(max=frames - 1)
    weight = (at - before).clamp(0, 1)[:, None, :, None]
    first = torch.arange(0, n * channels * frames, frames, device=clip.device).view(n, channels, 1)

    def take(index: Tensor) -> Tensor:
        # All frames of all clips and coordinates as rows of one table: several times as fast as `gather`.
        rows = F.embedding((first + index[:, None]).flatten(), clip.reshape(-1, joints))
        return rows.view(n, channels, -1, joints)

    a, b = take(before), take(after)
    if (seen_joints(clip) if seen is None else seen).shape[2] == 1:
        return a.lerp_(b, weight)
    both = seen_joints(a) & seen_joints(b)
    return torch.where(both, torch.lerp(a, b, weight), torch.where(weight < 0.5, a, b))
