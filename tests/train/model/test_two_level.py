"""Attentive or not and which activity as factors: what teaches which layers."""

from __future__ import annotations

import pytest
import torch

from edge_c2vl.errors import UsageError
from train.methods.supervised import partial_cross_entropy
from train.model.encoder import make_encoder
from train.model.two_level import TwoLevel
from train.settings.training import EncoderSettings

SETTINGS = EncoderSettings("two-level", blocks=3, joined=16, stride=4, classes=4, presence=True, pooling="mean_std")


def network() -> TwoLevel:
    torch.manual_seed(0)
    encoder = make_encoder(SETTINGS)
    assert isinstance(encoder, TwoLevel)
    return encoder


def clips(count: int = 6) -> torch.Tensor:
    return torch.randn(count, 3, 32, 25, generator=torch.Generator().manual_seed(1))


def gradients(encoder: TwoLevel, allowed: list[bool]) -> tuple[float, float]:
    """The largest gradient in the layers of the level and of the activity, for clips with that label."""
    logits, _ = encoder(clips())
    partial_cross_entropy(logits, torch.tensor([allowed] * len(logits))).backward()
    level, activity = (
        max(0.0 if p.grad is None else float(p.grad.abs().max()) for p in layers.parameters())
        for layers in (encoder.level, encoder.activity)
    )
    return level, activity


@pytest.mark.parametrize("allowed", [[True, False, False, False], [False, True, True, True]])
def test_a_label_of_the_level_alone_leaves_the_activities_alone(allowed: list[bool]) -> None:
    level, activity = gradients(network(), allowed)
    assert level > 1e-3
    assert activity < 1e-6


def test_an_activity_teaches_both() -> None:
    assert min(gradients(network(), [False, False, True, False])) > 1e-3


def test_logits_are_log_probabilities() -> None:
    with torch.no_grad():
        probabilities = network().eval()(clips())[0].exp()
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(len(probabilities)))


def test_two_classes_have_one_level() -> None:
    with pytest.raises(UsageError, match="three classes"):
        make_encoder(EncoderSettings("two-level", blocks=3, classes=2))
