"""C2VL's loss against a reference written as loops, its limits, its gradient, and two processes against one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import torch.distributed as dist  # noqa: E402
import torch.multiprocessing as mp  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import settings as hypothesis_settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from edge_c2vl.errors import EdgeC2VLError, UsageError  # noqa: E402
from train.methods.c2vl_loss import C2VLObjective, identity_targets, mix_targets  # noqa: E402
from train.settings.pretraining import ObjectiveSettings  # noqa: E402


def chosen(**settings: Any) -> ObjectiveSettings:
    """What the tests reckon with, whatever the defaults are."""
    return ObjectiveSettings(**({"softening": 0.5, "temperature": 0.1, "learn_temperature": True} | settings))


def batch(rows: int, size: int, seed: int = 0, dtype: torch.dtype = torch.float32):
    generator = torch.Generator().manual_seed(seed)
    make = lambda: torch.randn(rows, size, generator=generator, dtype=torch.float64).to(dtype)  # noqa: E731
    return make(), make(), make()


def reference(z, m, z_ema, settings: ObjectiveSettings, a: float) -> float:
    """The formulas of the module's docstring for distinct captions, in NumPy, an entry at a time."""

    def unit(x):
        return np.asarray(x, np.float64) / np.linalg.norm(x, axis=1, keepdims=True)

    def softmax(row):
        e = np.exp(row - row.max())
        return e / e.sum()

    z, m, z_ema = unit(z), unit(m), unit(z_ema)
    b, tau = settings.balance, settings.temperature
    total = 0.0
    for i in range(len(z)):
        p_sm, p_ms = softmax(m @ z[i] / tau), softmax(z @ m[i] / tau)
        similar = softmax(m @ m[i] / settings.self_temperature)
        c_sm = softmax(m @ z_ema[i] / settings.cross_temperature)
        c_ms = softmax(z_ema @ m[i] / settings.cross_temperature)
        for j in range(len(z)):
            y_sm = (1 - a) * (i == j) + a * (b * similar[j] + (1 - b) * c_sm[j])
            y_ms = (1 - a) * (i == j) + a * (b * similar[j] + (1 - b) * c_ms[j])
            total -= 0.5 * (y_sm * math.log(p_sm[j]) + y_ms * math.log(p_ms[j]))
    return total / len(z)


