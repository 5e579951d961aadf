"""Labels that stand for several classes, their loss, and their mirror images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from edge_c2vl.errors import ArchiveError, UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.windows import whole_clips
from train.data.augment import Augment
from train.data.clips import Batch
from train.data.splits import draw_weights
from train.data.targets import Targets
from train.methods.supervised import Supervised, partial_cross_entropy
from train.model.encoder import Encoder
from train.settings.training import AugmentSettings, DataSettings, EncoderSettings

LABELS = ["attentive", "distracted", "phone_left", "phone_right", "smoking"]
GROUPS = {"distracted": ["phone_left", "phone_right", "smoking"]}


def test_groups_are_no_classes() -> None:
    targets = Targets.make(LABELS, GROUPS)
    assert targets.classes == ["attentive", "phone_left", "phone_right", "smoking"]
    assert targets.allowed.int().tolist() == [[1, 0, 0, 0], [0, 1, 1, 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert targets.mirrored.tolist() == [0, 1, 3, 2, 4]
    assert Targets.make(LABELS).classes == LABELS


@pytest.mark.parametrize("groups", [{"drowsy": ["smoking"]}, {"distracted": ["drowsy"]}, {"distracted": []}])
def test_groups_of_what_is_not_there_are_refused(groups: dict[str, list[str]]) -> None:
    with pytest.raises(ArchiveError, match="groups of labels"):
        Targets.make(LABELS, groups)


def test_one_allowed_class_is_the_usual_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, label = torch.randn(7, 4), torch.randint(4, (7,))
    allowed = F.one_hot(label, 4).bool()
    expected = F.cross_entropy(logits, label, label_smoothing=0.1)
    assert partial_cross_entropy(logits, allowed, 0.1).item() == pytest.approx(expected.item(), rel=1e-5)


def test_several_allowed_classes_share_the_probability() -> None:
    logits = torch.tensor([[2.0, 1.0, -1.0]])
    allowed = torch.tensor([[False, True, True]])
    expected = -torch.log(logits.softmax(1)[0, 1:].sum())
    assert partial_cross_entropy(logits, allowed).item() == pytest.approx(expected.item(), rel=1e-5)


class _Swapped(Augment):
    """Every clip a mirror image."""

    def __init__(self) -> None:
        super().__init__(AugmentSettings(mirror=1.0), 2)


def test_a_mirrored_clip_has_the_mirrored_label_and_unlabelled_clips_count_nothing() -> None:
    torch.manual_seed(0)
    encoder = Encoder(EncoderSettings(width=4, blocks=3, classes=4)).eval()
    clip = torch.randn(3, 3, 16, 25)
    clip[:, 2] = 0
    task = Supervised(_Swapped(), Targets.make(LABELS, GROUPS))
    loss, _ = task.loss(Batch(clip, torch.tensor([2, 0, -1]), torch.arange(3)), encoder, 0.0)
    logits = encoder(Augment(AugmentSettings(mirror=1.0), 2)(clip))[0]
    expected = F.cross_entropy(logits[:2], torch.tensor([2, 0]))  # phone_right, attentive
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_shares_of_labels_and_of_where_they_come_from(tmp_path: Path) -> None:
    with ArchiveWriter(
        tmp_path / "a", labels=["calm", "busy", "smoking"], source="made up", licence="none", source_layout="ntu25"
    ) as writer:
        for number, (label, kind) in enumerate([(0, "drawn"), (0, "real"), (0, "real"), (1, "real"), (2, "drawn")]):
            writer.append(f"{number}", np.ones((4, 25, 4)), 10.0, label=label, kind=kind)
    archive = Archive.open(tmp_path / "a")
    windows, rows = whole_clips(archive), np.arange(5)
    equal = draw_weights(archive, windows, rows, "kind")
    assert equal.tolist() == pytest.approx([1 / 6, 1 / 12, 1 / 12, 1 / 3, 1 / 3])
    shares = DataSettings(balance=True, balance_by="kind", shares="calm@drawn=0.4, calm=0.1,busy=0.2").shares_of
    weights = draw_weights(archive, windows, rows, "kind", shares)
    assert weights.tolist() == pytest.approx([0.4, 0.05, 0.05, 0.2, 0.3])
    with pytest.raises(UsageError, match="--shares asleep"):
        draw_weights(archive, windows, rows, "kind", {"asleep": 0.5})
    with pytest.raises(UsageError, match="--shares busy: each of its values"):
        draw_weights(archive, windows, rows, "kind", {"busy": 0.2, "busy@real": 0.3})


@pytest.mark.parametrize("shares", ["calm", "calm=much", "calm=0", "calm=0.7,busy=0.7", "calm=nan"])
def test_shares_that_are_none_are_refused(shares: str) -> None:
    with pytest.raises(UsageError, match="--shares"):
        DataSettings(balance=True, shares=shares)
