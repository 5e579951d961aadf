"""`edge-c2vl eval drive-act` from raw files to figures, with a scripted model and with a trained one."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cli import edge_c2vl
from edge_c2vl.errors import DatasetError, EdgeC2VLError, UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import NTU25, Array
from tests.support.drive_act_files import ACTIVITIES, DRIVERS, ROUNDS, TRIPLETS, run_of, write_labels, write_skeletons
from train.datasets.drive_act_labels import SIMULATED
from train.datasets.opened import open_dataset
from train.datasets.source import Options
from train.evaluation.drive_act import evaluate, splits_of
from train.evaluation.models import Model
from train.evaluation.report import Report

WRIST, HIP, SHOULDER = (NTU25.index(name) for name in ("right_wrist", "spine_base", "right_shoulder"))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drive-act")
    write_labels(folder)
    write_skeletons(folder)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def archive(root: Path, cache: Path) -> Archive:
    return open_dataset("drive-act", root, Options(), cache)


class ByHand(Model):
    """Classifies by the wrist's height. confused: activities that are answered as another."""

    def __init__(self, labels: dict[str, str], confused: dict[str, str] | None = None, split: str = "") -> None:
        """labels: activity -> the label that is answered for it."""
        self.labels, self.spec, self.name, self.split = list(labels.values()), ClipSpec(dimensions=3), "by hand", split
        self._answer = [list(labels).index((confused or {}).get(name, name)) for name in labels]
        self._heights = np.array([ACTIVITIES[name] for name in labels])

    def logits(self, clips: Array) -> Array:
        # Trunk (0.45 m) and wrist over the hip, both in shoulder breadths.
        trunk = np.median(clips[:, 1, :, SHOULDER] - clips[:, 1, :, HIP], axis=1)
        height = np.median(clips[:, 1, :, WRIST] - clips[:, 1, :, HIP], axis=1) / trunk * 0.45
        nearest = np.abs(height[:, None] - self._heights).argmin(axis=1)
        logits = np.zeros((len(clips), len(self.labels)), np.float32)
        logits[np.arange(len(clips)), np.array(self._answer)[nearest]] = 5
        return logits

    def features(self, clips: Array) -> Array:
        raise NotImplementedError


MIDLEVEL = {name: name for name in ACTIVITIES}


def call(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(edge_c2vl, [str(argument) for argument in arguments], standalone_mode=False)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def part(report: Report, name: str) -> dict:
    return report.values["parts"][name]


def test_the_protocol(archive: Archive) -> None:
    # In split 1 the model takes eating for drinking.
    confused = {"1": {"eating": "drinking"}}
    report = evaluate(archive, lambda split: ByHand(MIDLEVEL, confused.get(split)), ["0", "1", "2"])
    found = part(report, "midlevel")
    assert found["splits"]["split_0"]["balanced"] == found["splits"]["split_2"]["top1"] == 1.0
    assert found["splits"]["split_1"]["balanced"] == 0.75
    assert found["mean"]["balanced"] == pytest.approx((1 + 0.75 + 1) / 3)
    assert found["pooled"]["n"] == 3 * 4 * ROUNDS
    assert found["pooled"]["top1"] == pytest.approx(1 - 1 / 12)
    drinking, eating = found["pooled"]["per_class"][:2]
    assert (eating["name"], eating["count"], eating["recall"]) == ("eating", 3 * ROUNDS, pytest.approx(2 / 3))
    assert drinking["precision"] == pytest.approx(3 / 4)
    assert np.array(found["pooled"]["confusion"])[1].tolist() == [ROUNDS, 2 * ROUNDS, 0, 0]
    # softmax of 5, 0, 0, 0: the model is always that sure.
    sure = np.exp(5) / (np.exp(5) + 3)
    assert found["pooled"]["ece"] == pytest.approx(abs(1 - 1 / 12 - sure), abs=1e-5)
    assert [row["value"] for row in report.values["published"]][:3] == [57.16, 51.71, 35.70]


def test_simulated_drivers_are_never_a_result(tmp_path: Path, cache: Path) -> None:
    write_labels(tmp_path)
    write_skeletons(tmp_path)
    (tmp_path / SIMULATED).write_text("made")
    archive = open_dataset("drive-act", tmp_path, Options(), cache)
    report = evaluate(archive, lambda _: ByHand(MIDLEVEL), ["0"])
    assert report.title.startswith("SIMULATED")
    assert "nothing about real drivers" in report.values["note"]
    assert report.values["published"] == []
    assert archive.meta["licence"] == "none: simulated"


def test_a_class_that_a_split_lacks(root: Path, tmp_path: Path, cache: Path) -> None:
    """It is left out of that split's mean, and counts where the splits are pooled."""
    write_skeletons(tmp_path)
    write_labels(tmp_path)
    path = tmp_path / "activities_3s" / "inner_mirror" / "midlevel.chunks_90.split_0.test.csv"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if ",drinking," not in line) + "\n")
    archive = open_dataset("drive-act", tmp_path, Options(), cache)
    report = evaluate(archive, lambda _: ByHand(MIDLEVEL, {"drinking": "eating"}), ["0", "1"])
    found = part(report, "midlevel")
    assert found["splits"]["split_0"]["balanced"] == 1.0
    assert found["splits"]["split_0"]["classes"] == 3
    assert found["splits"]["split_0"]["per_class"][0]["recall"] is None
    assert found["splits"]["split_1"]["balanced"] == 0.75
    assert found["pooled"]["balanced"] == 0.75
    assert found["mean"]["balanced"] == pytest.approx(0.875)


