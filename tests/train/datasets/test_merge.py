"""Archives merged into one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cli import main
from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from train.data.targets import Targets
from train.datasets.merge import merge


def make(path: Path, labels: list[str], dimensions: int = 2, licence: str = "none", **columns: str) -> Archive:
    with ArchiveWriter(
        path, labels=labels, source=path.name, licence=licence, source_layout="ntu25", dimensions=dimensions
    ) as writer:
        for number, _ in enumerate(labels):
            frames = np.full((4, 25, 4), number + 1.0)
            marks = np.array([number, -1, number, number])
            writer.append(f"clip{number}", frames, 10.0, label=number, subject="p1", frame_labels=marks, **columns)
    return Archive.open(path)


def test_labels_and_frames_come_together(tmp_path: Path) -> None:
    first = make(tmp_path / "first", ["attentive", "distracted"], kind="labelled")
    second = make(tmp_path / "second", ["smoking", "attentive"], share="1")
    assert merge(tmp_path / "both", [first, second], {"distracted": ["!attentive"]}) == 4
    both = Archive.open(tmp_path / "both")
    assert both.labels == ["attentive", "distracted", "smoking"]
    assert both.clips["label"].tolist() == [0, 1, 2, 0]
    assert both.clips["name"].tolist() == ["0/clip0", "0/clip1", "1/clip0", "1/clip1"]
    assert both.clips["kind"].tolist() == ["labelled", "labelled", "", ""]
    marks = both.frame_labels(2)
    assert marks is not None
    assert marks.tolist() == [2, -1, 2, 2]
    assert (both.sequence(3) == second.sequence(1)).all()
    assert Targets.of(both).classes == ["attentive", "smoking"]
    assert both.meta["source"] == "first; second"


def test_a_merged_archive_keeps_its_groups_where_it_is_merged_again(tmp_path: Path) -> None:
    first = make(tmp_path / "first", ["attentive", "distracted", "smoking"])
    merge(tmp_path / "one", [first], {"distracted": ["!attentive"]})
    again = [Archive.open(tmp_path / "one"), make(tmp_path / "second", ["reaching"])]
    merge(tmp_path / "as before", again)
    merge(tmp_path / "anew", again, {"distracted": ["!attentive"]})
    for name, members in (("as before", ["smoking"]), ("anew", ["smoking", "reaching"])):
        merged = Archive.open(tmp_path / name)
        assert merged.meta["groups"] == {"distracted": members}
        assert Targets.of(merged).classes == ["attentive", "smoking", "reaching"]


def test_each_licence_stays_one_text(tmp_path: Path) -> None:
    research = "research only; not for distribution"
    one, other = make(tmp_path / "one", ["a"], licence=research), make(tmp_path / "other", ["b"], licence="MIT")
    merge(tmp_path / "both", [one, other, one])
    both = Archive.open(tmp_path / "both")
    assert both.licences == [research, "MIT"]
    assert both.meta["licence"] == f"{research}; MIT"
    merge(tmp_path / "again", [other, both])
    assert Archive.open(tmp_path / "again").licences == ["MIT", research]


def test_what_does_not_go_together_is_refused_and_nothing_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flat, deep = make(tmp_path / "flat", ["a"]), make(tmp_path / "deep", ["a"], dimensions=3)
    with pytest.raises(UsageError, match="two and of three dimensions"):
        merge(tmp_path / "both", [flat, deep])
    with pytest.raises(UsageError, match="no label 'b'"):
        merge(tmp_path / "both", [flat], {"a": ["b"]})
    assert not (tmp_path / "both").exists()
    with pytest.raises(SystemExit) as stop:
        main(["merge", str(tmp_path / "both"), str(tmp_path / "flat"), "--group", "a"])
    assert stop.value.code == 2
    assert "--group a" in capsys.readouterr().err


def test_simulated_clips_and_a_data_set_by_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.simulate.population.archive.BATCH", 60)
    make(tmp_path / "first", ["attentive", "distracted"])
    simulated, both = tmp_path / "simulated", tmp_path / "both"
    main(["simulate-clips", str(simulated), "--clips", "40"])
    main(["merge", str(both), str(tmp_path / "first"), str(simulated), "--group", "distracted=!attentive"])
    archive = Archive.open(both)
    assert "distracted" not in Targets.of(archive).classes
    assert set(archive.clips["kind"]) == {"", "simulated"}
    # The same clips, however many are asked for.
    main(["simulate-clips", str(tmp_path / "fewer"), "--clips", "10"])
    fewer = Archive.open(tmp_path / "fewer")
    assert (fewer.sequence(0) == Archive.open(simulated).sequence(0)).all()
