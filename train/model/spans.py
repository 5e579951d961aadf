"""A network that sees spans of a few frames with all joints at once. It pools over the spans, so it does not know their
order."""

from __future__ import annotations

from torch import Tensor, nn

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.skeleton import NTU25
from train.model.encoder import Encoder, JoinedBlock, Stream, dense
from train.settings.training import EncoderSettings


class SpanEncoder(Encoder):
    """It reads these settings: blocks (its layers), joined (their channels), stride (the frames of a span), stream,
    presence, pooling, dropout, embedding, classes."""

    def __init__(self, settings: EncoderSettings) -> None:
        nn.Module.__init__(self)
        self.settings = settings
        self.stream = Stream(settings.stream, settings.presence)
        self.layers = span_layers(settings, self.stream.channels)
        self._add_heads(settings.joined * (2 if settings.pooling == "mean_std" else 1))

    def maps(self, clip: Tensor) -> Tensor:
        """(N, 3, T, 25) -> (N, C, T', 1)."""
        result: Tensor = self.layers(spans(self.stream(clip), self.settings.stride))
        return result


def span_layers(settings: EncoderSettings, channels: int) -> nn.Module:
    """(N, channels * span * joints, T', 1) -> (N, joined, T', 1): layers that see one span each."""
    inputs = channels * settings.stride * NTU25.size
    return nn.Sequential(
        dense(inputs, settings.joined, 1),
        *(JoinedBlock(settings.joined, 1, 1) for _ in range(settings.blocks - 1)),
    )


def spans(seen: Tensor, span: int) -> Tensor:
    """(N, C, T, V) -> (N, C * span * V, T // span, 1): each span's numbers beside each other. Frames at the end that do
    not fill a span are left out. Raises UsageError where a clip is shorter than a span."""
    _, channels, frames, joints = (int(size) for size in seen.shape)
    count = frames // span
    if not count:
        raise UsageError(f"--stride {span} is longer than a clip of {frames} frames: give a smaller one")
    together = seen[:, :, : count * span].reshape(-1, channels, count, span * joints)
    return together.transpose(2, 3).reshape(-1, channels * span * joints, count, 1)
