"""The skeleton-only method: what it hides, what the teacher tells, and that nothing collapses."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edge_c2vl.errors import UsageError  # noqa: E402
from edge_c2vl.skeletons.skeleton import NTU25  # noqa: E402
from train.data.augment import Augment  # noqa: E402
from train.data.clips import Batch  # noqa: E402
from train.knowledge.spectrum import effective_rank  # noqa: E402
from train.methods.slim import Slim, _chosen_places, balanced, part_of, tube_masks  # noqa: E402
from train.model.encoder import Encoder, make_encoder  # noqa: E402
from train.model.parts import PARTS  # noqa: E402
from train.settings.pretraining import PretrainSettings  # noqa: E402
from train.settings.training import AugmentSettings, EncoderSettings  # noqa: E402

CPU = torch.device("cpu")
JOINED = EncoderSettings(width=4, blocks=3, graph_blocks=1, joined=8, features=12, pooling="mean_std")
APART = EncoderSettings(width=4, blocks=3)
PATCHES = EncoderSettings("transformer", blocks=3, joined=32, stride=4)


def made(form: EncoderSettings, **settings) -> tuple[Encoder, Slim]:
    torch.manual_seed(0)
    encoder = make_encoder(form)
    chosen = PretrainSettings(method="slim", **({"prototypes": 8} | settings))
    return encoder, Slim(encoder, Augment(AugmentSettings(view=10, jitter=0.01), 3), chosen)


def batch(n: int = 8, frames: int = 16) -> Batch:
    """Clips that differ by one slow movement each; the last has nobody in it."""
    body = torch.randn(1, 3, 1, 25)
    moved = torch.randn(n, 3, 1, 25) * torch.linspace(0, 1, frames)[:, None]
    clip = body + moved
    clip[-1] = 0
    return Batch(clip, torch.full((n,), -1), torch.arange(n))


def test_every_joint_belongs_to_one_part() -> None:
    assert sorted(name for part in PARTS for name in part) == sorted(NTU25.joints)


def test_tubes_hide_the_share_that_was_asked_for() -> None:
    torch.manual_seed(0)
    masks = tube_masks(400, 32, 0.3, 0.6, CPU)
    share = masks.float().mean(dim=(1, 2))
    assert masks.shape == (400, 32, 25)
    assert share.max() <= 0.6
    assert share.quantile(0.05) > 0.25
    assert 0.35 < share.mean() < 0.55


def test_a_tube_is_of_one_part_and_one_span(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.methods.slim.MOST_TUBES", 1)
    torch.manual_seed(0)
    for mask in tube_masks(300, 32, 0.1, 0.4, CPU):
        joints, frames = mask.any(dim=0).nonzero()[:, 0].tolist(), mask.any(dim=1).nonzero()[:, 0]
        if not joints:
            continue
        assert mask[frames][:, joints].all()
        assert frames[-1] - frames[0] + 1 == len(frames)
        assert len(frames) >= 8
        names = [NTU25.joints[joint] for joint in joints]
        (part,) = [part for part in PARTS if set(names) <= set(part)]
        at = sorted(part.index(name) for name in names)
        assert at == list(range(at[0], at[-1] + 1))


def test_a_part_of_a_clip_lies_within_it() -> None:
    clip = torch.arange(1.0, 33.0)[None, None, :, None].expand(50, 3, 32, 25)
    torch.manual_seed(0)
    some = part_of(clip, (0.2, 0.6), 16)[:, 0, :, 0]
    assert some.shape == (50, 16)
    length = some[:, -1] - some[:, 0]
    assert (some >= 1).all()
    assert (some <= 32).all()
    assert length.min() >= 0.2 * 31 - 1e-3
    assert length.max() <= 0.6 * 31 + 1e-3


@pytest.mark.parametrize("form", [JOINED, APART, PATCHES])
def test_places_count_by_how_much_of_them_was_hidden(form: EncoderSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, _ = made(form)
    clip = batch().clip
    hidden = torch.zeros(8, 16, 25, dtype=torch.bool)
    hidden[0, :4] = True  # the first quarter of the first clip
    maps = encoder.maps(clip)
    share = encoder.at_places(hidden.float(), maps)
    places, weight = _chosen_places(share)
    weight = weight.view(maps.shape[0], *maps.shape[2:])
    assert len(places) == weight.numel()
    assert weight[0, 0].min() == 1 if maps.shape[2] == 4 else weight[0, 0].min() > 0
    assert weight[0, -1].max() == 0
    assert weight[1:].max() == 0
    # Of too many, some of all kinds.
    monkeypatch.setattr("train.methods.slim.MOST_PLACES", 8)
    places, weight = _chosen_places(share)
    assert len(set(places.tolist())) == 8
    if (parts := maps.shape[3]) > 1:
        assert len({place % parts for place in places.tolist()}) > 1
    torch.testing.assert_close(weight, share.flatten()[places])


def test_shares_use_all_prototypes_and_leave_out_rows() -> None:
    torch.manual_seed(0)
    cosines = torch.nn.functional.normalize(torch.randn(64, 8) + 5 * torch.eye(8)[0], dim=1)  # all like the first
    counted = torch.arange(64) % 4 > 0
    shares = balanced(cosines, counted)
    torch.testing.assert_close(shares.sum(dim=1)[counted], torch.ones(48))
    assert (shares[~counted] == 0).all()
    use = shares.sum(dim=0) / shares.sum()
    assert use.max() < 0.3  # of 8 prototypes; without balancing the first has nearly all
    assert ((cosines / 0.05).softmax(dim=1).mean(dim=0)).max() > 0.9


@pytest.mark.parametrize(("off", "left"), [("masked_weight", "slim/views"), ("view_weight", "slim/masked")])
def test_each_part_can_be_off(off: str, left: str) -> None:
    encoder, task = made(JOINED, **{off: 0.0})
    loss, figures = task.loss(batch(), encoder, 0.0)
    assert list(figures) == [left]
    torch.testing.assert_close(loss.detach(), figures[left])
    loss.backward()
    assert all(parameter.grad is not None for parameter in task.heads.parameters())


def test_without_masked_features_no_places_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, task = made(JOINED, masked_weight=0.0)
    monkeypatch.delattr("train.methods.slim._chosen_places")
    loss, _ = task.loss(batch(), encoder, 0.0)
    assert float(loss.detach()) > 0


def test_with_both_parts_off_it_is_told() -> None:
    with pytest.raises(UsageError, match="--masked-weight and --view-weight"):
        made(JOINED, masked_weight=0.0, view_weight=0.0)


def test_the_teacher_follows_and_gets_no_gradient() -> None:
    encoder, task = made(JOINED, ema_momentum=0.9)
    before = {name: value.clone() for name, value in task.teacher.module.named_parameters()}
    loss, _ = task.loss(batch(), encoder, 0.0)
    loss.backward()
    assert all(parameter.grad is None for parameter in task.teacher.parameters())
    with torch.no_grad():
        for parameter in [*encoder.parameters(), *task.heads.parameters()]:
            parameter.add_(1.0)
    task.after_step(encoder, 0.0)
    for name, value in task.teacher.module.named_parameters():
        torch.testing.assert_close(value, before[name] + 0.1)


def test_nobody_is_not_learnt_from() -> None:
    encoder, task = made(JOINED)
    empty = batch()
    empty.clip.zero_()
    loss, _ = task.loss(empty, encoder, 0.0)
    assert float(loss.detach()) == 0


def test_features_stay_spread_while_it_learns() -> None:
    encoder, task = made(JOINED, ema_momentum=0.9)
    torch.manual_seed(1)
    seen = batch(32)
    optimiser = torch.optim.AdamW([*encoder.parameters(), *task.heads.parameters()], 3e-3)
    for _ in range(40):
        loss, _ = task.loss(seen, encoder, 0.0)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        task.after_step(encoder, 0.0)
    features = encoder.eval()(seen.clip[:-1])[1].detach().numpy()
    assert effective_rank(features - features.mean(axis=0)) > 5
    assert np.isfinite(features).all()