def test_object_level_judges_triplets_and_their_parts(root: Path, cache: Path) -> None:
    archive = open_dataset("drive-act", root, Options(level="objectlevel"), cache)
    labels = {name: " ".join(triplet) for name, triplet in TRIPLETS.items()}
    # Right by location, wrong by action and object.
    model = ByHand(labels, {"eating": "drinking"})
    report = evaluate(archive, lambda _: model, ["0", "1", "2"], level="objectlevel")
    balanced = {name: values["pooled"]["balanced"] for name, values in report.values["parts"].items()}
    assert balanced == {
        "action, object and location (triplet)": 0.75,
        "action": 0.75,
        "object": 0.75,
        "location": 1.0,
    }
    assert part(report, "location")["classes"] == ["face", "lap"]
    assert report.values["published"] == []  # what is published is of the middle level


def test_a_model_is_not_judged_on_drivers_that_it_may_have_seen(archive: Archive) -> None:
    with pytest.raises(UsageError, match="trained on split_1: it cannot be judged on split_0"):
        evaluate(archive, lambda _: ByHand(MIDLEVEL, split="split_1"), ["0"])
    with pytest.raises(UsageError, match=r"runs/da-\{split\}"):
        splits_of("all", "runs/da")
    assert splits_of("all", "runs/da-{split}") == ["0", "1", "2"]
    assert splits_of("1", "runs/da") == ["1"]


def test_an_unknown_activity_is_told_with_file_and_row(archive: Archive) -> None:
    known = {name: name for name in ACTIVITIES if name != "sitting_still"}
    with pytest.raises(DatasetError, match=r"split_0\.test\.csv, line 4: the activity 'sitting_still' is unknown"):
        evaluate(archive, lambda _: ByHand(known), ["0"])


def test_activities_that_no_split_has_are_no_class(tmp_path: Path, cache: Path) -> None:
    """The label files of all chunks know activities such as standing_by_the_door, which the protocol leaves out."""
    write_labels(tmp_path)
    write_skeletons(tmp_path)
    folder = tmp_path / "activities_3s" / "inner_mirror"
    lines = (folder / "midlevel.chunks_90.split_0.train.csv").read_text().splitlines()
    extra = f"1,{run_of(1)},90,0,9,standing_by_the_door,0"
    (folder / "midlevel.chunks_90.csv").write_text("\n".join([*lines, extra]) + "\n")
    archive = open_dataset("drive-act", tmp_path, Options(), cache)
    assert archive.labels == sorted(ACTIVITIES)
    assert (archive.clips["label"] == -1).sum() == 1


def test_the_archive_is_made_once_and_anew_when_a_file_changes(root: Path, cache: Path, archive: Archive) -> None:
    before = (archive.path / "frames.npy").stat().st_mtime_ns
    assert open_dataset("drive-act", root, Options(workers=2), cache).path == archive.path
    assert (archive.path / "frames.npy").stat().st_mtime_ns == before
    path = root / "openpose_3d" / f"{run_of(6)}.openpose.3d.csv"
    path.write_text(path.read_text())
    assert open_dataset("drive-act", root, Options(), cache).path != archive.path


