"""Two levels as factors: whether a driver is attentive, and which activity it is otherwise, each by layers of its own.

log p(attentive) = log s(l) and log p(activity) = log s(-l) + log p(activity | not attentive), s the logistic function.
Of sktDD's drivers it is known that they are distracted and not by what: such clips teach the level alone, and what the
activities are is learnt from clips that tell. A loss of the classes' probabilities, or of the sum of a group of them,
falls apart into the two by itself.

Each level's layers see spans of a few frames with all joints at once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge_c2vl.errors import UsageError
from train.model.encoder import Encoder, Stream
from train.model.spans import span_layers, spans
from train.settings.training import EncoderSettings


class TwoLevel(Encoder):
    """The first class is attentive driving. It reads these settings: blocks (the layers of each level), joined (their
    channels), stride (the frames of a span), stream, presence, pooling, dropout, embedding, classes."""

    def __init__(self, settings: EncoderSettings) -> None:
        nn.Module.__init__(self)
        if settings.classes < 3:
            raise UsageError("--network two-level needs three classes, the first of them attentive driving")
        self.settings = settings
        self.stream = Stream(settings.stream, settings.presence)
        self.level, self.activity = (span_layers(settings, self.stream.channels) for _ in range(2))
        features = 2 * settings.joined * (2 if settings.pooling == "mean_std" else 1)
        self._add_heads(features, Factors(features, settings.joined, settings.classes))

    def maps(self, clip: Tensor) -> Tensor:
        """(N, 3, T, 25) -> (N, C + C, T', 1): the level's channels, then the activity's."""
        seen = spans(self.stream(clip), self.settings.stride)
        return torch.cat([self.level(seen), self.activity(seen)], dim=1)


class Factors(nn.Module):
    """Features (N, F), of which every other stretch of `channels` is the activity's -> log-probabilities (N, K), the
    first of attentive driving."""

    def __init__(self, features: int, channels: int, classes: int) -> None:
        super().__init__()
        self.channels = channels
        self.level = nn.Linear(features // 2, 1)
        self.activity = nn.Linear(features // 2, classes - 1)

    def forward(self, features: Tensor) -> Tensor:
        stretches = features.split(self.channels, dim=1)  # means and spreads, each of level and activity
        of_level, of_activity = torch.cat(stretches[::2], dim=1), torch.cat(stretches[1::2], dim=1)
        level = self.level(of_level)
        activity = torch.log_softmax(self.activity(of_activity), dim=1)
        # log s(-l) = log s(l) - l
        attentive = F.logsigmoid(level)
        return torch.cat([attentive, attentive - level + activity], dim=1)
