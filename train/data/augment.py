"""Augmentations of a whole batch of clips at once, on the clips' own device.

A clip is (N, 3, T, 25), normalised to the body; a missing joint is (0, 0, 0) before and stays exactly so. Every clip of
a batch draws its own parameters. All random numbers come from PyTorch's generator, or from one that it seeds, so a
resumed run repeats them. What was drawn is applied by PyTorch's operations, or, on a CPU, in one pass
(augment_numba.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from edge_c2vl.skeletons.skeleton import NTU25
from train.data import augment_numba
from train.settings.training import AugmentSettings

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


@dataclass(frozen=True)
class Draw:
    """What N clips are varied by, in this order."""

    at: Tensor | None  # (N, T): the frames, fractional, that a temporal crop stretches to T
    mirrored: Tensor  # (N,) bool
    matrix: Tensor  # (N, 3, 3): shear, view, roll and size
    moved: Tensor  # (N, 3, V): whole bodies and joints, throughout
    noise: Tensor | None  # (N, 3, T, V) int8, of which `amount` is added
    amount: float
    hidden: Tensor  # (N, T or 1, V) bool


class Augment:
    """Applies AugmentSettings to clips of 2 or 3 dimensions (2: z is 0 and stays so)."""

    def __init__(self, settings: AugmentSettings, dimensions: int) -> None:
        self.settings = settings
        self.dimensions = dimensions

    def __call__(self, clip: Tensor) -> Tensor:
        """(N, 3, T, V) -> (N, 3, T, V), a new tensor, float32 also where the network runs in half precision."""
        return self.with_mirrored(clip)[0]

    def with_mirrored(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and which clips are mirror images (N,) bool."""
        with torch.autocast(clip.device.type, enabled=False):
            drawn = self.draw(clip.shape[0], clip.shape[2], clip.device)
            if clip.device.type != "cpu" or clip.dtype != torch.float32:
                return vary(clip, drawn), drawn.mirrored
            return vary_in_one_pass(clip, drawn), drawn.mirrored

    def draw(self, n: int, frames: int, device: torch.device) -> Draw:
        """For n clips of that many frames."""
        settings = self.settings
        at = crop_frames(n, frames, settings.crop, device) if settings.crop < 1 or settings.hold else None
        if at is not None and settings.hold:
            held = torch.rand(n, device=device) < settings.hold
            at = torch.where(held[:, None], at[:, -1:].floor(), at)
        mirrored = (
            torch.rand(n, device=device) < settings.mirror
            if settings.mirror
            else torch.zeros(n, dtype=torch.bool, device=device)
        )
        matrix, moved = self._transform(n, device), self._moved(n, device)
        noise, deviation = cheap_noise((n, 3, frames, NTU25.size), device) if settings.jitter else (None, 1.0)
        if noise is not None and self.dimensions == 2:
            noise[:, 2] = 0
        return Draw(at, mirrored, matrix, moved, noise, settings.jitter / deviation, self._hidden(n, frames, device))

    def _transform(self, n: int, device: torch.device) -> Tensor:
        """(N, 3, 3): shear, view, roll and size in one matrix a clip."""
        settings = self.settings
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

    def _moved(self, n: int, device: torch.device) -> Tensor:
        """(N, 3, V): shift of the body and offsets of joints."""
        moved = torch.zeros((n, 3, NTU25.size), device=device)
        for amount, joints in ((self.settings.shift, 1), (self.settings.offset, NTU25.size)):
            if amount:
                moved += amount * torch.randn((n, 3, joints), device=device)
        if self.dimensions == 2:
            moved[:, 2] = 0
        return moved

    def _hidden(self, n: int, frames: int, device: torch.device) -> Tensor:
        """(N, T or 1, V) bool: joints to hide."""
        settings = self.settings

        def chosen(probability: float, joints: int = 1) -> Tensor:
            return torch.rand((n, joints), device=device) < probability

        hidden = torch.zeros((n, NTU25.size), dtype=torch.bool, device=device)
        if settings.mask_joints:
            hidden |= chosen(settings.mask_joints, NTU25.size)
        for probability, group in ((settings.mask_lower, LOWER_BODY), (settings.mask_legs, LEGS)):
            if probability:
                hidden[:, group] |= chosen(probability)
        if settings.mask_arm:
            # One forearm or the other, never both: without arms there is nothing to judge by.
            one_arm, left = chosen(settings.mask_arm), chosen(0.5)
            hidden[:, ARM[0]] |= one_arm & left
            hidden[:, ARM[1]] |= one_arm & ~left
        result = hidden[:, None]
        if settings.mask_span:
            spans = chosen(settings.mask_span, NTU25.size)[:, None]
            ends = torch.rand((2, n, 1, NTU25.size), device=device).sort(dim=0).values * frames
            time = torch.arange(frames, device=device)[None, :, None]
            result = result | (spans & (time >= ends[0]) & (time < ends[1]))
        return result


