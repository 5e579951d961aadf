"""Which clips calibrate, choose and judge: evenly over classes and cameras, and never the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration import clips
from calibration.clips import MIN_SAMPLES, UNNAMED, balanced, divide, fingerprint
from edge_c2vl.errors import ArchiveError, UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from tests.support.movements import CAMERAS, LABELS, SPEC, body


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 70), st.integers(0, 3))
def test_balanced_takes_evenly(cells: list[int], count: int, seed: int) -> None:
    cell = np.array(cells)
    chosen = balanced(np.arange(len(cell)), cell, count, seed)
    assert len(chosen) == len(set(chosen)) == min(count, len(cell))
    taken = np.bincount(cell[chosen], minlength=5)
    there = np.bincount(cell, minlength=5)
    # A cell has fewer than another by more than one only when it has no more to give.
    for one in range(5):
        assert taken[one] >= min(there[one], taken.max() - 1)


def test_balanced_over_classes_and_cameras(archive: Archive) -> None:
    sets = divide(archive, LABELS, SPEC, samples=32)
    cameras = archive.clips["camera"].to_numpy()[sets.calibration.windows.clip]
    for label in range(len(LABELS)):
        for camera in CAMERAS:
            assert ((sets.calibration.labels == label) & (cameras == camera)).sum() == 4


def test_the_three_sets_share_no_moment_and_only_the_test_split_judges(archive: Archive) -> None:
    sets = divide(archive, LABELS, SPEC, samples=512)
    rows = archive.clips
    assert len(sets.evaluation) == (rows["xsub"] == "test").sum()
    assert set(rows["xsub"][sets.evaluation.windows.clip]) == {"test"}
    moments = [set(rows["group"][part.windows.clip]) for part in (sets.calibration, sets.selection, sets.evaluation)]
    assert not moments[0] & moments[1]
    assert not moments[0] & moments[2]
    assert not moments[1] & moments[2]
    assert set(rows["xsub"][sets.calibration.windows.clip]) == {"train"}


def test_the_choice_follows_the_seed(archive: Archive) -> None:
    first, again, other = (
        fingerprint(divide(archive, LABELS, SPEC, samples=16, seed=seed).calibration.clips()) for seed in (0, 0, 1)
    )
    assert first == again != other


def test_batches_are_the_clips(archive: Archive) -> None:
    chosen = divide(archive, LABELS, SPEC, samples=40).calibration
    batches = list(chosen.batches(16))
    assert [len(data) for data, _ in batches] == [16, 16, 8]
    np.testing.assert_array_equal(np.concatenate([data for data, _ in batches]), chosen.clips())
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), chosen.labels)


def test_labels_are_matched_by_name(archive: Archive) -> None:
    turned = LABELS[::-1]
    sets = divide(archive, turned, SPEC, samples=32)
    row = archive.clips["label"].to_numpy()[sets.evaluation.windows.clip]
    assert [turned[label] for label in sets.evaluation.labels] == [LABELS[label] for label in row]


def written(path: Path, rows: list[dict], groups: dict[str, list[str]] | None = None) -> Archive:
    random = np.random.default_rng(0)
    labels = [*LABELS, *(groups or {})]
    with ArchiveWriter(path, labels=labels, source="made up", licence="CC0", source_layout="ntu25") as writer:
        writer.meta["groups"] = groups or {}
        for number, row in enumerate(rows):
            writer.append(f"clip{number}", body(random, number % 4), 24.0, **({"label": number % 4} | row))
    return Archive.open(path)


def test_without_a_split_other_people_judge(tmp_path: Path) -> None:
    archive = written(tmp_path / "a", [{"subject": f"s{number // 40}"} for number in range(160)])
    sets = divide(archive, LABELS, SPEC, samples=16)
    subjects = [set(archive.clips["subject"][part.windows.clip]) for part in (sets.calibration, sets.evaluation)]
    assert not subjects[0] & subjects[1]
    assert "subject" in sets.evaluation.name


def test_recordings_that_name_nobody_are_people_of_their_own(tmp_path: Path) -> None:
    """Such as simulated drivers, of whom otherwise all would lie in one part."""
    rows = [{"subject": f"s{number // 40}" if number < 80 else ""} for number in range(160)]
    archive = written(tmp_path / "a", rows)
    sets = divide(archive, LABELS, SPEC, samples=16)
    nobody = archive.clips["subject"].to_numpy() == ""
    assert 20 < nobody[sets.evaluation.windows.clip].sum() < 60
    assert nobody[sets.calibration.windows.clip].any()
    assert "subjects" in sets.evaluation.name
    alone = divide(written(tmp_path / "b", [{} for _ in range(80)]), LABELS, SPEC, samples=16)
    assert "recordings" in alone.evaluation.name  # nobody is named, so no people are told apart


def test_a_label_that_stands_for_distractions_is_judged_without_a_class(tmp_path: Path) -> None:
    groups = {"distracted": LABELS[1:3], "anything": LABELS[:2]}
    rows = [{"xsub": "train" if n % 2 else "test", "label": (0, 1, 4, 5)[n // 2 % 4]} for n in range(200)]
    archive = written(tmp_path / "a", rows, groups)
    sets = divide(archive, LABELS, SPEC, distraction=LABELS[1:], samples=16)
    given = archive.clips["label"].to_numpy()[sets.evaluation.windows.clip]
    assert set(given) == {0, 1, 4}  # label 5 may be attentive or not
    assert (sets.evaluation.labels == np.where(given == 4, UNNAMED, given)).all()
    # Where it is not known that both are distractions, it tells nothing.
    known = divide(archive, LABELS, SPEC, distraction=LABELS[1:2], samples=16).evaluation
    assert set(archive.clips["label"].to_numpy()[known.windows.clip]) == {0, 1}
    # A model that was trained with the group as a class has it as that.
    own = divide(archive, [LABELS[0], "distracted"], SPEC, distraction=["distracted"], samples=16).evaluation
    assert set(archive.clips["label"].to_numpy()[own.windows.clip]) == {0, 4}
    assert set(own.labels) == {0, 1}


def test_no_more_judge_than_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "JUDGING", 20)
    archive = written(tmp_path / "a", [{"xsub": "train" if n % 2 else "test", "label": n // 50} for n in range(200)])
    assert np.bincount(divide(archive, LABELS, SPEC, samples=16).evaluation.labels).tolist() == [5, 5, 5, 5]


def test_val_chooses_where_there_is_one(tmp_path: Path) -> None:
    parts = ["train", "val", "test"]
    archive = written(tmp_path / "a", [{"xsub": parts[number // 20]} for number in range(60)])
    sets = divide(archive, LABELS, SPEC, samples=16)
    assert set(archive.clips["xsub"][sets.selection.windows.clip]) == {"val"}


def test_a_window_without_a_label_is_left_out(tmp_path: Path) -> None:
    rows = [{"xsub": "train" if number % 2 else "test"} for number in range(200)]
    rows[3]["label"] = rows[4]["label"] = -1
    sets = divide(written(tmp_path / "a", rows), LABELS, SPEC, samples=512)
    used = {int(row) for part in (sets.calibration, sets.selection, sets.evaluation) for row in part.windows.clip}
    assert not used & {3, 4}


def test_refusals_are_one_line(tmp_path: Path, archive: Archive) -> None:
    one = written(tmp_path / "one", [{}])
    few = written(tmp_path / "few", [{"xsub": "train" if number % 2 else "test"} for number in range(20)])
    two = written(tmp_path / "two", [{"xsub": "train", "xview": "test"} for _ in range(4)])
    cases = [
        (one, {}, ArchiveError, "one recording"),
        (few, {}, ArchiveError, f"at least {MIN_SAMPLES}"),
        (two, {}, UsageError, "xsub, xview: choose one with --split"),
        (archive, {"split": "xview"}, UsageError, "has xsub"),
        (archive, {"samples": 1}, UsageError, "--samples is at least"),
        (archive, {"labels": ["smoking"]}, ArchiveError, "the data set that the model was trained on"),
    ]
    for data, change, error, message in cases:
        labels = change.pop("labels", LABELS)
        with pytest.raises(error, match=message) as caught:
            divide(data, labels, SPEC, **change)
        assert "\n" not in str(caught.value)


def test_of_no_rows_none_are_chosen() -> None:
    assert balanced(np.zeros(0, np.int64), np.zeros(0, np.str_), 5).tolist() == []
