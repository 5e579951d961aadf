"""What `export` puts into a bundle beside the encoder: offsets of the logits, and licence texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edge_c2vl.bundle.bundle import Bundle  # noqa: E402
from edge_c2vl.bundle.text_labels import TextLabels  # noqa: E402
from edge_c2vl.errors import BundleError, UsageError  # noqa: E402
from edge_c2vl.inference.select import open_backend  # noqa: E402
from edge_c2vl.skeletons.clip import ClipSpec  # noqa: E402
from edge_c2vl.skeletons.skeleton import ARMS, NTU25  # noqa: E402
from edge_c2vl.utils.scores import softmax  # noqa: E402
from train.model.checkpoint import About  # noqa: E402
from train.model.encoder import Encoder, make_encoder  # noqa: E402
from train.model.export import PARITY, export_bundle, texts_of  # noqa: E402
from train.model.exported import Combined, Weighed  # noqa: E402
from train.settings.training import EncoderSettings  # noqa: E402

LABELS = ["attentive", "smoking", "reaching"]
FRAMES = 16
LEFT, RIGHT = NTU25.index("left_wrist"), NTU25.index("right_wrist")


def make(classes: int = len(LABELS)) -> tuple[Encoder, About]:
    torch.manual_seed(0)
    settings = EncoderSettings(width=4, blocks=3, classes=classes)
    return Encoder(settings).eval(), About(settings, ClipSpec(frames=FRAMES), LABELS[:classes])


def clips() -> np.ndarray:
    """Both wrists seen throughout; neither; the left one alone; both in every fourth frame."""
    made = np.random.default_rng(0).normal(size=(4, 3, FRAMES, 25)).astype(np.float32)
    made[1, :, :, list(ARMS)] = 0
    made[2, :, :, RIGHT] = 0
    hidden = np.arange(FRAMES) % 4 > 0
    made[3][:, hidden, LEFT] = made[3][:, hidden, RIGHT] = 0
    return made


UNSEEN = np.array([0, 1, 1 / 4, 2 / 4 * 3 / 4])  # of two elbows and two wrists


def test_offsets_move_the_logits_by_the_square_of_the_share_in_which_the_arms_are_not_seen(tmp_path: Path) -> None:
    encoder, about = make()
    moved = {"offsets": {"attentive": 0.75}, "unseen_offsets": {"attentive": 2.0, "reaching": -1.0}}
    shared = {"name": "test", "distraction": LABELS[1:]}
    plain, _ = export_bundle(encoder, about, tmp_path / "plain", clips(), **shared)
    made, difference = export_bundle(
        encoder, about, tmp_path / "moved", clips(), attentive_odds=-2.5, **moved, **shared
    )
    assert difference < PARITY
    assert (plain.manifest.attentive_odds, Bundle.open(made.path).manifest.attentive_odds) == (None, -2.5)
    with open_backend(plain, precision="fp32") as before, open_backend(made, precision="fp32") as after:
        (logits, embedding), (others, same) = before.infer(clips()), after.infer(clips())
    expected = [0.75, 0, 0] + UNSEEN[:, None] ** 2 * [2, 0, -1]
    np.testing.assert_allclose(others - logits, expected, atol=PARITY)
    np.testing.assert_allclose(same, embedding, atol=PARITY)


def test_without_offsets_it_is_the_encoder() -> None:
    encoder, _ = make()
    clip, nothing = torch.from_numpy(clips()), torch.zeros(len(LABELS))
    for found, expected in zip(Weighed(encoder, nothing, nothing, nothing > 0)(clip), encoder(clip), strict=True):
        assert torch.equal(found, expected)


def test_sharpening_says_more_surely_which_distraction_and_not_whether(tmp_path: Path) -> None:
    encoder, about = make()
    with torch.no_grad():
        encoder.classifier.weight *= 20
    shared = {"name": "test", "distraction": LABELS[1:]}
    plain, _ = export_bundle(encoder, about, tmp_path / "plain", clips(), **shared)
    made, difference = export_bundle(encoder, about, tmp_path / "sharp", clips(), sharpen=3.0, **shared)
    assert difference < PARITY
    with open_backend(plain, precision="fp32") as before, open_backend(made, precision="fp32") as after:
        usual, sharp = (softmax(backend.infer(clips())[0]) for backend in (before, after))
    np.testing.assert_allclose(sharp[:, 0], usual[:, 0], atol=PARITY)
    expected = usual[:, 1] ** 3 / (usual[:, 1] ** 3 + usual[:, 2] ** 3)
    np.testing.assert_allclose(sharp[:, 1] / sharp[:, 1:].sum(axis=1), expected, atol=PARITY)
    assert np.abs(expected - usual[:, 1] / usual[:, 1:].sum(axis=1)).min() > 0.1


def test_the_first_model_says_whether_and_the_second_which(tmp_path: Path) -> None:
    first, about = make()
    settings = EncoderSettings("spans", blocks=3, joined=16, stride=4, classes=len(LABELS), presence=True)
    second, theirs = make_encoder(settings).eval(), About(settings, ClipSpec(frames=FRAMES), LABELS, "b; c")
    with torch.no_grad():
        for encoder in (first, second):
            encoder.classifier.weight *= 20
    shared = {"name": "test", "distraction": LABELS[1:]}
    about = replace(about, trained_on="a; b", licences=["MIT", "research; not to be handed on"])
    theirs = replace(theirs, licences=["of this project", "MIT"])
    both = {"one": (first, about, None), "other": (second, theirs, None), "both": (first, about, (second, theirs))}
    found = {}
    for name, (encoder, known, activities) in both.items():
        made, difference = export_bundle(encoder, known, tmp_path / name, clips(), activities=activities, **shared)
        assert difference < PARITY
        with open_backend(made, precision="fp32") as backend:
            found[name] = backend.infer(clips())
    assert made.manifest.trained_on == "a; b; c"
    assert made.manifest.licences == ["MIT", "research; not to be handed on", "of this project"]
    np.testing.assert_allclose(found["both"][1], found["one"][1], atol=PARITY)
    chances = {name: softmax(logits.astype(np.float64)) for name, (logits, _) in found.items()}
    odds = {name: np.log(rows[:, 1:].sum(axis=1) / rows[:, 0]) for name, rows in chances.items()}
    np.testing.assert_allclose(odds["both"], odds["one"], atol=1e-3)
    assert np.abs(odds["one"] - odds["other"]).min() > 0.1
    which = {name: rows[:, 1:] / rows[:, 1:].sum(axis=1, keepdims=True) for name, rows in chances.items()}
    np.testing.assert_allclose(which["both"], which["other"], atol=1e-3)
    assert np.abs(which["one"] - which["other"]).max() > 0.1


def test_the_second_model_counts_in_saying_whether_by_its_share() -> None:
    (first, _), counted, clip = make(), torch.tensor([False, True, True]), torch.from_numpy(clips())
    second = make_encoder(EncoderSettings("spans", blocks=3, joined=16, stride=4, classes=len(LABELS))).eval()

    def odds(network: torch.nn.Module) -> torch.Tensor:
        logits = network(clip)[0]
        return torch.logsumexp(logits[:, 1:], dim=1) - logits[:, 0]

    with torch.no_grad():
        for share in (0.25, 1.0):
            both = Combined(first, second, counted, share)
            torch.testing.assert_close(odds(both), (1 - share) * odds(first) + share * odds(second))


def test_both_sides_judge_a_mirror_image_as_its_original(tmp_path: Path) -> None:
    labels = ["attentive", "phone_left", "phone_right"]
    encoder, about = make()
    about = replace(about, labels=labels)
    made, difference = export_bundle(
        encoder, about, tmp_path / "b", clips(), name="t", distraction=labels[1:], both_sides=True
    )
    assert difference < PARITY
    mirrored = np.ascontiguousarray(clips()[..., list(NTU25.mirror)] * np.array([-1, 1, 1], np.float32)[:, None, None])
    with open_backend(made, precision="fp32") as backend:
        (logits, embedding), (in_mirror, _) = backend.infer(clips()), backend.infer(mirrored)
    np.testing.assert_allclose(in_mirror, logits[:, [0, 2, 1]], atol=PARITY)
    with torch.no_grad():
        alone, features = encoder(torch.from_numpy(clips()))
        other, _ = encoder(torch.from_numpy(mirrored))
    np.testing.assert_allclose(logits, 0.5 * (alone + other[:, [0, 2, 1]]), atol=PARITY)
    np.testing.assert_allclose(embedding, features, atol=PARITY)
    assert np.abs(alone - other[:, [0, 2, 1]]).max() > 10 * PARITY


def test_the_share_of_a_second_model_needs_one(tmp_path: Path) -> None:
    (encoder, about), (pretrained, known) = make(), make(classes=0)
    words = TextLabels(LABELS, np.eye(len(LABELS), encoder.embedding_size, dtype=np.float32), 0.1)
    shared = {"name": "t", "distraction": LABELS[1:], "activities_share": 0.3}
    for model, of_it, named in ((encoder, about, None), (pretrained, known, words)):
        with pytest.raises(UsageError, match="--activities-share"):
            export_bundle(model, of_it, tmp_path / "b", clips(), words=named, **shared)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("changed", "distraction", "why"),
    [
        ({"labels": [*LABELS[1:], LABELS[0]]}, LABELS[1:], "has the labels smoking, reaching, attentive;"),
        ({"clip": ClipSpec(frames=8)}, LABELS[1:], "frames 8 instead of 16"),
        ({"clip": ClipSpec(frames=FRAMES, joints=("neck", "head"))}, LABELS[1:], r"joints \['neck', 'head'\] instead"),
        ({}, LABELS, "some, not all"),
    ],
)
def test_two_models_that_do_not_go_together_are_refused(
    changed: dict[str, Any], distraction: list[str], why: str, tmp_path: Path
) -> None:
    encoder, about = make()
    with pytest.raises(UsageError, match=why):
        export_bundle(
            encoder,
            about,
            tmp_path / "b",
            clips(),
            name="t",
            distraction=distraction,
            activities=(encoder, replace(about, **changed)),
        )
    assert not (tmp_path / "b").exists()


def test_a_second_model_without_a_classifier_is_refused(tmp_path: Path) -> None:
    encoder, about = make()
    pretrained = make(classes=0)[0], replace(about, labels=[])
    with pytest.raises(UsageError, match="--activities has no classifier"):
        export_bundle(encoder, about, tmp_path / "b", clips(), name="t", distraction=LABELS[1:], activities=pretrained)
    assert not (tmp_path / "b").exists()


def test_labels_in_words_have_no_offsets(tmp_path: Path) -> None:
    encoder, about = make(classes=0)
    words = TextLabels(LABELS, np.eye(len(LABELS), encoder.embedding_size, dtype=np.float32), 0.1)
    with pytest.raises(BundleError, match="--unseen-offset and --sharpen"):
        export_bundle(
            encoder, about, tmp_path / "b", clips(), name="t", distraction=[], words=words, offsets={"smoking": 1.0}
        )
    assert not (tmp_path / "b").exists()


def test_two_licences_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "LICENSE").write_text(name)
    paths = [tmp_path / name / "LICENSE" for name in ("a", "b")]
    assert list(texts_of(paths[:1])) == ["licences/LICENSE"]
    with pytest.raises(UsageError, match="the same name"):
        texts_of(paths)