@pytest.mark.parametrize("a", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("balance", [0.0, 0.4, 1.0])
def test_equals_the_formulas(a: float, balance: float) -> None:
    z, m, z_ema = batch(9, 6, dtype=torch.float64)
    settings = chosen(softening=a, schedule="constant", balance=balance, self_temperature=0.3)
    loss, metrics = C2VLObjective({"language": 6}, settings)({"language": z}, {"language": m}, {"language": z_ema})
    assert float(loss.detach()) == pytest.approx(reference(z, m, z_ema, settings, a), abs=1e-6)
    assert float(metrics["softening"]) == pytest.approx(a)


def lerch(z, m, z_ema, settings: ObjectiveSettings, a: float, cosines: list[np.ndarray]) -> float:
    """The options of Lerch et al. by the module's docstring, in NumPy, an entry at a time. cosines: of the pairs of all
    batches so far, this one's last."""

    def unit(x):
        return np.asarray(x, np.float64) / np.linalg.norm(x, axis=1, keepdims=True)

    def softmax(row):
        e = np.exp(row - row.max())
        return e / e.sum()

    z, m, z_ema = unit(z), unit(m), unit(z_ema)
    n, b, tau = len(z), settings.balance, settings.temperature
    mean, deviation = cosines[0].mean(), cosines[0].std()
    for seen in cosines[1:]:
        mean, deviation = 0.99 * mean + 0.01 * seen.mean(), 0.99 * deviation + 0.01 * seen.std()
    weights, losses = [], []
    for i in range(n):
        x = (z[i] @ m[i] - mean) / (settings.weight_spread * deviation)
        weights.append(settings.least_weight + (1 - settings.least_weight) * 0.5 * (1 + math.erf(x / math.sqrt(2))))
        c_sm, c_ms = np.zeros(n), np.zeros(n)
        for j in range(n):
            pair = (z_ema[i] @ m[i] + z_ema[j] @ m[j]) / settings.pair_temperature
            c_sm[j] = z_ema[i] @ m[j] / settings.cross_temperature + pair
            c_ms[j] = m[i] @ z_ema[j] / settings.cross_temperature + pair
        c_sm, c_ms = softmax(c_sm), softmax(c_ms)
        a_sm = softmax(m @ m[i] / settings.self_temperature)
        a_ms = softmax(z_ema @ z_ema[i] / settings.self_temperature)
        p_sm, p_ms = softmax(m @ z[i] / tau), softmax(z @ m[i] / tau)
        loss = 0.0
        for j in range(n):
            loss -= 0.5 * ((1 - a) * (i == j) + a * (b * a_sm[j] + (1 - b) * c_sm[j])) * math.log(p_sm[j])
            loss -= 0.5 * ((1 - a) * (i == j) + a * (b * a_ms[j] + (1 - b) * c_ms[j])) * math.log(p_ms[j])
        losses.append(loss)
    return float(np.dot(weights, losses) / np.sum(weights))


@pytest.mark.parametrize("a", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("balance", [0.0, 0.4, 1.0])
def test_weights_cycles_and_own_similarity_equal_their_formulas(a: float, balance: float) -> None:
    settings = chosen(
        softening=a, schedule="constant", balance=balance, cycle_consistency=True, own_similarity=True,
        least_weight=0.25, self_temperature=0.3, cross_temperature=0.2,
    )  # fmt: skip
    objective = C2VLObjective({"language": 6}, settings).double()
    cosines: list[np.ndarray] = []
    for seed in range(3):
        z, m, z_ema = batch(9, 6, seed, dtype=torch.float64)
        unit = torch.nn.functional.normalize
        cosines.append((unit(z) * unit(m)).sum(dim=1).numpy())
        loss, _ = objective({"language": z}, {"language": m}, {"language": z_ema})
        assert float(loss.detach()) == pytest.approx(lerch(z, m, z_ema, settings, a, cosines), abs=1e-6)


def test_a_pair_that_fits_badly_counts_less() -> None:
    m = torch.nn.functional.normalize(batch(16, 8)[0], dim=1)
    z = m.clone()
    z[0] = -m[0]  # its knowledge is another clip's
    z.requires_grad_(True)
    lengths = {}
    for least in (1.0, 0.25):
        settings = chosen(softening=0, learn_temperature=False, least_weight=least, soften_from=0.2)
        objective = C2VLObjective({"language": 8}, settings)
        for progress in (0.1, 0.5):
            z.grad = None
            objective({"language": z + 0}, {"language": m}, progress=progress)[0].backward()
            lengths[least, progress] = float(z.grad[0].norm())
        # Nobody is told apart before.
        assert len(objective.state_dict()) == (4 if least == 1 else 5)
    assert lengths[0.25, 0.1] == pytest.approx(lengths[1.0, 0.1])
    assert lengths[0.25, 0.5] < 0.5 * lengths[1.0, 0.5]


def test_with_weight_0_it_is_symmetric_infonce() -> None:
    z, m, z_ema = batch(32, 16, seed=1)
    objective = C2VLObjective({"language": 16}, chosen(softening=0.7, schedule="linear"))
    loss, _ = objective({"language": z}, {"language": m}, {"language": z_ema}, progress=0.0)
    unit = torch.nn.functional.normalize
    logits = unit(z) @ unit(m).T / 0.1
    at = torch.arange(32)
    cross_entropy = torch.nn.functional.cross_entropy
    assert float(loss.detach()) == pytest.approx(
        float(cross_entropy(logits, at) + cross_entropy(logits.T, at)) / 2, abs=1e-6
    )


def test_two_modalities_count_equally() -> None:
    z, m, z_ema = batch(8, 5)
    z2, m2, z2_ema = batch(8, 7, seed=3)
    settings = chosen(schedule="constant")
    both, _ = C2VLObjective({"vision": 5, "language": 7}, settings)(
        {"vision": z, "language": z2}, {"vision": m, "language": m2}, {"vision": z_ema, "language": z2_ema}
    )
    expected = (reference(z, m, z_ema, settings, 0.5) + reference(z2, m2, z2_ema, settings, 0.5)) / 2
    assert float(both) == pytest.approx(expected, abs=1e-6)


def test_gradient_is_right_in_float64() -> None:
    z, m, z_ema = batch(5, 4, dtype=torch.float64)
    z.requires_grad_(True)
    objective = C2VLObjective({"language": 4}, chosen(schedule="constant", softening=0.6)).double()

    def loss(z, log_scale):
        batch = ({"language": z}, {"language": m}, {"language": z_ema})
        return torch.func.functional_call(objective, {"log_scale.language": log_scale}, batch)[0]

    scale = torch.tensor(math.log(10.0), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (z, scale))


def test_the_teacher_gets_no_gradient_and_the_temperature_does() -> None:
    z, m, z_ema = batch(6, 4)
    z_ema.requires_grad_(True)
    objective = C2VLObjective({"language": 4}, chosen(schedule="constant"))
    objective({"language": z.requires_grad_(True)}, {"language": m}, {"language": z_ema})[0].backward()
    assert z_ema.grad is None
    assert objective.log_scale["language"].grad.abs() > 0
    fixed = C2VLObjective({"language": 4}, chosen(learn_temperature=False, softening=0))
    assert not [parameter for parameter in fixed.parameters() if parameter.requires_grad]


@given(rows=st.integers(1, 9), seed=st.integers(0, 99), a=st.floats(0, 1), b=st.floats(0, 1), repeated=st.booleans())
@hypothesis_settings(deadline=None, max_examples=60)
def test_rows_of_the_targets_sum_to_1(rows: int, seed: int, a: float, b: float, repeated: bool) -> None:
    m, _, z = (torch.nn.functional.normalize(x, dim=1) for x in batch(rows, 3, seed))
    if repeated:
        m = m[:1].expand(rows, -1)
    hard = identity_targets(m, m, 0, torch.ones(rows, dtype=torch.bool), share_duplicates=True)
    soft = torch.softmax(m @ m.T / 0.1, dim=1), torch.softmax(z @ m.T / 0.1, dim=1)
    for parts in (soft, (None, soft[1]), (soft[0], None), (None, None)):
        share = b if None not in parts else float(parts[0] is not None)
        targets = mix_targets(hard, *parts, a, share)
        assert torch.allclose(targets.sum(dim=1), torch.ones(rows), atol=1e-5)
        assert (targets >= -1e-6).all()


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


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.8, 0.8, 0.8, 0.8, 0.8]),
        ("linear", [0, 0, 0.4, 0.8, 0.8]),
        ("cosine", [0, 0, 0.4, 0.8, 0.8]),
        ("step", [0, 0, 0, 0.8, 0.8]),
    ],
)
def test_the_weight_rises(schedule: str, expected: list[float]) -> None:
    settings = chosen(softening=0.8, schedule=schedule, soften_from=0.25, soften_to=0.75)
    assert [settings.weight(p) for p in (0, 0.25, 0.5, 0.75, 1)] == pytest.approx(expected)
    if schedule == "cosine":
        assert settings.weight(0.375) == pytest.approx(0.8 * (1 - math.sqrt(0.5)) / 2)
    off = chosen(softening=0.8, schedule=schedule, self_similarity=False, cross_consistency=False)
    assert off.weight(1.0) == 0
    assert not off.needs_teacher


