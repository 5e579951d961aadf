"""The networks that a bundle's ONNX model is, where it is more than one encoder: clip -> logits, embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from edge_c2vl.skeletons.skeleton import ARMS, NTU25
from train.data.targets import Targets
from train.model.encoder import Encoder, fold

N = TypeVar("N", bound="Network")


class InWords(nn.Module):
    """An encoder whose classes are labels in words: clip -> cosines over temperature (N, L), embedding (N, D)."""

    labels: Tensor

    def __init__(self, encoder: Encoder, labels: Tensor) -> None:
        """labels: (D, L), their embeddings over the temperature."""
        super().__init__()
        self.encoder = encoder
        self.register_buffer("labels", labels.float().contiguous())

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        _, embedding = self.encoder(clip)
        return embedding @ self.labels, embedding

    def folded(self) -> InWords:
        return InWords(fold(self.encoder), self.labels)


class BothSides(nn.Module):
    """An encoder that sees each clip as it is and in a mirror: clip -> mean of both logits (N, K), and the embedding
    (N, D) of the clip as it is.

    swapped: (K,), each label's index where left and right are exchanged. What it says of a clip's mirror image is
    exactly the mirror image of what it says of the clip, so it judges on either side of a vehicle alike.
    """

    swapped: Tensor
    mirrored: Tensor
    sign: Tensor

    def __init__(self, encoder: Encoder, swapped: Tensor) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("swapped", swapped)
        self.register_buffer("mirrored", torch.tensor(NTU25.mirror))
        self.register_buffer("sign", torch.tensor([-1.0, 1.0, 1.0]).reshape(1, 3, 1, 1))

    @classmethod
    def of(cls, encoder: Encoder, labels: Sequence[str]) -> BothSides:
        """Labels that differ by the words left and right are each other's mirror image, all others their own."""
        return cls(encoder, Targets.make(labels).mirrored)

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        in_mirror = clip.index_select(3, self.mirrored) * self.sign
        # A reshape to constant sizes, since TensorRT would have to compute where to cut N clips in two.
        both = self.encoder(torch.cat([clip, in_mirror]))
        logits, embedding = (values.reshape(2, -1, int(values.shape[1])) for values in both)
        return 0.5 * (logits[0] + logits[1].index_select(1, self.swapped)), embedding[0]

    def folded(self) -> BothSides:
        return BothSides(fold(self.encoder), self.swapped)


class Combined(nn.Module):
    """Two encoders of the same classes: clip -> logits (N, K), and the first one's embedding (N, D).

    The first says whether it is a distraction; the second says which one it is, and which of the classes that are none.
    share: how much the second counts in saying whether, 0 to 1: the log-odds are the weighted mean of both.
    distraction: (K,) bool, with classes of both kinds.
    """

    distraction: Tensor

    def __init__(
        self, first: Encoder | BothSides, second: Encoder | BothSides, distraction: Tensor, share: float = 0.0
    ) -> None:
        super().__init__()
        self.first: Encoder | BothSides = first
        self.second: Encoder | BothSides = second
        self.share = share
        self.register_buffer("distraction", distraction)

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        logits, embedding = self.first(clip)
        which, _ = self.second(clip)
        attentive, distracted = (together(which, chosen) for chosen in (~self.distraction, self.distraction))
        odds = together(logits, self.distraction) - together(logits, ~self.distraction)
        if self.share:
            odds = (1 - self.share) * odds + self.share * (distracted - attentive)
        return which + torch.where(self.distraction, odds - distracted, -attentive), embedding

    def folded(self) -> Combined:
        first, second = (folded(network) for network in (self.first, self.second))
        return Combined(first, second, self.distraction, self.share)


class Weighed(nn.Module):
    """A network whose logits are changed: clip -> logits (N, K), embedding (N, D).

    offsets (K,): added to each, the log of how much more often a class is on the road than in training. unseen (K,):
    added in proportion to the square of the share of the clip, 0 to 1, in which elbows and wrists are not seen: the
    less is seen of the arms, the more has to speak for a distraction. One arm is out of sight of many cameras all the
    time, and that says little; hence the square. distraction (K,) bool, sharpen: those logits are multiplied, and
    their classes' joint probability stays: temperature scaling (Guo et al., ICML 2017) of which distraction it is, not
    of whether it is one.
    """

    offsets: Tensor
    unseen: Tensor
    distraction: Tensor

    def __init__(
        self,
        network: Encoder | BothSides | Combined,
        offsets: Tensor,
        unseen: Tensor,
        distraction: Tensor,
        sharpen: float = 1.0,
    ) -> None:
        super().__init__()
        self.network: Encoder | BothSides | Combined = network
        self.sharpen = sharpen
        self.register_buffer("offsets", offsets)
        self.register_buffer("unseen", unseen)
        self.register_buffer("distraction", distraction)

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        logits, embedding = self.network(clip)
        if self.sharpen != 1:
            logits = self._sharpened(logits)
        arms = torch.cat([clip[:, :, :, joint : joint + 1] for joint in ARMS], dim=3)
        seen = (arms.abs().sum(dim=1) > 0).to(clip.dtype).mean(dim=(1, 2)).unsqueeze(1)  # (N, 1)
        return logits + self.offsets + (1 - seen) * (1 - seen) * self.unseen, embedding

    def _sharpened(self, logits: Tensor) -> Tensor:
        sharp = self.sharpen * logits
        before, after = (together(values, self.distraction) for values in (logits, sharp))
        return torch.where(self.distraction, sharp + (before - after), logits)

    def folded(self) -> Weighed:
        return Weighed(folded(self.network), self.offsets, self.unseen, self.distraction, self.sharpen)


Network = Encoder | InWords | BothSides | Combined | Weighed


def together(logits: Tensor, chosen: Tensor) -> Tensor:
    """(N, K) -> (N, 1): the log of the sum of the chosen classes' exponentials; chosen: (K,) bool."""
    # -1e4 and not minus infinity: FP16 engines hold it, and its exponential is 0.
    return torch.logsumexp(torch.where(chosen, logits, -1e4), dim=1, keepdim=True)


def folded(network: N) -> N:
    """A copy for inference (train.model.encoder.fold)."""
    return cast(N, fold(network) if isinstance(network, Encoder) else network.folded())
