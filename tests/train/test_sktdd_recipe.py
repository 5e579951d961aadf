"""train/recipes/sktdd.sh, by the public commands, on a small archive of the same form: no driver leaks, an epoch's
make-up, the bundle."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from cli import edge_c2vl
from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.errors import DatasetError, UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.windows import sliding
from tests.support.sktdd_archive import write_sktdd
from train.data.clips import Loader
from train.data.splits import draw_weights
from train.evaluation.sktdd_windows import LABELS, SPEC, Data
from train.knowledge.bank import Bank, BankError, write_bank
from train.model.checkpoint import load_model
from train.pretrain import pretrain
from train.settings.pretraining import ObjectiveSettings, PretrainSettings
from train.settings.training import AugmentSettings, EncoderSettings, LoopSettings

RECIPES = Path(__file__).parents[2] / "train" / "recipes"
SMALL = [
    "--width",
    "8",
    "--blocks",
    "3",
    "--epochs",
    "3",
    "--batch-size",
    "32",
    "--average",
    "0.9",
    "--epoch-clips",
    "320",
]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return write_sktdd(tmp_path_factory.mktemp("recipe") / "archive")


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(tmp_path / "cache"))


def run(*arguments: object) -> str:
    result = CliRunner().invoke(edge_c2vl, [str(argument) for argument in arguments], catch_exceptions=True)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def finetune(archive: Archive, folder: Path, *more: object) -> str:
    return run("train", "finetune", archive.path, folder, "--config", RECIPES / "sktdd.yaml", *SMALL, *more)


def test_no_window_of_a_test_driver_is_trained_on(archive: Archive) -> None:
    data = Data.open(archive)
    rows, tested = data.fold(["b", "d"])
    subject = archive.clips["subject"].to_numpy()
    kind = archive.clips["kind"].to_numpy()
    assert set(subject[data.store.windows.clip[rows]]) == {"a", "c"}
    assert set(subject[data.store.windows.clip[tested]]) == {"b", "d"}
    assert set(kind[data.store.windows.clip[tested]]) == {"labelled"}
    assert set(kind[data.store.windows.clip[rows]]) == {"labelled", "normal"}


def test_each_kind_of_a_class_is_drawn_equally_often(archive: Archive) -> None:
    data = Data.open(archive)
    rows, _ = data.fold(["a"])
    weights = draw_weights(archive, data.store.windows, rows, "kind")
    weights /= weights.sum()
    distracted = data.labels[rows] == 1
    assert weights[distracted].sum() == pytest.approx(0.5)
    assert weights[data.normal[rows]].sum() == pytest.approx(0.25)
    assert len(set(weights[distracted].tolist())) == 1
    plain = draw_weights(archive, data.store.windows, rows)
    assert plain[distracted].sum() == pytest.approx(plain[~distracted].sum())
    with pytest.raises(UsageError, match="the columns name, "):
        draw_weights(archive, data.store.windows, rows, "weather")


def test_folds_then_bundle(archive: Archive, tmp_path: Path) -> None:
    for fold in (0, 1):
        finetune(archive, tmp_path / f"fold{fold}", "--split", f"subject:{fold}/2", "--seeds", 1)
    judge = ["eval", "sktdd", "--archive", archive.path, "--checkpoint", tmp_path / "fold{fold}"]
    run(*judge, "--protocol", "classifier", "--report", tmp_path / "figures")
    report = json.loads((tmp_path / "figures" / "report.json").read_text())
    # A hand at the ear is plain to see: a driver not trained on is told far better than by chance.
    assert report["all"]["pooled"]["auc"] > 0.9
    assert report["all"]["views_together"]["windows"] * 2 == report["all"]["pooled"]["windows"]
    assert report["cannot_see"] == {"left": 0.0, "right": 0.0}
    assert len((tmp_path / "figures" / "scores.csv").read_text().splitlines()) == 1 + report["all"]["pooled"]["windows"]
    finetune(archive, tmp_path / "final")
    export = ["export", tmp_path / "final", tmp_path / "bundle", "--archive", archive.path, "--clips", 16]
    run(*export, "--figures", tmp_path / "figures" / "report.json", "--licence", RECIPES / "sktDD.txt")
    bundle = Bundle.open(tmp_path / "bundle")
    assert bundle.manifest.distraction == ["distracted"]
    # The bodies of this archive have no hips.
    seen = tuple(name for name in SPEC.joints if not name.endswith("_hip"))
    assert bundle.manifest.clip == replace(SPEC, joints=seen)
    assert bundle.manifest.accuracy["fp32"] == report["accuracy"]
    assert bundle.manifest.licences == ["none", "licences/sktDD.txt"]
    assert bundle.report["all"] == report["all"]
    assert bundle.report["settings"]["data"]["balance_by"] == "kind"
    assert "MIT License" in (bundle.path / "licences" / "sktDD.txt").read_text()
    # Neither the manifest nor the report tells where it was made.
    assert str(tmp_path) not in (bundle.path / "report.json").read_text() + (bundle.path / "manifest.json").read_text()
    assert sum(entry["size"] for entry in bundle.manifest.files.values()) < 5e6


def test_figures_and_licences_have_to_be_there(archive: Archive, tmp_path: Path) -> None:
    finetune(archive, tmp_path / "run", "--epochs", 1)
    export = ["export", tmp_path / "run", tmp_path / "bundle", "--archive", archive.path, "--clips", 16]
    with pytest.raises(UsageError, match="no such file"):
        run(*export, "--licence", tmp_path / "LICENSE")
    (tmp_path / "report.json").write_text('{"figures": 1}')
    with pytest.raises(UsageError, match="no report.json of edge-c2vl eval"):
        run(*export, "--figures", tmp_path / "report.json")
    assert not (tmp_path / "bundle").exists()


@pytest.fixture
def learnt_from(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The recordings of each short pretraining: filled as it goes."""
    seen: list[list[int]] = []

    class Spy(Loader):
        def __init__(self, store: Any, rows: Any, *arguments: Any, **more: Any) -> None:
            seen.append(np.unique(store.windows.clip[rows]).tolist())
            super().__init__(store, rows, *arguments, **more)

    monkeypatch.setattr("train.pretrain.Loader", Spy)
    return seen


