"""What a clip is compared with: clips with one caption, what was not seen, the queue of past clips."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from tests.support.objective import batch, chosen, reference  # noqa: E402
from train.methods.c2vl_loss import C2VLObjective, identity_targets  # noqa: E402
from train.settings.pretraining import ObjectiveSettings  # noqa: E402


def test_clips_with_one_caption_are_no_negatives_of_each_other() -> None:
    m = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    present = torch.ones(3, dtype=torch.bool)
    shared = identity_targets(m, m, 0, present, share_duplicates=True)
    assert shared.tolist() == [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]
    assert identity_targets(m, m, 0, present, share_duplicates=False).tolist() == torch.eye(3).tolist()


def test_a_caption_that_is_in_the_queue_already_is_no_negative() -> None:
    z, m, z_ema = batch(4, 4)
    losses = {}
    for share in (True, False):
        objective = C2VLObjective({"language": 4}, chosen(softening=0, queue=4, share_duplicates=share))
        objective({"language": z}, {"language": m}, {"language": z_ema})
        loss, metrics = objective({"language": z}, {"language": m}, {"language": z})
        losses[share] = float(loss)
        assert float(metrics["language/target_entropy"]) == pytest.approx(math.log(2) if share else 0, abs=1e-6)
    assert abs(losses[True] - losses[False]) > 1e-3


def test_within_a_batch_shared_targets_change_no_sum() -> None:
    """Over a group with one caption the two kinds of target differ row by row and agree in sum."""
    z, m, _ = batch(6, 4)
    m = m[torch.tensor([0, 0, 1, 2, 2, 2])]
    objectives = [
        C2VLObjective({"language": 4}, chosen(softening=0, share_duplicates=share)) for share in (True, False)
    ]
    losses = [float(objective({"language": z}, {"language": m})[0]) for objective in objectives]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_a_batch_of_duplicates_and_a_batch_of_one_are_finite() -> None:
    for rows in (1, 5):
        z = torch.randn(1, 4).expand(rows, 4).clone().requires_grad_(True)
        m = torch.randn(1, 4).expand(rows, 4)
        objective = C2VLObjective({"language": 4}, chosen(schedule="constant"))
        loss, _ = objective({"language": z}, {"language": m}, {"language": z.detach()})
        assert float(loss.detach()) == pytest.approx(math.log(rows), abs=1e-5)
        loss.backward()
        assert torch.isfinite(z.grad).all()
        assert z.grad.abs().max() < 1e-6


def test_clips_in_which_nothing_was_seen_are_left_out() -> None:
    z, m, z_ema = batch(8, 4)
    settings = chosen(schedule="constant")
    valid = torch.tensor([True, False, True, True, False, True, True, True])
    objective = C2VLObjective({"language": 4}, settings)
    z = z.requires_grad_(True)
    loss, _ = objective({"language": z}, {"language": m}, {"language": z_ema}, valid=valid)
    expected = reference(z.detach()[valid], m[valid], z_ema[valid], settings, 0.5)
    assert float(loss.detach()) == pytest.approx(expected, abs=1e-6)
    loss.backward()
    assert (z.grad[~valid] == 0).all()
    # A batch in which no clip at all can be used: no loss, no gradient, no NaN.
    nothing, _ = objective(
        {"language": z}, {"language": m}, {"language": z_ema}, valid=torch.zeros(8, dtype=torch.bool)
    )
    assert float(nothing.detach()) == 0
    (gradient,) = torch.autograd.grad(nothing, z)
    assert (gradient == 0).all()


def test_the_queue_adds_candidates_and_keeps_the_newest() -> None:
    settings = chosen(softening=0, queue=6)
    objective = C2VLObjective({"language": 4}, settings)
    batches = [batch(4, 4, seed) for seed in range(3)]
    for z, m, z_ema in batches[:2]:
        objective({"language": z}, {"language": m}, {"language": z_ema})
    unit = torch.nn.functional.normalize
    newest = torch.cat([unit(batches[1][1]), unit(batches[0][1])[:2]])
    assert torch.allclose(objective.queues["language"].knowledge, newest, atol=1e-6)
    z, m, z_ema = batches[2]
    objective.eval()  # evaluation reads the queue and leaves it as it is
    loss, _ = objective({"language": z}, {"language": m}, {"language": z_ema})
    assert torch.allclose(objective.queues["language"].knowledge, newest, atol=1e-6)
    past = torch.cat([unit(batches[1][2]), unit(batches[0][2])[:2]])
    at, cross_entropy = torch.arange(4), torch.nn.functional.cross_entropy
    sm = cross_entropy(unit(z) @ torch.cat([unit(m), newest]).T / 0.1, at)
    ms = cross_entropy(unit(m) @ torch.cat([unit(z), past]).T / 0.1, at)
    assert float(loss) == pytest.approx(float(sm + ms) / 2, abs=1e-6)


def test_the_queue_survives_a_checkpoint() -> None:
    settings = chosen(queue=6)
    first, second = (C2VLObjective({"language": 4}, settings) for _ in range(2))
    z, m, z_ema = batch(4, 4)
    first({"language": z}, {"language": m}, {"language": z_ema})
    second.load_state_dict(first.state_dict())
    losses = [float(o({"language": z}, {"language": m}, {"language": z_ema}, 0.5)[0]) for o in (first, second)]
    assert losses[0] == losses[1]


def test_a_clip_is_left_out_for_the_knowledge_that_says_nothing_of_it() -> None:
    """As those of another archive are."""
    torch.manual_seed(0)
    settings = ObjectiveSettings(schedule="constant", softening=0.5, cross_consistency=False)
    objective = C2VLObjective({"language": 4, "language-1": 4}, settings)
    z, m = torch.randn(8, 4), torch.randn(8, 4)
    first = torch.arange(8) < 5
    known = {"language": m * first[:, None], "language-1": m * ~first[:, None]}
    loss, _ = objective({"language": z, "language-1": z}, known)
    alone = C2VLObjective({"language": 4}, settings)
    each = [alone({"language": z[part]}, {"language": m[part]})[0] for part in (first, ~first)]
    torch.testing.assert_close(loss, torch.stack(each).mean())
