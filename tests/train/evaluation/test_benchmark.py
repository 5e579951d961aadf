"""The skeleton benchmarks' protocols: which samples, which figures, on archives of their form."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from cli import edge_c2vl
from edge_c2vl.commands.lazy import find
from edge_c2vl.errors import ArchiveError, DatasetError, EdgeC2VLError, UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from tests.support.by_hand import SPEC, ByHand
from tests.support.training import body
from train.commands.eval import COMMANDS
from train.evaluation.asked import Asked
from train.evaluation.benchmark import Samples, evaluate
from train.evaluation.models import Model
from train.model.checkpoint import About, save_model
from train.model.encoder import Encoder
from train.settings.protocols import BENCHMARKS, DATA_SETS, PROTOCOLS
from train.settings.training import EncoderSettings


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """48 samples of raising the hand or not; every third shows a second person, who does nothing."""
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("benchmark") / "archive"
    with ArchiveWriter(
        path, labels=["rest", "raise"], source="made up", licence="CC0", source_layout="ntu25", dimensions=2
    ) as writer:
        for index in range(48):
            part = "test" if index % 4 == 3 else "train"
            label = (index // 4) % 2
            about = {
                "label": label,
                "subject": f"P{index % 8}",
                "group": f"g{index}",
                "xsub": part,
                "part": index % 2 + 1,
            }
            writer.append(f"S{index:02d}", body(random, 20, raised=label == 1), 10.0, body=0, **about)
            if index % 3 == 0:
                writer.append(f"S{index:02d}#1", body(random, 20, raised=False), 10.0, body=1, **about)
    return Archive.open(path)


def run(archive: Archive, protocol: str, model: Model | None = None, **asked: object) -> dict:
    return evaluate(archive, "ntu60", "xsub", [[model or ByHand()]], Asked(protocol, **asked)).values  # type: ignore[arg-type]


def test_a_recording_is_one_sample_however_many_people_it_shows(archive: Archive) -> None:
    samples = Samples.of(archive, "xsub")
    assert len(archive) == 64
    assert len(samples.label) == 48
    assert samples.test.sum() == 12
    assert np.bincount(samples.sample).max() == 2
    names = archive.clips["name"].to_numpy()[samples.rows]
    for number in range(48):
        (who,) = {name.partition("#")[0] for name in names[samples.sample == number]}
        row = archive.clips[archive.clips["name"] == who].iloc[0]
        assert samples.label[number] == row["label"]
        assert samples.subject[number] == row["subject"]
        assert samples.test[number] == (row["xsub"] == "test")


@pytest.mark.parametrize("protocol", ["fixed", "linear", "knn", "classifier"])
def test_each_protocol_judges_samples(archive: Archive, protocol: str) -> None:
    values = run(archive, protocol)
    found = values["splits"]["test"]
    assert found["n"] == 12
    # The second person's resting hand lowers the mean of two; what is above a half of the height still tells.
    assert found["top1"] >= (0.6 if protocol == "classifier" else 0.9)
    assert (found["ece"] is None) == (protocol == "knn")
    assert [row["value"] for row in values["published"]] == [87.9, 87.1, 85.9, 85.2, 84.9, 74.3, 68.3, 69.4]


def test_the_mean_of_two_people_is_what_is_judged(archive: Archive) -> None:
    """The model says "raise" of the first person and "rest" of the second, each as surely: together neither."""
    samples = Samples.of(archive, "xsub")
    two = np.bincount(samples.sample) == 2
    values = samples.values(lambda clips: ByHand().features(clips), archive, ByHand(), "features")
    alone, both = values[(samples.label == 1) & ~two, 0], values[(samples.label == 1) & two, 0]
    resting = values[(samples.label == 0) & ~two, 0]
    assert both.mean() == pytest.approx((alone.mean() + resting.mean()) / 2, abs=0.05)


def test_the_probe_sees_the_test_part_once_and_never_fits_on_it(archive: Archive) -> None:
    """With test labels turned round accuracy turns round as well: nothing of them reached the probe."""
    right = run(archive, "fixed")["splits"]["test"]["top1"]
    clips = archive.clips.copy()
    archive.clips.loc[archive.clips["xsub"] == "test", "label"] = 1 - archive.clips["label"]
    try:
        assert run(archive, "fixed")["splits"]["test"]["top1"] == pytest.approx(1 - right)
    finally:
        archive.clips["label"] = clips["label"]


def test_classes_of_the_model_are_found_by_name(archive: Archive) -> None:
    turned = run(archive, "classifier", ByHand(["raise", "rest"]))["splits"]["test"]
    assert turned["top1"] == run(archive, "classifier")["splits"]["test"]["top1"]
    with pytest.raises(UsageError, match="does not know 'raise'"):
        run(archive, "classifier", ByHand(["rest"]))


def test_one_class(archive: Archive) -> None:
    values = run(archive, "one-class")
    assert set(values["auc"]["test"]) == {"rest", "raise"}
    assert values["auc"]["test"]["rest"] > 0.95
    assert values["mean"]["auc"] == pytest.approx(np.mean(list(values["auc"]["test"].values())))


def test_seeds_have_a_spread(archive: Archive) -> None:
    report = evaluate(archive, "ntu60", "xsub", [[ByHand(name="a")], [ByHand(name="b")]], Asked("linear"))
    assert set(report.values["splits"]) == {"seed 0", "seed 1"}
    assert report.values["spread"]["top1"] == 0
    assert "pooled" not in report.values  # the same clips twice are no larger test set


@pytest.mark.parametrize(("split", "protocol", "message"), [
    ("xset", "linear", "--split xset: .* has xsub"),
    ("xsub", "semi", "it needs --checkpoint, and --work"),
])  # fmt: skip
def test_wrong_wishes_are_one_line(archive: Archive, split: str, protocol: str, message: str) -> None:
    with pytest.raises((DatasetError, UsageError), match=message):
        evaluate(archive, "ntu60", split, [[ByHand()]], Asked(protocol))


def test_another_data_sets_archive_is_refused(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its figures would stand beside those published for this one."""
    monkeypatch.setitem(archive.meta, "source", "NTU RGB+D 120 (https://rose1.ntu.edu.sg)")
    with pytest.raises(UsageError, match=r"holds NTU RGB\+D 120 .*: that is eval ntu120, not ntu60"):
        run(archive, "knn")