def vary(clip: Tensor, drawn: Draw) -> Tensor:
    """Clips (N, 3, T, V), varied, on any device."""
    seen = seen_joints(clip)
    if drawn.at is not None:
        clip = resample(clip, drawn.at, seen)
        seen = seen if seen.shape[2] == 1 else seen_joints(clip)
    chosen = drawn.mirrored.nonzero()[:, 0]
    clip, seen = mirror(clip, chosen), seen.index_copy(0, chosen, seen[chosen][..., list(NTU25.mirror)])
    clip = torch.bmm(drawn.matrix.to(clip.dtype), clip.flatten(2)).view_as(clip).add_(drawn.moved[:, :, None])
    if drawn.noise is not None:
        clip.add_(drawn.noise, alpha=drawn.amount)
    return clip.mul_((seen & ~drawn.hidden[:, None]).to(clip.dtype))


def vary_in_one_pass(clip: Tensor, drawn: Draw) -> Tensor:
    """The same on a CPU in a fraction of the time; equal to `vary` but for rounding. Clips are float32."""
    n, _, frames, _ = clip.shape
    at = torch.arange(frames, dtype=torch.float32).expand(n, frames) if drawn.at is None else drawn.at
    noise = torch.empty((0, 3, frames, NTU25.size), dtype=torch.int8) if drawn.noise is None else drawn.noise
    tensors = (clip, at, drawn.mirrored, drawn.matrix, drawn.moved, noise, drawn.hidden)
    clips, at_, mirrored, matrix, moved, noise_, hidden = (tensor.contiguous().numpy() for tensor in tensors)
    varied = augment_numba.vary(clips, at_, mirrored, matrix, moved, noise_, hidden, drawn.amount)
    return torch.from_numpy(varied)


def _uniform(shape: tuple[int, ...], limit: float, device: torch.device) -> Tensor:
    """Uniform in [-limit, limit]."""
    return (torch.rand(shape, device=device) * 2 - 1) * limit


def cheap_noise(shape: tuple[int, ...], device: torch.device) -> tuple[Tensor, float]:
    """Noise of mean 0, evenly spread over the odd int8 numbers, and its standard deviation: normal numbers for every
    coordinate would cost as much as all the rest of the augmentation."""
    count = math.prod(shape)
    words = (count + 7) // 8
    if device.type == "cpu":
        # NumPy's fastest generator takes half the time of PyTorch's, which gives it its seed.
        generator = np.random.Generator(np.random.SFC64(int(torch.randint(2**62, ()))))
        drawn = torch.from_numpy(generator.integers(-(2**63), 2**63, words, dtype=np.int64))
    else:
        drawn = torch.empty(words, dtype=torch.int64, device=device).random_(-(2**63), None)
    odd = drawn.bitwise_or_(0x0101010101010101).view(torch.int8)[:count].view(shape)
    return odd, math.sqrt((128**2 - 1) / 3)


def mirror(clip: Tensor, chosen: Tensor) -> Tensor:
    """Left and right exchanged and x negated in the `chosen` clips (K,)."""
    # The product with a permutation is exact, and faster than indexing the last axis.
    exchange = torch.eye(clip.shape[3], dtype=clip.dtype, device=clip.device)[list(NTU25.mirror)].T
    mirrored = clip.index_select(0, chosen) @ exchange
    mirrored[:, 0].neg_()
    return clip.index_copy(0, chosen, mirrored)


def crop_frames(n: int, frames: int, shortest: float, device: torch.device) -> Tensor:
    """(N, T): the fractional frames of a random part of each clip, at least that share of it, stretched to T frames."""
    length = shortest + (1 - shortest) * torch.rand((n, 1), device=device)
    start = (1 - length) * torch.rand((n, 1), device=device)
    share = torch.linspace(0, 1, frames, device=device)[None]
    return (start + length * share) * (frames - 1)


def resample(clip: Tensor, at: Tensor, seen: Tensor | None = None) -> Tensor:
    """Clips (N, 3, T, V) at fractional frames `at` (N, T'): linear where a joint was seen in both frames around, and
    the nearer frame (whether the joint is there or not) elsewhere. seen: seen_joints(clip), where that is known."""
    n, channels, frames, joints = clip.shape
    before = at.floor().clamp(0, frames - 1).long()
    after = (before + 1).clamp(max=frames - 1)
    weight = (at - before).clamp(0, 1)[:, None, :, None].to(clip.dtype)
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