def captioned(archive: Archive, path: Path, clips: list[int] | None = None) -> Path:
    """A bank of these recordings of the archive, or all."""
    windows = sliding(archive, None if clips is None else np.array(clips), SPEC.seconds, 2.0)
    names = archive.clips["name"].to_numpy()[windows.clip]
    embeddings = np.random.default_rng(0).normal(size=(len(windows), 2, 16))
    spans = np.stack([windows.start_s, windows.end_s], axis=1)
    about = {"kind": "language", "encoder": "made up", "source": "made up", "seconds": SPEC.seconds}
    write_bank(path, names.tolist(), spans, embeddings, [["one", "two"]] * len(windows), **about)
    return path


def test_pretraining_sees_nothing_of_the_test_drivers(
    archive: Archive, tmp_path: Path, learnt_from: list[list[int]]
) -> None:
    bank = captioned(archive, tmp_path / "bank")
    small = "--width 8 --blocks 3 --presence --joints upper --frames 32 --epochs 1 --batch-size 16 --no-tensorboard"
    fold = ["--split", "subject:0/4", *small.split(), "--accelerator", "cpu"]
    run("train", "pretrain", archive.path, tmp_path / "pretrained", "--bank", bank, "--knowledge-size", 8, *fold)
    assert set(archive.clips["subject"].iloc[learnt_from[0]]) == {"b", "c", "d"}
    # Fine-tuning starts from it: without a learning rate nothing but the classifier and the norms' statistics differs.
    start = ["--from", tmp_path / "pretrained", "--epochs", 1, "--learning-rate", 0, "--average", 0]
    finetune(archive, tmp_path / "tuned", "--split", "subject:0/4", *start)
    tuned, pretrained = (load_model(tmp_path / name)[0] for name in ("tuned", "pretrained"))
    assert all(
        torch.equal(a, b) for a, b in zip(tuned.blocks.parameters(), pretrained.blocks.parameters(), strict=True)
    )


def test_pretraining_learns_from_the_rows_that_it_is_given(tmp_path: Path, learnt_from: list[list[int]]) -> None:
    archive = write_sktdd(tmp_path / "archive")
    bank = Bank.open(captioned(archive, tmp_path / "bank", [0, 1, 2]))
    settings = (
        EncoderSettings(width=4, blocks=3),
        AugmentSettings(),
        PretrainSettings(frames=16, knowledge_size=4),
        ObjectiveSettings(),
        LoopSettings(epochs=1, batch_size=8, accelerator="cpu", tensorboard=False),
    )
    pretrain(archive, tmp_path / "run", [bank], *settings, rows=np.array([0, 2]))
    assert learnt_from == [[0, 2]]
    with pytest.raises(BankError, match="lacks 1 of 4 samples"):
        pretrain(archive, tmp_path / "no", [bank], *settings, rows=np.arange(4))


def test_another_archive_is_refused(tmp_path: Path) -> None:
    with ArchiveWriter(
        tmp_path / "other", labels=["a"], source="made up", licence="none", source_layout="ntu25"
    ) as writer:
        writer.append("one", np.ones((5, 25, 4)), 10.0, label=0)
    with pytest.raises(DatasetError, match="prepare sktdd"):
        Data.open(Archive.open(tmp_path / "other"))
    assert LABELS == ["attentive", "distracted"]
