"""Augmentations: a missing joint stays exactly 0, each one does what its name says, clips differ within a batch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.skeletons.skeleton import NTU25
from edge_c2vl.skeletons.skeleton import mirror as mirror_sequence
from train.data.augment import (
    ARM,
    LOWER_BODY,
    Augment,
    crop_frames,
    mirror,
    resample,
    seen_joints,
    vary,
    vary_in_one_pass,
)
from train.settings.training import AugmentSettings

EVERYTHING = AugmentSettings(
    shear=0.5, crop=0.5, rotate=30, view=40, mirror=0.5, scale=0.3, shift=0.3, jitter=0.1, offset=0.1,
    mask_joints=0.1, mask_lower=0.3, mask_legs=0.3, mask_arm=0.3, mask_span=0.3,
)  # fmt: skip


def clips(dimensions: int = 3, count: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    clip = torch.randn(count, 3, 20, 25, generator=generator)
    clip *= torch.rand(count, 1, 1, 25, generator=generator) > 0.3
    if dimensions == 2:
        clip[:, 2] = 0
    return clip


@pytest.mark.parametrize("dimensions", [2, 3])
def test_missing_stays_exactly_zero_and_2d_stays_flat(dimensions: int) -> None:
    torch.manual_seed(0)
    clip = clips(dimensions)
    out = Augment(EVERYTHING, dimensions)(clip)
    assert out.shape == clip.shape
    assert torch.isfinite(out).all()
    missing = ~seen_joints(clip)
    # A mirror image exchanges left and right: a joint must be missing where it and its partner both were.
    both = missing.all(dim=2, keepdim=True) & missing.all(dim=2, keepdim=True)[..., list(NTU25.mirror)]
    assert (out[both.expand_as(out)] == 0).all()
    if dimensions == 2:
        assert (out[:, 2] == 0).all()


def test_nothing_on_changes_nothing() -> None:
    clip = clips()
    torch.testing.assert_close(Augment(AugmentSettings(), 3)(clip), clip)


def test_every_clip_of_a_batch_draws_its_own() -> None:
    torch.manual_seed(0)
    clip = clips(count=1).repeat(16, 1, 1, 1)
    for name in ("shear", "rotate", "view", "scale", "shift", "jitter", "offset"):
        out = Augment(AugmentSettings(**{name: 0.5}), 3)(clip)
        assert len(torch.unique(out.flatten(1), dim=0)) == 16, name


def test_roll_and_view_keep_lengths_and_a_flat_view_narrows() -> None:
    torch.manual_seed(0)
    clip = clips()
    turned = Augment(AugmentSettings(rotate=90, view=60), 3)(clip)
    torch.testing.assert_close(turned.norm(dim=1), clip.norm(dim=1), rtol=1e-4, atol=1e-5)
    flat = clips(2)
    narrowed = Augment(AugmentSettings(view=60), 2)(flat)
    torch.testing.assert_close(narrowed[:, 1], flat[:, 1])
    ratio = (narrowed[:, 0].abs().sum((1, 2)) / flat[:, 0].abs().sum((1, 2))).tolist()
    assert all(math.cos(math.radians(60)) - 1e-5 <= r <= 1 + 1e-5 for r in ratio)


def test_mirror_agrees_with_the_one_of_sequences() -> None:
    clip = clips(count=1)
    sequence = torch.cat([clip[0].permute(1, 2, 0), torch.ones(20, 25, 1)], dim=2).numpy()
    expected = mirror_sequence(sequence)[..., :3].transpose(2, 0, 1)
    np.testing.assert_array_equal(mirror(clip, torch.arange(len(clip)))[0].numpy(), expected)
    torch.testing.assert_close(mirror(clip, torch.arange(0)), clip)


def test_resampling_is_exact_on_linear_motion_and_never_drags_a_joint_towards_zero() -> None:
    clip = torch.arange(10.0)[None, None, :, None].expand(1, 3, 10, 25).clone() + 1
    at = torch.tensor([[0.0, 2.5, 8.75, 9.0]])
    torch.testing.assert_close(resample(clip, at)[0, 0, :, 0], at[0] + 1)
    clip[:, :, 3] = 0
    values = resample(clip, torch.tensor([[2.2, 2.8, 3.4, 3.6]]))[0, 0, :, 0].tolist()
    assert values == [3.0, 0.0, 0.0, 5.0]


def test_temporal_crop_is_a_part_in_order() -> None:
    torch.manual_seed(0)
    clip = torch.linspace(1, 2, 20)[None, None, :, None].expand(64, 3, 20, 25)
    out = resample(clip, crop_frames(64, 20, 0.5, clip.device))[:, 0, :, 0]
    spans = out[:, -1] - out[:, 0]
    assert (out.diff(dim=1) > 0).all()
    assert out.min() >= 1
    assert out.max() <= 2
    assert spans.min() >= 0.5 - 1e-5
    assert spans.max() > 0.9


def test_groups_are_hidden_as_often_as_asked_and_never_both_forearms() -> None:
    torch.manual_seed(0)
    clip = torch.ones(2000, 3, 4, 25)
    seen = seen_joints(Augment(AugmentSettings(mask_lower=0.3, mask_arm=0.4), 3)(clip))[:, 0].all(dim=1)
    lower, arms = seen[:, list(LOWER_BODY)], [seen[:, list(arm)] for arm in ARM]
    assert (~lower).all(dim=1).float().mean() == pytest.approx(0.3, abs=0.04)
    assert ((~lower).all(dim=1) | lower.all(dim=1)).all()
    hidden = [(~arm).all(dim=1) for arm in arms]
    assert (hidden[0] | hidden[1]).float().mean() == pytest.approx(0.4, abs=0.04)
    assert not (hidden[0] & hidden[1]).any()


def test_a_span_is_hidden_in_one_piece() -> None:
    torch.manual_seed(0)
    seen = seen_joints(Augment(AugmentSettings(mask_span=1.0), 3)(torch.ones(50, 3, 30, 25)))[:, 0].int()
    changes = seen.diff(dim=1).abs().sum(dim=1)
    assert (changes <= 2).all()
    assert 0 < (1 - seen.float().mean()) < 0.6


@given(
    settings=st.builds(
        AugmentSettings,
        **{name: st.sampled_from([0.0, 0.3]) for name in EVERYTHING.__dataclass_fields__ if name != "crop"},
        crop=st.sampled_from([0.3, 1.0]),
    ),
    dimensions=st.sampled_from([2, 3]),
    frames=st.integers(2, 9),
    missing=st.sampled_from(["nothing", "throughout", "at times"]),
)
@settings(deadline=None)
def test_one_pass_on_a_cpu_is_the_same_as_tensors_operations(
    settings: AugmentSettings, dimensions: int, frames: int, missing: str
) -> None:
    torch.manual_seed(0)
    clip = torch.randn(5, 3, frames, 25)
    if dimensions == 2:
        clip[:, 2] = 0
    if missing != "nothing":
        clip *= torch.rand(5, 1, frames if missing == "at times" else 1, 25) > 0.4
    drawn = Augment(settings, dimensions).draw(5, frames, clip.device)
    torch.testing.assert_close(vary_in_one_pass(clip, drawn), vary(clip, drawn), rtol=1e-5, atol=1e-5)


def test_what_a_cpu_does_in_one_pass_and_another_precision_as_tensors_is_the_same() -> None:
    clip = clips()
    torch.manual_seed(1)
    single = Augment(EVERYTHING, 3)(clip)
    torch.manual_seed(1)
    double = Augment(EVERYTHING, 3)(clip.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(single, double.float(), rtol=1e-5, atol=1e-5)
