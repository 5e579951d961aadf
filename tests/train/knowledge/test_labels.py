"""edge-c2vl labels: from captions by pretraining and export to a bundle that compares clips with phrases."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from cli import edge_c2vl
from edge_c2vl.bundle.bundle import DEFAULT, Bundle
from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.windows import whole_clips
from tests.support.bodies import arm, bent, clip, pose
from tests.support.tiny_models import save_clip
from train.evaluation.models import BundleModel, CheckpointModel
from train.evaluation.predictions import through
from train.knowledge.labels import make_words
from train.knowledge.language import language_of, open_listener
from train.knowledge.phrases import parse_labels
from train.knowledge.text import KnowledgeError
from train.model.checkpoint import load_model

EAR = arm("right", (0.34, 1.22, 0.12), (0.12, 1.58, 0.06))
MOVES = {
    "bow": [(0, pose()), (1, bent(pose(), 70)), (2, pose())],
    "phone": [(0, pose()), (1, pose(**EAR)), (3, pose(**EAR))],
}
FAST = (
    "--width", 4, "--blocks", 3, "--batch-size", 4, "--frames", 12, "--accelerator", "cpu", "--no-tensorboard",
)  # fmt: skip
PHRASES = ("phone: one hand is at the head; the trunk is upright", "bow: the trunk bends down and comes up again")


def call(*arguments: object) -> str:
    result = CliRunner().invoke(edge_c2vl, list(map(str, arguments)), standalone_mode=False)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):
    """A folder with archive, text encoder, bank, pretrained run, and a bundle: that encoder and a classifier."""
    pytest.importorskip("transformers", reason="needs the extra `knowledge`")
    folder = tmp_path_factory.mktemp("labels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_C2VL_CACHE", str(folder / "cache"))
        with ArchiveWriter(
            folder / "archive", labels=list(MOVES), source="made up", licence="CC0", source_layout="ntu25"
        ) as writer:
            for number in range(8):
                move = list(MOVES)[number % 2]
                writer.append(f"{move}{number}", clip(*MOVES[move])[0], 30.0, label=number % 2, camera="c1")
        model = f"clip:{save_clip(folder / 'clip')}"
        call("knowledge", "encode", folder / "archive", folder / "bank", "--encoder", model, "--crops", 1,
             "--pool", "whitened", "--quarters", "--preset", "paper")  # fmt: skip
        call("train", "pretrain", folder / "archive", folder / "run", "--bank", folder / "bank", "--join", "--facing",
             "--knowledge-size", 6, "--epochs", 2, *FAST)  # fmt: skip
        call("train", "finetune", folder / "archive", folder / "frozen", "--from", folder / "run", "--freeze",
             "--epochs", 2, *FAST)  # fmt: skip
        call("export", folder / "frozen", folder / "bundle", "--archive", folder / "archive", "--clips", 4,
             "--distraction", "")  # fmt: skip
        yield folder


@pytest.fixture
def bundle(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(made / "cache"))
    return Path(shutil.copytree(made / "bundle", tmp_path / "bundle"))


def test_a_frozen_encoder_keeps_its_embeddings_and_its_language(made: Path) -> None:
    before, _ = load_model(made / "run")
    after, about = load_model(made / "frozen")
    assert about.labels == list(MOVES)
    for name, tensor in before.state_dict().items():
        assert (after.state_dict()[name] == tensor).all(), name
    known = language_of(made / "frozen")
    assert known.columns == [
        "the whole",
        "first quarter",
        "second quarter",
        "third quarter",
        "last quarter",
        "the course",
    ]
    assert known.clips.shape == known.words.shape == (16, 6)
    np.testing.assert_allclose(np.linalg.norm(known.clips, axis=1), 1, atol=5e-3)


def test_the_vehicle_finds_the_phrase_that_training_finds(made: Path, bundle: Path) -> None:
    call("labels", "add", bundle, *PHRASES, "--distraction", "phone")
    words = Bundle.open(bundle).words
    assert words is not None
    assert (words.labels, words.distraction) == (["phone", "bow"], ["phone"])
    archive = Archive.open(made / "archive")
    model = CheckpointModel(made / "run")
    trained = through(model.embeddings, archive, whole_clips(archive), model.spec, "embeddings")
    with BundleModel(str(bundle)) as vehicle:
        driven = through(vehicle.embeddings, archive, whole_clips(archive), vehicle.spec, "embeddings")
        assert vehicle.language().vocabulary.clauses == language_of(made / "run").vocabulary.clauses
    np.testing.assert_allclose(words.scores(driven), words.scores(trained), atol=1e-3)
    found = words.probabilities(driven[0])
    assert sum(found.values()) == pytest.approx(1, abs=1e-5)


def test_labels_are_added_listed_and_removed(bundle: Path) -> None:
    said = json.loads(call("labels", "add", bundle, *PHRASES, "--json"))
    (phone, bow) = said["labels"]
    assert phone["label"] == "phone"
    assert phone["nearest"][0]["said"] == "The right hand is at the head."
    assert phone["nearest"][0]["heard"][0]["cosine"] == pytest.approx(1, abs=1e-3)
    assert phone["share"] + bow["share"] == pytest.approx(1)
    text = call("labels", "add", bundle, "idle: both hands keep still", "--distraction", "phone")
    assert "idle\n" in text
    assert "bow" not in text  # what was there is not told again
    assert "The trunk is upright.  known" in call("labels", "list", bundle)
    assert "heard as: " in text or "hardly heard; nearest: " in text
    assert json.loads(call("labels", "list", bundle, "--json"))["labels"][0]["distraction"] is True
    assert "The right hand is at the head." in call("labels", "list", bundle, "--near", "the right hand is at the head")
    call("labels", "remove", bundle, "bow")
    words = Bundle.open(bundle).words
    assert words is not None
    assert (words.labels, words.distraction) == (["phone", "idle"], ["phone"])
    assert words.descriptions["idle"] == ["both hands keep still"]
    with pytest.raises(UsageError, match="'phone' alone would be left"):
        call("labels", "remove", bundle, "idle")
    call("labels", "remove", bundle, "idle", "phone")
    assert Bundle.open(bundle).words is None
    assert "no labels in words" in call("labels", "list", bundle)


def test_labels_of_a_file_replace_those_that_are_there(bundle: Path, tmp_path: Path) -> None:
    call("labels", "add", bundle, *PHRASES)
    (tmp_path / "labels.yaml").write_text("sitting: [The hips are low., both knees are bent]\nstanding:\n")
    call("labels", "add", bundle, "--describe", tmp_path / "labels.yaml", "--replace")
    words = Bundle.open(bundle).words
    assert words is not None
    assert words.descriptions == {"sitting": ["The hips are low.", "both knees are bent"], "standing": []}


def test_what_cannot_take_words_says_so(made: Path, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two or more"):
        call("labels", "add", bundle, "phone")
    with pytest.raises(UsageError, match="given twice"):
        call("labels", "add", bundle, "phone", "phone: a hand")
    with pytest.raises(UsageError, match="no label in words 'phone': there are none"):
        call("labels", "remove", bundle, "phone")
    with pytest.raises(UsageError, match="words mean nothing to it"):
        call("labels", "add", DEFAULT, *PHRASES)
    other = save_clip(tmp_path / "clip")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"note": "another one"}))
    with pytest.raises(KnowledgeError, match="need the very same"):
        call("labels", "add", bundle, *PHRASES, "--encoder", f"clip:{other}")
    with (bundle / "language.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(EdgeC2VLError, match=r"language.safetensors has \d+ bytes"):
        call("labels", "add", bundle, *PHRASES)
    # All of an encoder that was trained on has forgotten what words mean.
    call("train", "finetune", made / "archive", tmp_path / "all", "--from", made / "run", "--epochs", 1, *FAST)
    assert not (tmp_path / "all" / "language.safetensors").exists()
    with pytest.raises(UsageError, match="--from"):
        call("train", "finetune", made / "archive", tmp_path / "none", "--freeze", *FAST)


def test_a_pretrained_encoder_is_exported_with_words_as_its_classes(made: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(made / "cache"))
    labels = tmp_path / "labels.yaml"
    labels.write_text("\n".join(PHRASES))
    exported = ("export", made / "run", tmp_path / "bundle", "--archive", made / "archive", "--clips", 4)
    with pytest.raises(EdgeC2VLError, match="--describe"):
        call(*exported)
    with pytest.raises(EdgeC2VLError, match="which labels count as distraction.*phone, bow"):
        call(*exported, "--describe", labels)
    assert not (tmp_path / "bundle").exists()
    said = json.loads(call(*exported, "--describe", labels, "--distraction", "phone", "--json"))
    assert said["parity"] < 1e-4
    manifest = Bundle.open(tmp_path / "bundle").manifest
    assert (manifest.labels, manifest.distraction) == (["phone", "bow"], ["phone"])
    # The same phrases beside: the same answers.
    call("labels", "add", tmp_path / "bundle", *PHRASES)
    words = Bundle.open(tmp_path / "bundle").words
    assert words is not None
    archive = Archive.open(made / "archive")
    with BundleModel(str(tmp_path / "bundle")) as model:
        logits, embeddings = (
            through(function, archive, whole_clips(archive), model.spec, "")
            for function in (model.logits, model.embeddings)
        )
    np.testing.assert_allclose(logits, words.scores(embeddings), atol=1e-3)


def test_eval_names_classes_by_words_alone(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures of `eval` are those made by hand from the same model's embeddings."""
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(made / "cache"))
    archive = Archive.open(shutil.copytree(made / "archive", tmp_path / "archive"))
    archive.clips["xview"] = ["test"] * 6 + ["train"] * 2
    labels = tmp_path / "labels.yaml"
    labels.write_text("\n".join(PHRASES))
    archive.clips.to_parquet(archive.path / "clips.parquet")
    judge = ("eval", "nw-ucla", "--archive", archive.path, "--checkpoint", made / "run", "--labels-in-words", labels)
    values = json.loads(call(*judge, "--json"))
    found = values["splits"]["test"]
    assert (found["n"], found["classes"], values["chance"]) == (6, 2, 0.5)
    assert values["published"] == []
    # By hand, from the run's embeddings.
    listener = open_listener(language_of(made / "run"))
    words = make_words(listener, parse_labels([], labels), [])
    model = CheckpointModel(made / "run")
    scores = words.scores(through(model.embeddings, archive, whole_clips(archive), model.spec, ""))[:6]
    expected = np.array(words.labels)[scores.argmax(axis=1)] == np.array(["bow", "phone"] * 3)
    assert found["top1"] == pytest.approx(expected.mean())
    assert json.loads(call(*judge[:-1], "--json"))["splits"]["test"]["n"] == 6  # by the names of the classes
    for arguments, message in [
        ((*judge, "--among", "sleep"), "no class 'sleep'"),
        ((*judge, "--among", "bow"), "two classes or more"),
        ((*judge[:-2], "--checkpoint", made / "archive"), "no finished run"),
    ]:
        with pytest.raises(EdgeC2VLError, match=message):
            call(*arguments)
    labels.write_text(PHRASES[0])
    with pytest.raises(UsageError, match="does not describe 'bow'"):
        call(*judge)
    with pytest.raises(click.UsageError, match="--among"):
        call(*judge[:-2], "--among", "bow")


