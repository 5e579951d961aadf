"""The transformer: attention against plain loops, what missing joints mean, and that every method trains it."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edge_c2vl.errors import UsageError  # noqa: E402
from tests.support.encoders import clips, trained  # noqa: E402
from train.data.augment import Augment  # noqa: E402
from train.data.clips import Batch  # noqa: E402
from train.methods.base import Task  # noqa: E402
from train.methods.c2vl import C2VL  # noqa: E402
from train.methods.distil import Distil  # noqa: E402
from train.methods.skeleton_clr import SkeletonCLR  # noqa: E402
from train.methods.slim import Slim  # noqa: E402
from train.model.encoder import Encoder, make_encoder  # noqa: E402
from train.model.parts import PART_JOINTS, PARTS  # noqa: E402
from train.model.transformer import AttentionBlock, Transformer  # noqa: E402
from train.settings.pretraining import ObjectiveSettings, PretrainSettings  # noqa: E402
from train.settings.training import HEAD_CHANNELS, AugmentSettings, EncoderSettings  # noqa: E402

SETTINGS = EncoderSettings("transformer", blocks=3, joined=64, stride=4, classes=3, pooling="mean_std")
LEFT_LEG = next(number for number, part in enumerate(PARTS) if "left_knee" in part)


def test_a_layer_equals_attention_written_as_loops() -> None:
    torch.manual_seed(0)
    layer = AttentionBlock(64).eval()
    x, keys = torch.randn(1, 64, 2, 3), torch.tensor([True, True, False, True, False, True])
    with torch.no_grad():
        asked = layer.asked(x)[0].flatten(1).numpy()  # (3 * 64, places)
        query, key, value = asked.reshape(3, 2, HEAD_CHANNELS, 6)
        told = np.zeros((2, HEAD_CHANNELS, 6), np.float32)
        for head in range(2):
            for place in range(6):
                weights = {
                    other: np.exp(query[head, :, place] @ key[head, :, other] / np.sqrt(HEAD_CHANNELS))
                    for other in range(6)
                    if keys[other]
                }
                for other, weight in weights.items():
                    told[head, :, place] += weight / sum(weights.values()) * value[head, :, other]
        answered = x + layer.answer(torch.from_numpy(told).reshape(1, 64, 2, 3))
        expected = answered + layer.narrower(torch.relu(layer.wider(answered)))
        torch.testing.assert_close(layer(x, -1e4 * (~keys).float()[None, None, None]), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("unseen", [0, 8, 16])
def test_what_was_not_seen_tells_the_other_places_nothing(unseen: int) -> None:
    encoder = trained(SETTINGS)
    assert isinstance(encoder, Transformer)
    clip = torch.randn(2, 3, 16, 25)
    clip[:, :, :unseen, PART_JOINTS[LEFT_LEG]] = 0
    with torch.no_grad():
        before = encoder.maps(clip)
        assert before.shape == (2, 64, 4, 5)
        encoder.parts[:, 0, LEFT_LEG] += 3
        moved = (encoder.maps(clip) - before).abs().amax(dim=(0, 1)) > 1e-5  # (T', parts)
    assert moved[:, LEFT_LEG].all()
    others = [number for number in range(len(PARTS)) if number != LEFT_LEG]
    # Two patches of the leg that were seen are enough to tell all the others.
    assert moved[:, others].all() if unseen < 16 else not moved[:, others].any()


def test_nobody_gives_finite_outputs_and_gradients() -> None:
    encoder = make_encoder(SETTINGS)
    clip = clips(4, 16)
    clip[1:3] = 0
    logits, embedding = encoder(clip)
    (logits.sum() + embedding.sum()).backward()
    assert torch.isfinite(embedding).all()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters() if p.grad is not None)


def test_places_are_told_by_their_own_joints_and_frames() -> None:
    encoder = make_encoder(SETTINGS)
    hidden = torch.zeros(1, 18, 25)
    hidden[0, 4:6, PART_JOINTS[LEFT_LEG]] = 1
    places = encoder.at_places(hidden, torch.zeros(1, 64, 4, 5))
    expected = torch.zeros(1, 4, 5)
    expected[0, 1, LEFT_LEG] = 0.5
    torch.testing.assert_close(places, expected)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="--joined is a multiple of 32 with --network transformer, not 40"):
        EncoderSettings("transformer", joined=40)
    with pytest.raises(UsageError, match="--stride 4 is longer than a clip of 3 frames"):
        make_encoder(SETTINGS).eval()(torch.zeros(1, 3, 3, 25))


def made(method: str) -> tuple[Encoder, Task]:
    torch.manual_seed(0)
    encoder = make_encoder(EncoderSettings("transformer", blocks=3, joined=32, stride=4, embedding=8))
    augment = Augment(AugmentSettings(view=10, jitter=0.01), 3)
    if method == "c2vl":
        return encoder, C2VL(encoder, {"language": torch.randn(6, 2, 8)}, augment, ObjectiveSettings())
    if method == "slim":
        return encoder, Slim(encoder, augment, PretrainSettings(method="slim", prototypes=8))
    if method == "skeleton-clr":
        return encoder, SkeletonCLR(encoder, augment, size=8, queue=12)
    return encoder, Distil(Encoder(EncoderSettings(width=4, blocks=3, embedding=8)), augment)


@pytest.mark.parametrize("method", ["c2vl", "slim", "skeleton-clr", "distil"])
def test_every_method_trains_all_of_it(method: str) -> None:
    encoder, task = made(method)
    batch = Batch(clips(6, 16), torch.full((6,), -1), torch.arange(6))
    for _ in range(2):  # SkeletonCLR's queue is filled the second time
        loss, _ = task.loss(batch, encoder, 0.5)
        task.after_step(encoder, 0.5)
    loss.backward()
    unused = () if method in ("c2vl", "distil") else ("projection.",)
    for name, parameter in encoder.named_parameters():
        if not name.startswith(unused):
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name
