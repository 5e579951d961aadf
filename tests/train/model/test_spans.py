"""Spans of a few frames: what each place of the features sees."""

from __future__ import annotations

import pytest
import torch

from edge_c2vl.errors import UsageError
from train.model.encoder import fold, make_encoder
from train.model.spans import SpanEncoder
from train.settings.training import EncoderSettings

SETTINGS = EncoderSettings("spans", blocks=3, joined=16, stride=4, classes=3, presence=True, pooling="mean_std")


def test_each_place_sees_all_joints_of_its_own_frames() -> None:
    torch.manual_seed(0)
    encoder = make_encoder(SETTINGS).eval()
    assert isinstance(encoder, SpanEncoder)
    clip = torch.randn(1, 3, 34, 25)  # two frames fill no span
    with torch.no_grad():
        before = encoder.maps(clip)
        assert before.shape == (1, 16, 8, 1)
        for joint in (0, 24):
            changed = clip.clone()
            changed[:, :, [11, 33], joint] += 5
            moved = (encoder.maps(changed) - before).abs().amax(dim=(0, 1, 3)) > 1e-6
            assert moved.tolist() == [False, False, True, False, False, False, False, False]
        for found, expected in zip(fold(encoder)(clip), encoder(clip), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_a_span_longer_than_the_clip_is_refused() -> None:
    with pytest.raises(UsageError, match="--stride 4 is longer than a clip of 3 frames"):
        make_encoder(SETTINGS).eval()(torch.zeros(1, 3, 3, 25))