def test_parts_can_be_switched_off() -> None:
    z, m, z_ema = batch(7, 4)
    for on, share in (("self_similarity", 1.0), ("cross_consistency", 0.0)):
        off = {"self_similarity": False, "cross_consistency": False} | {on: True}
        settings = chosen(schedule="constant", **off)
        teacher = {"language": z_ema} if settings.needs_teacher else None
        assert settings.needs_teacher is (on == "cross_consistency")
        loss, _ = C2VLObjective({"language": 4}, settings)({"language": z}, {"language": m}, teacher)
        whole = chosen(schedule="constant", balance=share)
        assert float(loss.detach()) == pytest.approx(reference(z, m, z_ema, whole, 0.5), abs=1e-6)


def test_bfloat16_projections_are_compared_in_float32() -> None:
    z, m, z_ema = batch(8, 16)
    objective = C2VLObjective({"language": 16}, chosen(schedule="constant"))
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = objective({"language": z.bfloat16()}, {"language": m}, {"language": z_ema.bfloat16()})
    assert loss.dtype == torch.float32
    exact = reference(z.bfloat16().float(), m, z_ema.bfloat16().float(), objective.settings, 0.5)
    assert float(loss) == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda z, m, t: (z, {"language": m["language"][:, :2]}, t), r"knowledge for 'language' should be \(4, 3\)"),
        (lambda z, m, t: (z, {"language": m["language"][:2]}, t), r"knowledge for 'language' should be \(4, 3\)"),
        (lambda z, m, t: (z, {"vision": m["language"]}, t), "no knowledge for 'language', only for: vision"),
        (lambda z, m, t: (z, {"language": m["language"] * float("nan")}, t), "NaN"),
        (lambda z, m, t: (z, m, None), "EMA student"),
        (lambda z, m, t: (z, m, {}), "no teacher for 'language', only for: nothing"),
    ],
)
def test_what_does_not_fit_is_named(spoil, message: str) -> None:
    z, m, z_ema = ({"language": x} for x in batch(4, 3))
    with pytest.raises(EdgeC2VLError, match=message):
        C2VLObjective({"language": 3}, chosen())(*spoil(z, m, z_ema))