def test_fusion_is_for_linear_probes(archive: Archive) -> None:
    with pytest.raises(UsageError, match="several --checkpoint"):
        evaluate(archive, "ntu60", "xsub", [[ByHand(), ByHand()]], Asked("knn"))
    with pytest.raises(UsageError, match="two models see the same stream"):
        evaluate(archive, "ntu60", "xsub", [[ByHand(), ByHand()]], Asked("linear"))


# The commands


@pytest.fixture
def pretrained(tmp_path: Path) -> Callable[[str], Path]:
    def make(stream: str) -> Path:
        settings = EncoderSettings(width=8, blocks=3, stride=2, stream=stream)
        torch.manual_seed(0)
        path = tmp_path / f"run-{stream}" / "model.safetensors"
        save_model(path, Encoder(settings), About(settings, SPEC, trained_on="nothing"))
        return path.parent

    return make


def call(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(edge_c2vl, [str(argument) for argument in arguments], standalone_mode=False)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_semi_trains_on_a_share_and_goes_on_where_it_was(
    archive: Archive, tmp_path: Path, pretrained: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "c.yaml").write_text("batch_size: 8\naccelerator: cpu\ntensorboard: false\nlearning_rate: 0.01\n")
    arguments = (
        "eval", "ntu60", "--archive", archive.path, "--checkpoint", pretrained("joint"), "--protocol", "semi",
        "--share", "0.5", "--epochs", "40", "--config", tmp_path / "c.yaml", "--work", tmp_path / "work", "--json",
    )  # fmt: skip
    first = json.loads(call(*arguments).stdout)
    (made,) = (tmp_path / "work").iterdir()
    settings = json.loads((made / "settings.json").read_text())
    assert (settings["data"]["share"], settings["data"]["split"], settings["loop"]["epochs"]) == (0.5, "xsub", 40)
    assert first["splits"]["test"]["top1"] > 0.6
    again = json.loads(call(*arguments).stdout)
    assert again["splits"]["test"]["top1"] == first["splits"]["test"]["top1"]


def test_streams_are_fused(archive: Archive, pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    models = [part for stream in ("joint", "bone", "motion") for part in ("--checkpoint", pretrained(stream))]
    told = call("eval", "ntu60", "--archive", archive.path, *models, "--report", tmp_path / "report")
    assert "run-bone" in told.stdout
    assert (tmp_path / "report" / "confusion_test.png").is_file()


def test_parts_of_pku_mmd_are_apart(archive: Archive, pretrained: Callable[[str], Path]) -> None:
    model = ("--archive", archive.path, "--checkpoint", pretrained("joint"), "--protocol", "knn", "--json")
    counts = [json.loads(call("eval", "pku-mmd", "--part", part, *model).stdout)["splits"] for part in ("2",)]
    assert counts[0]["test"]["n"] == 12  # all test samples are odd ones, which belong to part 2
    with pytest.raises(DatasetError, match="xsub_part1 needs labelled clips in train and in test"):
        call("eval", "pku-mmd", "--part", "1", *model)


@pytest.mark.parametrize(("arguments", "error", "message"), [
    (("--checkpoint", "runs"), UsageError, "name the data: --root DIR .* or --archive"),
    (("--archive", "a"), UsageError, "name models: --checkpoint RUN"),
    (("--archive", "a", "--checkpoint", "b", "--bundle", "c"), UsageError, "name models"),
    (("--archive", "nowhere", "--checkpoint", "b"), ArchiveError, "nowhere does not exist"),
    (("--root", "nowhere", "--checkpoint", "b"), DatasetError, "nowhere does not exist"),
])  # fmt: skip
def test_wrong_use_is_one_line(archive: Archive, arguments: tuple, error: type, message: str) -> None:
    own = [str(archive.path) if argument == "a" else argument for argument in arguments]
    with pytest.raises(error, match=message) as caught:
        call("eval", "ntu60", *own)
    assert isinstance(caught.value, EdgeC2VLError)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_commands_offer_what_the_table_says(name: str) -> None:
    command = find(COMMANDS[name])
    parameters: dict[str, Any] = {option.name or "": option.type for option in command.params}
    assert tuple(parameters["split"].choices) == DATA_SETS[name].splits
    assert tuple(parameters["protocol"].choices) == DATA_SETS[name].protocols == tuple(PROTOCOLS)
