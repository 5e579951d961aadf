"""`eval statefarm`: drivers who are new to what judges them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from tests.support.by_hand import SPEC, ByHand
from tests.support.commands import call
from tests.support.training import body
from train.evaluation.activities import judge
from train.evaluation.asked import Asked
from train.evaluation.models import CheckpointModel
from train.evaluation.pictures import evaluate
from train.model.checkpoint import About, save_model
from train.model.encoder import Encoder
from train.settings.training import AugmentSettings, DataSettings, EncoderSettings, LoopSettings

LABELS = ["attentive", "talking_on_phone_right"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Six drivers, each with four held pictures; one picture is of nobody knows whom."""
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("pictures") / "archive"
    with ArchiveWriter(
        path, labels=LABELS, source="State Farm, made up", licence="none", source_layout="ntu25", dimensions=2
    ) as writer:
        for number in range(24):
            frames = np.repeat(body(random, 1, raised=number % 2 == 1), 14, axis=0)
            writer.append(f"c{number}", frames, 4.0, label=number % 2, subject=f"p{number // 4}", camera="passenger")
        writer.append("c24", np.repeat(body(random, 1, raised=True), 14, axis=0), 4.0, label=0)
    return Archive.open(path)


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(tmp_path_factory.getbasetemp() / "pictures-cache"))


@pytest.mark.parametrize("protocol", ["fixed", "linear", "knn"])
def test_each_driver_is_judged_once_by_what_learnt_from_others(archive: Archive, protocol: str) -> None:
    values = evaluate(archive, "statefarm", [ByHand(), ByHand()], Asked(protocol), folds=3).values
    assert set(values["splits"]) == {"seed 0", "seed 1"}
    assert values["splits"]["seed 0"]["n"] == 24  # not the picture without a driver
    assert values["splits"]["seed 0"]["balanced"] == 1
    assert values["drivers"] == {f"p{number}": 1.0 for number in range(6)}
    assert values["spread"]["top1"] == 0


def test_a_drivers_own_labels_reach_nothing_that_judges_the_driver(archive: Archive) -> None:
    clips = archive.clips.copy()
    archive.clips.loc[archive.clips["subject"] == "p2", "label"] = 1 - archive.clips["label"]
    try:
        values = evaluate(archive, "statefarm", [ByHand()], Asked("fixed"), folds=6).values
    finally:
        archive.clips["label"] = clips["label"]
    assert values["drivers"]["p2"] == 0
    assert values["worst driver"] == "p2"


def test_few_labels_are_trained_on_fold_by_fold(archive: Archive, tmp_path: Path) -> None:
    settings = EncoderSettings(width=8, blocks=3, stride=2)
    torch.manual_seed(0)
    save_model(tmp_path / "run" / "model.safetensors", Encoder(settings), About(settings, SPEC, trained_on="nothing"))
    loop = LoopSettings(epochs=1, batch_size=4, accelerator="cpu", threads=1, tensorboard=False, seed=4)
    training = (AugmentSettings(), DataSettings(), loop)
    asked = Asked("semi", share=0.5, work=tmp_path / "work", training=training)
    values = evaluate(archive, "statefarm", [CheckpointModel(tmp_path / "run")], asked, folds=2).values
    runs = sorted((tmp_path / "work").iterdir())
    assert [run.name for run in runs] == ["fold0of2-0.5-seed4-run", "fold1of2-0.5-seed4-run"]
    for run in runs:
        assert json.loads((run / "settings.json").read_text())["data"]["share"] == 0.5
        assert json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 1  # 6 of 12 pictures
    assert values["splits"]["test"]["n"] == 24


def test_what_cannot_be_judged_is_told(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="it needs --checkpoint, and --work"):
        evaluate(archive, "statefarm", [ByHand()], Asked("finetune", training=(None, None, LoopSettings())), folds=2)
    with pytest.raises(UsageError, match="edge-c2vl prepare auc"):
        evaluate(archive, "auc", [ByHand()], Asked("knn"))
    with pytest.raises(UsageError, match="judges one model"):
        evaluate(archive, "statefarm", [ByHand(), ByHand()], Asked("zero-shot"))


@pytest.mark.parametrize(("protocol", "idle"), [("fixed", "--half=even"), ("zero-shot", "--folds=3")])
def test_an_option_of_another_protocol_is_refused(archive: Archive, protocol: str, idle: str) -> None:
    with pytest.raises(UsageError, match=f"{idle.partition('=')[0]} does nothing with --protocol {protocol}"):
        call("eval", "statefarm", "--archive", archive.path, "--bundle", "default", "--protocol", protocol, idle)


def test_zero_shot_is_what_eval_activities_tells(archive: Archive) -> None:
    model = ByHand(LABELS)
    values = evaluate(archive, "statefarm", [model], Asked("zero-shot"), half="odd").values
    assert values["half"] == "odd"
    assert list(values["as it is"]["subjects"]) == ["", "p1", "p3", "p5"]  # whoever has no name sorts first


def test_a_mirror_image_is_done_with_the_other_hand(archive: Archive) -> None:
    rows = np.arange(24)
    plain, mirrored = (judge(archive, ByHand(LABELS), rows, 0.5, mirrored=turned) for turned in (False, True))
    assert mirrored.labels == ["attentive", "talking_on_phone_left"]
    assert (mirrored.label == plain.label).all()
    # The model looks at the right hand alone, and in the mirror the left one is at the ear.
    assert len(np.unique(plain.logits, axis=0)) == 2
    assert len(np.unique(mirrored.logits, axis=0)) == 1
