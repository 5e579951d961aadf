"""The objective's settings: how soft targets come in, what can be switched off, what is refused."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from edge_c2vl.errors import EdgeC2VLError, UsageError  # noqa: E402
from tests.support.objective import batch, chosen, reference  # noqa: E402
from train.methods.c2vl_loss import C2VLObjective  # noqa: E402
from train.settings.pretraining import ObjectiveSettings  # noqa: E402


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
