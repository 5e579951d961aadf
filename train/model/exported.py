"""The networks that a bundle's ONNX model is, where it is more than one encoder: clip -> logits, embedding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_c2vl.skeletons.skeleton import ARMS
from train.model.encoder import Encoder, fold


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


class Combined(nn.Module):
    """Two encoders of the same classes: clip -> logits (N, K), and the first one's embedding (N, D).

    The first says whether it is a distraction; the second says which one it is, and which of the classes that are none.
    distraction: (K,) bool, with classes of both kinds.
    """

    distraction: Tensor

    def __init__(self, first: Encoder, second: Encoder, distraction: Tensor) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.register_buffer("distraction", distraction)

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        logits, embedding = self.first(clip)
        which, _ = self.second(clip)
        attentive, distracted = (together(which, chosen) for chosen in (~self.distraction, self.distraction))
        odds = together(logits, self.distraction) - together(logits, ~self.distraction)
        return which + torch.where(self.distraction, odds - distracted, -attentive), embedding

    def folded(self) -> Combined:
        return Combined(fold(self.first), fold(self.second), self.distraction)


class Weighed(nn.Module):
    """A network whose logits are changed: clip -> logits (N, K), embedding (N, D).

    offsets (K,): added to each, the log of how much more often a class is on the road than in training. unseen (K,):
    added in proportion to the share of the clip, 0 to 1, in which elbows and wrists are not seen: the less is seen of
    the arms, the more has to speak for a distraction. distraction (K,) bool, sharpen: those logits are multiplied, and
    their classes' joint probability stays: temperature scaling (Guo et al., ICML 2017) of which distraction it is, not
    of whether it is one.
    """

    offsets: Tensor
    unseen: Tensor
    distraction: Tensor

    def __init__(
        self,
        network: Encoder | Combined,
        offsets: Tensor,
        unseen: Tensor,
        distraction: Tensor,
        sharpen: float = 1.0,
    ) -> None:
        super().__init__()
        self.network: Encoder | Combined = network
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
        return logits + self.offsets + (1 - seen) * self.unseen, embedding

    def _sharpened(self, logits: Tensor) -> Tensor:
        sharp = self.sharpen * logits
        before, after = (together(values, self.distraction) for values in (logits, sharp))
        return torch.where(self.distraction, sharp + (before - after), logits)

    def folded(self) -> Weighed:
        network = fold(self.network) if isinstance(self.network, Encoder) else self.network.folded()
        return Weighed(network, self.offsets, self.unseen, self.distraction, self.sharpen)


def together(logits: Tensor, chosen: Tensor) -> Tensor:
    """(N, K) -> (N, 1): the log of the sum of the chosen classes' exponentials; chosen: (K,) bool."""
    # -1e4 and not minus infinity: FP16 engines hold it, and its exponential is 0.
    return torch.logsumexp(torch.where(chosen, logits, -1e4), dim=1, keepdim=True)


def folded(network: Encoder | InWords | Combined | Weighed) -> nn.Module:
    """A copy for inference (train.model.encoder.fold)."""
    return fold(network) if isinstance(network, Encoder) else network.folded()