@pytest.mark.parametrize(("break_it", "message"), [
    (lambda root: _skeletons(root).write_text(""), r"run1_2018-05-03.*csv, line 1: no header, the skeleton file is em"),
    (lambda root: _skeletons(root).unlink(), r"csv, line \d+: vp3/run1.* has no skeleton file"),
    (lambda root: _edit(root, "frame_end", "frame_stop"), r"split_0\.test\.csv, line 1 lacks the columns frame_end"),
    (lambda root: _edit(root, ",0,30,", ",30,30,"), r"split_0\.test\.csv, line 2: frames 30 to 30"),
    (lambda root: _edit(root, "ids_1", "kinect_color"), r"split_0\.test\.csv, line 2 .* frames of kinect_color"),
])  # fmt: skip
def test_broken_files_are_one_line(tmp_path: Path, break_it: object, message: str) -> None:
    write_labels(tmp_path)
    write_skeletons(tmp_path)
    break_it(tmp_path)  # type: ignore[operator]
    with pytest.raises(DatasetError, match=message) as caught:
        open_dataset("drive-act", tmp_path, Options(), tmp_path / "cache")
    assert "\n" not in str(caught.value)


def _skeletons(root: Path) -> Path:
    return root / "openpose_3d" / f"{run_of(3)}.openpose.3d.csv"


def _edit(root: Path, old: str, new: str) -> None:
    path = root / "activities_3s" / "inner_mirror" / "midlevel.chunks_90.split_0.test.csv"
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"camera": "ceiling"}, UsageError, "openpose_3d numbers the frames of inner_mirror, not of ceiling"),
    ({"camera": "ceiling", "input": "pose"}, DatasetError, "no midlevel labels of ceiling .*put activities_3s/cei"),
    ({"input": "pose"}, DatasetError, "no video of inner_mirror"),
    ({"camera": "roof"}, UsageError, "no camera roof"),
    ({"level": "toplevel"}, UsageError, "no level toplevel"),
    ({"input": "smell"}, UsageError, "no input smell"),
])  # fmt: skip
def test_wrong_wishes_are_one_line(root: Path, cache: Path, options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        open_dataset("drive-act", root, Options(**options), cache)


SMALL = [
    *("--epochs", "40", "--batch-size", "16", "--learning-rate", "1e-2", "--accelerator", "cpu", "--threads", "1"),
    *("--width", "8", "--blocks", "3", "--frames", "16", "--stride", "2", "--no-tensorboard"),
]


def test_from_raw_files_to_the_report(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training, export, and evaluation of the checkpoint and of the bundle: the same figures."""
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(tmp_path / "cache"))
    run, bundle = tmp_path / "da-0", tmp_path / "bundle-0"
    call("train", "finetune", root, run, "--dataset", "drive-act", "--split", "split_0", *SMALL)
    (archive,) = (tmp_path / "cache" / "archives").iterdir()
    call("export", run, bundle, "--archive", archive, "--clips", "16", "--distraction", "")
    asked = ("eval", "drive-act", "--root", root, "--split", "0")
    report = tmp_path / "report"
    told = call(*asked, "--checkpoint", tmp_path / "da-{split}", "--report", report)
    assert "split_0" in told.stdout
    assert "35.70" in told.stdout
    values = json.loads((report / "report.json").read_text())
    by_checkpoint = values["parts"]["midlevel"]["splits"]["split_0"]
    assert by_checkpoint["balanced"] > 0.7  # the hands tell the activities apart
    of_bundle = json.loads(
        call(*asked, "--bundle", bundle, "--precision", "fp32", "--backend", "onnxruntime:cpu", "--json").stdout
    )
    by_bundle = of_bundle["parts"]["midlevel"]["splits"]["split_0"]
    assert abs(by_bundle["balanced"] - by_checkpoint["balanced"]) <= 0.001
    assert abs(by_bundle["top1"] - by_checkpoint["top1"]) <= 0.001
    with (report / "confusion_split_0.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0][1:] == sorted(ACTIVITIES)
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == by_checkpoint["confusion"]
    assert len(list(DRIVERS)) == 6
    with pytest.raises(EdgeC2VLError, match="trained on split_0: it cannot be judged on split_2"):
        call("eval", "drive-act", "--root", root, "--split", "2", "--checkpoint", run)
    with pytest.raises(EdgeC2VLError, match="holds Drive&Act midlevel"):
        call("eval", "drive-act", "--archive", archive, "--level", "tasklevel", "--split", "0", "--checkpoint", run)
