"""`edge-c2vl eval sktdd`: folds by driver on a small archive of the same form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cli import edge_c2vl
from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import Array
from tests.support.by_hand import ByHand
from tests.support.sktdd_archive import write_sktdd
from train.evaluation.asked import Asked
from train.evaluation.sktdd import evaluate


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return write_sktdd(tmp_path_factory.mktemp("sktdd") / "archive")


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(tmp_path / "cache"))


class Hand(ByHand):
    """Knows the data set's labels: a raised hand is distracted."""

    def __init__(self) -> None:
        super().__init__()
        self.labels = ["distracted", "attentive"]

    def logits(self, clips: Array) -> Array:
        raised = 4 * np.sign(self._height(clips))
        return np.stack([raised, -raised], axis=1).astype(np.float32)


@pytest.mark.parametrize("protocol", ["fixed", "linear", "knn", "one-class", "classifier"])
def test_each_protocol(archive: Archive, protocol: str) -> None:
    values = evaluate(archive, lambda _: [Hand()], Asked(protocol, k=5)).values
    assert values["folds"] == 2
    assert set(values["all"]) == {"left", "right", "pooled", "views_together"}
    assert values["all"]["pooled"]["auc"] > 0.95
    # One-class lets 95 % of the training drivers' normal windows pass, and fewer of a new driver's.
    assert values["all"]["pooled"]["balanced"] > (0.65 if protocol == "one-class" else 0.9)
    assert values["published"][0]["value"] == 91.0


def test_one_model_is_run_once_for_all_folds(archive: Archive) -> None:
    model = Hand()
    evaluate(archive, lambda _: [model], Asked("fixed"))
    once = model.seen
    evaluate(archive, lambda _: [model], Asked("one-class"))
    assert model.seen == 2 * once


def test_a_model_without_the_labels_is_no_classifier(archive: Archive) -> None:
    with pytest.raises(UsageError, match="does not know 'attentive'"):
        evaluate(archive, lambda _: [ByHand()], Asked("classifier"))
    with pytest.raises(UsageError, match="not semi"):
        evaluate(archive, lambda _: [ByHand()], Asked("semi"))


def test_a_labelled_model_is_not_judged_on_its_own_drivers(archive: Archive) -> None:
    arguments = ["eval", "sktdd", "--archive", str(archive.path), "--bundle", "default", "--protocol", "classifier"]
    with pytest.raises(UsageError, match="needs a model for each fold"):
        CliRunner().invoke(edge_c2vl, arguments, standalone_mode=False, catch_exceptions=False)
