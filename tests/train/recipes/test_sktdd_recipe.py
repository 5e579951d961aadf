"""The default bundle's recipe on a small archive of the same form: no driver leaks, an epoch's make-up, the bundle."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.errors import DatasetError, EdgeC2VLError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.windows import sliding
from tests.support.training import body
from train.data.clips import Loader
from train.evaluation.sktdd_windows import LABELS, SHARES, SPEC, TURNED, Data
from train.knowledge.bank import BankError, write_bank
from train.recipes import sktdd
from train.recipes.sktdd import run_final, run_folds


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Four drivers, two cameras; a driver raises the hand in the second half of the labelled drive."""
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("recipe") / "archive"
    with ArchiveWriter(
        path, labels=LABELS, source="made up", licence="none", source_layout="openpose25", dimensions=2
    ) as writer:
        for driver in "abcd":
            for camera in ("left", "right"):
                place = {"subject": driver, "camera": camera}
                frames = np.concatenate([body(random, 120, False), body(random, 120, True)])
                mask = np.repeat([0, 1], 120)
                writer.append(
                    f"labelled/{driver}-{camera}",
                    frames,
                    10.0,
                    group=driver,
                    frame_labels=mask,
                    kind="labelled",
                    **place,
                )
                writer.append(
                    f"normal/{driver}-{camera}", body(random, 150, False), 10.0, label=0, group=f"n{driver}",
                    frame_labels=np.zeros(150, int), kind="normal", **place,
                )  # fmt: skip
    return Archive.open(path)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sktdd, "CLIPS_AN_EPOCH", 320)
    monkeypatch.setattr(sktdd, "LOOP", dataclasses.replace(sktdd.LOOP, epochs=4, batch_size=32, average=0.9))
    monkeypatch.setattr(sktdd, "ENCODER", dataclasses.replace(sktdd.ENCODER, width=8, blocks=3))


def test_no_window_of_a_test_driver_is_trained_on(archive: Archive) -> None:
    data = Data.open(archive)
    rows, tested = data.fold(["b", "d"])
    subject = archive.clips["subject"].to_numpy()
    kind = archive.clips["kind"].to_numpy()
    assert set(subject[data.store.windows.clip[rows]]) == {"a", "c"}
    assert set(subject[data.store.windows.clip[tested]]) == {"b", "d"}
    assert set(kind[data.store.windows.clip[tested]]) == {"labelled"}
    assert set(kind[data.store.windows.clip[rows]]) == {"labelled", "normal"}


def test_an_epoch_is_made_up_as_stated(archive: Archive) -> None:
    data = Data.open(archive)
    rows, _ = data.fold(["a"])
    weights = data.weights(rows)
    normal = ~data.labelled[rows]
    assert weights.sum() == pytest.approx(1)
    assert weights[normal].sum() == pytest.approx(SHARES["normal"])
    assert weights[data.labels[rows] == 1].sum() == pytest.approx(SHARES["distracted"])
    half = np.arange(len(data.labels)) % 2 == 0
    some = dataclasses.replace(data, turned=half, labelled=data.labelled & ~half)
    weights = some.weights(rows)
    assert weights[half[rows]].sum() == pytest.approx(TURNED)
    assert weights[normal].sum() == pytest.approx(SHARES["normal"])


