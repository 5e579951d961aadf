"""C2VL's loss against a reference written as loops, its limits and its gradient."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from hypothesis import given  # noqa: E402
from hypothesis import settings as hypothesis_settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from tests.support.objective import batch, chosen, reference, softmax, unit  # noqa: E402
from train.methods.c2vl_loss import C2VLObjective, identity_targets, mix_targets  # noqa: E402
from train.settings.pretraining import ObjectiveSettings  # noqa: E402


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


def test_bfloat16_projections_are_compared_in_float32() -> None:
    z, m, z_ema = batch(8, 16)
    objective = C2VLObjective({"language": 16}, chosen(schedule="constant"))
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = objective({"language": z.bfloat16()}, {"language": m}, {"language": z_ema.bfloat16()})
    assert loss.dtype == torch.float32
    exact = reference(z.bfloat16().float(), m, z_ema.bfloat16().float(), objective.settings, 0.5)
    assert float(loss) == pytest.approx(exact, abs=1e-5)