@pytest.mark.parametrize(
    "wrong",
    [
        {"softening": 1.5},
        {"schedule": "sudden"},
        {"soften_from": 0.6, "soften_to": 0.5},
        {"self_temperature": 0.0},
        {"temperature": 0.001},
        {"queue": -1},
    ],
)
def test_wrong_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError):
        ObjectiveSettings(**wrong)


def small_model():
    torch.manual_seed(5)
    return torch.nn.Linear(6, 4)


def train_step(rows: torch.Tensor, knowledge: torch.Tensor, valid: torch.Tensor, wrap) -> tuple[float, list, dict]:
    """One forward and backward with the queue filled by a batch before; loss, gradients, the objective's state."""
    model = small_model()
    objective = C2VLObjective({"language": 4}, chosen(schedule="constant", queue=8))
    both = wrap(torch.nn.ModuleDict({"model": model, "objective": objective}))
    for _ in range(2):
        z = model(rows)
        loss, _ = objective({"language": z}, {"language": knowledge}, {"language": z.detach() * 0.9}, valid=valid)
    for parameter in both.parameters():
        parameter.grad = None
    loss.backward()
    return float(loss.detach()), [parameter.grad for parameter in both.parameters()], objective.state_dict()


def one_of_two(rank: int, folder: str, data: tuple[torch.Tensor, ...]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    half = [x[rank * 5 : rank * 5 + 5] for x in data]
    loss, gradients, state = train_step(*half, wrap=lambda module: module)
    for gradient in gradients:
        dist.all_reduce(gradient)
        gradient /= 2  # what DistributedDataParallel does
    torch.save({"loss": loss, "gradients": gradients, "state": state}, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_give_what_one_gives_with_the_whole_batch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    # Captions repeat across the processes, and the second has fewer valid clips than the first.
    knowledge = torch.randn(10, 4)
    knowledge[7] = knowledge[1]
    valid = torch.tensor([True] * 6 + [False] + [True] * 2 + [False])
    data = (torch.randn(10, 6), knowledge, valid)
    loss, gradients, state = train_step(*data, wrap=lambda module: module)
    mp.spawn(one_of_two, args=(str(tmp_path), data), nprocs=2)
    parts = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert (parts[0]["loss"] + parts[1]["loss"]) / 2 == pytest.approx(loss, abs=1e-6)
    assert parts[0]["loss"] != pytest.approx(loss, abs=1e-3)  # the halves differ, so the mean is not trivial
    assert len(gradients) == 3
    for whole, half in zip(gradients, parts[0]["gradients"], strict=True):
        assert torch.allclose(whole, half, atol=1e-6)
        assert whole.abs().max() > 1e-4
    for name, whole in state.items():
        for part in parts:
            assert torch.allclose(whole.float(), part["state"][name].float(), atol=1e-6), name