def test_folds_then_bundle(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # In this process: a worker would not see the small settings.
    monkeypatch.setattr(sktdd, "make_pool", lambda _: ThreadPoolExecutor(1))
    with pytest.raises(EdgeC2VLError, match="--folds first"):
        run_final(archive, tmp_path / "work", tmp_path / "bundle", overwrite=False)
    report = run_folds(archive, tmp_path / "work", seeds=1, jobs=1)
    # A hand at the ear is plain to see: a driver not trained on is told far better than by chance.
    assert report["all"]["pooled"]["auc"] > 0.9
    assert report["all"]["views_together"]["windows"] * 2 == report["all"]["pooled"]["windows"]
    assert report["cannot_see"] == {"left": 0.0, "right": 0.0}
    made = run_final(archive, tmp_path / "work", tmp_path / "bundle", overwrite=False)
    bundle = Bundle.open(made.path)
    assert bundle.manifest.distraction == ["distracted"]
    assert bundle.manifest.clip == SPEC
    assert bundle.report["figures"] == json.loads((tmp_path / "work" / "folds.json").read_text())
    assert "MIT License" in (bundle.path / "licences" / "sktDD.txt").read_text()
    assert sum(entry["size"] for entry in bundle.manifest.files.values()) < 5e6


@pytest.fixture
def learnt_from(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The recordings of each short pretraining: filled as it goes."""
    seen: list[list[int]] = []

    class Spy(Loader):
        def __init__(self, store, rows, *arguments, **more) -> None:
            seen.append(np.unique(store.windows.clip[rows]).tolist())
            super().__init__(store, rows, *arguments, **more)

    monkeypatch.setattr(sktdd, "Loader", Spy)
    monkeypatch.setattr(sktdd, "PRETRAIN", dataclasses.replace(sktdd.PRETRAIN, knowledge_size=8))
    monkeypatch.setattr(sktdd, "PRETRAIN_LOOP", dataclasses.replace(sktdd.PRETRAIN_LOOP, epochs=1, batch_size=16))
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
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, learnt_from: list[list[int]]
) -> None:
    bank = captioned(archive, tmp_path / "bank")
    pretrained = sktdd.pretrain_on(archive, bank, ["a"], tmp_path / "pretrained", sktdd.ENCODER)
    assert set(archive.clips["subject"].iloc[learnt_from[0]]) == {"b", "c", "d"}
    # Fine-tuning starts from it: without a learning rate nothing but the classifier and the norms' statistics differs.
    monkeypatch.setattr(sktdd, "LOOP", dataclasses.replace(sktdd.LOOP, epochs=1, learning_rate=0.0, average=0.0))
    data = Data.open(archive)
    tuned = sktdd.train_on(data, data.fold(["a"])[0], tmp_path / "tuned", 0, pretrained)
    assert all(
        torch.equal(a, b) for a, b in zip(tuned.blocks.parameters(), pretrained.blocks.parameters(), strict=True)
    )


def test_pretraining_sees_the_kinds_asked_for_and_what_was_turned_if_captioned(
    tmp_path: Path, learnt_from: list[list[int]]
) -> None:
    random = np.random.default_rng(1)
    kinds = ["normal", "labelled", "normal, turned", "labelled, turned"]
    with ArchiveWriter(
        tmp_path / "turned", labels=LABELS, source="made up", licence="none", source_layout="openpose25"
    ) as writer:
        for kind in kinds:
            writer.append(kind, body(random, 300, False), 10.0, label=0, kind=kind, subject="a", camera="left")
    archive = Archive.open(tmp_path / "turned")
    plain, whole = captioned(archive, tmp_path / "plain", [0, 1]), captioned(archive, tmp_path / "whole")
    for number, (bank, of) in enumerate([(plain, {}), (whole, {}), (whole, {"kinds": ("normal",)})]):
        sktdd.pretrain_on(archive, bank, [], tmp_path / f"run{number}", sktdd.ENCODER, **of)
    assert learnt_from == [[0, 1], [0, 1, 2, 3], [0, 2]]
    with pytest.raises(BankError, match="lacks 1 of 4 samples, the first labelled, turned"):
        sktdd.pretrain_on(archive, captioned(archive, tmp_path / "part", [0, 1, 2]), [], tmp_path / "no", sktdd.ENCODER)


def test_another_archive_is_refused(tmp_path: Path) -> None:
    with ArchiveWriter(
        tmp_path / "other", labels=["a"], source="made up", licence="none", source_layout="ntu25"
    ) as writer:
        writer.append("one", np.ones((5, 25, 4)), 10.0, label=0)
    with pytest.raises(DatasetError, match="prepare sktdd"):
        Data.open(Archive.open(tmp_path / "other"))
