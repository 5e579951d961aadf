"""What a model says of labelled recordings, by label and driver."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import NTU25, Array
from train.evaluation.activities import evaluate, half_of
from train.evaluation.models import Model
from train.model.export import chosen_labels, parse_offsets

LABELS = ["attentive", "smoking", "reaching"]
WRIST, SHOULDERS = NTU25.index("right_wrist"), [NTU25.index("left_shoulder"), NTU25.index("right_shoulder")]


class ByHeight(Model):
    """Log-odds by how high the right wrist is, and `bias` for attentive driving."""

    def __init__(self, labels: list[str], bias: float = 0.0) -> None:
        self.labels, self.spec, self.name = labels, ClipSpec(frames=8, seconds=1.0), "by height"
        self.bias = bias

    def logits(self, clips: Array) -> Array:
        height = clips[:, 1, :, WRIST].mean(axis=1)
        return np.stack([self.bias - 4 * abs(height - level) for level in (0, 1, 2)], axis=1).astype(np.float32)

    features = logits


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    path = tmp_path_factory.mktemp("activities") / "archive"
    with ArchiveWriter(
        path, labels=LABELS, source="made up", licence="none", source_layout="ntu25", dimensions=2
    ) as writer:
        for driver in ("a", "b", "c"):
            for label in range(3):
                frames = np.zeros((21, 25, 4), np.float32)
                frames[..., :2] = 0.001
                for joint, place in ((SHOULDERS[0], (0.5, 0)), (SHOULDERS[1], (-0.5, 0)), (20, (0, 0.001))):
                    frames[:, joint] = [*place, 0, 1]
                # The second driver sits so that attentive driving looks a little like smoking: log-odds of .42.
                frames[:, WRIST] = [0.3, label + (0.55 if driver == "b" else 0.001), 0, 1]
                writer.append(f"{driver}{label}", frames, 10.0, label=label, subject=driver)
            nobody = np.zeros((21, 25, 4), np.float32)
            nobody[:, SHOULDERS[0]] = [0.5, 0, 0, 1]
            writer.append(f"{driver} unseen", nobody, 10.0, label=0, subject=driver)
    return Archive.open(path)


def test_figures_by_label_and_driver(archive: Archive) -> None:
    values = evaluate(archive, ByHeight(LABELS), "all", 0.5).values
    plain, own = values["as it is"], values["with each driver's own baseline"]
    assert plain["windows"] == 36
    assert plain["judged"] == 27  # not those without an arm
    attentive = plain["labels"]["attentive"]
    assert (attentive["windows"], attentive["judged"]) == (18, 9)
    assert attentive["called distracted"] == pytest.approx(1 / 3, abs=1e-4)
    assert attentive["called"] == {"attentive": 6, "smoking": 3}
    assert plain["subjects"]["b"]["attentive called distracted"] == 1
    assert plain["subjects"]["a"]["auc"] == 1
    assert plain["activities"]["recall"] == {"attentive": 0.6667, "smoking": 0.6667, "reaching": 1.0}
    assert own["labels"]["attentive"]["called distracted"] == 0
    assert own["labels"]["attentive"]["judged"] == 6  # what the baseline was learnt on is not judged


def test_an_offset_decides_whether_it_is_a_distraction_and_not_which(archive: Archive) -> None:
    plain = evaluate(archive, ByHeight(LABELS), "all", 0.5).values["as it is"]
    calm = evaluate(archive, ByHeight(LABELS), "all", 0.5, {"attentive": 9.0}).values["as it is"]
    loud = evaluate(archive, ByHeight(LABELS), "all", 0.5, {"attentive": -9.0}).values["as it is"]
    assert calm["labels"]["attentive"]["called distracted"] == 0
    assert calm["activities"]["recall"] == {"attentive": 1.0, "smoking": 0.0, "reaching": 0.0}
    assert loud["activities"]["recall"]["attentive"] == 0
    assert loud["activities"]["recall"]["smoking"] == plain["activities"]["recall"]["smoking"]
    for wrong in ("asleep=1", "attentive", "attentive=nan", "attentive=99"):
        with pytest.raises(UsageError, match="--offset"):
            parse_offsets([wrong], LABELS)


def test_a_distraction_is_named_as_in_the_vehicle(archive: Archive) -> None:
    """Attentive driving is the most probable class, but all the others together are more probable."""

    class Undecided(ByHeight):
        def logits(self, clips: Array) -> Array:
            return np.broadcast_to(np.log([0.4, 0.25, 0.35]).astype(np.float32), (len(clips), 3))

    values = evaluate(archive, Undecided(LABELS), "all", 0.5).values["as it is"]
    assert values["labels"]["attentive"]["called"] == {"reaching": 9}
    assert values["activities"]["recall"] == {"attentive": 0.0, "smoking": 0.0, "reaching": 1.0}


def test_half_of_the_drivers(archive: Archive, tmp_path: Path) -> None:
    subjects = archive.clips["subject"].to_numpy()
    assert set(subjects[half_of(archive, "odd")]) == {"a", "c"}
    assert set(subjects[half_of(archive, "even")]) == {"b"}
    assert len(half_of(archive, "all")) == len(archive)
    with ArchiveWriter(
        tmp_path / "one", labels=LABELS, source="made up", licence="none", source_layout="ntu25", dimensions=2
    ) as writer:
        writer.append("alone", np.ones((21, 25, 4), np.float32), 10.0, label=0, subject="a")
    with pytest.raises(UsageError, match="--half even"):
        half_of(Archive.open(tmp_path / "one"), "even")


def test_without_attentive_driving_there_is_nothing_to_compare_with(archive: Archive) -> None:
    with pytest.raises(UsageError, match="by height has no label 'attentive'"):
        evaluate(archive, ByHeight(["calm", "smoking", "reaching"]), "all", 0.5)


def test_labels_that_count_as_distraction() -> None:
    assert chosen_labels("!attentive", LABELS) == ["smoking", "reaching"]
    assert chosen_labels("smoking", LABELS) == ["smoking"]
    assert chosen_labels("", LABELS) == []
    for wrong in ("asleep", "!asleep", "!attentive,smoking"):
        with pytest.raises(UsageError, match="--distraction"):
            chosen_labels(wrong, LABELS)