def test_pictures_of_drivers_are_named_by_words_alone(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`eval statefarm --protocol words` looks at half of the drivers, and gives the figures made by hand."""
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(made / "cache"))
    archive = Archive.open(shutil.copytree(made / "archive", tmp_path / "archive"))
    archive.clips["subject"] = ["p1", "p1", "p2", "p2", "p3", "p3", "p4", "p4"]
    archive.clips.to_parquet(archive.path / "clips.parquet")
    meta = archive.path / "meta.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {"source": "State Farm, made up"}))
    labels = tmp_path / "labels.yaml"
    labels.write_text("\n".join(PHRASES))
    judge = ("eval", "statefarm", "--archive", archive.path, "--checkpoint", made / "run")
    values = json.loads(call(*judge, "--protocol", "words", "--describe", labels, "--json"))
    words = make_words(open_listener(language_of(made / "run")), parse_labels([], labels), [])
    model = CheckpointModel(made / "run")
    scores = words.scores(through(model.embeddings, archive, whole_clips(archive), model.spec, ""))
    odd = [0, 1, 4, 5]
    right = (np.array(words.labels)[scores.argmax(axis=1)] == np.array(list(MOVES) * 4))[odd]
    assert values["splits"]["test"]["n"] == 4
    assert values["splits"]["test"]["top1"] == pytest.approx(right.mean())
    assert values["drivers"] == {"p1": pytest.approx(right[:2].mean()), "p3": pytest.approx(right[2:].mean())}
    for arguments, message in [
        ((*judge, "--describe", labels), "--describe goes with --protocol words"),
        ((*judge, "--checkpoint", made / "frozen"), "name one --checkpoint"),
    ]:
        with pytest.raises(UsageError, match=message):
            call(*arguments)
