"""sktDD: the real recordings, and files that are broken."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.errors import ArchiveError, DatasetError, UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import NTU25
from tests.support.datasets.sktdd import HEADER, row, write
from train.commands.prepare import prepare as command
from train.datasets.packed import unpacked
from train.datasets.prepare import prepare
from train.datasets.sktdd import read_csv


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A driver with two moments in three views, and a labelled drive in one view."""
    root = tmp_path / "original_sktDD"
    for index in range(6):
        rows = [row(frame, index // 2, (10 + frame, 20)) for frame in range(4)]
        write(root / f"training/trajectories/001-{index + 1:02d}/00001.csv", rows)
    rows = [row(0, 0, (5, 6)), row(0, 0, (90, 90)), row(2, 0, (7, 8))]
    write(root / "testing/trajectories/001-01/00001.csv", rows)
    (root / "testing/test_frame_mask").mkdir()
    np.save(root / "testing/test_frame_mask/001_01.npy", np.array([0, 0, 1, 1]))
    return root


def test_frames_lie_on_a_uniform_grid(folder: Path, tmp_path: Path) -> None:
    report = prepare("sktdd", folder, tmp_path / "a")
    assert (report.clips, report.frames, report.skipped) == (7, 28, [])
    archive = Archive.open(tmp_path / "a")
    index = archive.clips.index[archive.clips["kind"] == "labelled"][0]
    neck = archive.sequence(index)[:, NTU25.index("spine_shoulder")]
    # Frame 0 is there twice: the first counts. Frame 1 was left out; frame 3 has a label, but no row. y points up.
    assert neck.tolist() == [[5, -6, 0, 1], [0, 0, 0, 0], [7, -8, 0, 1], [0, 0, 0, 0]]
    assert archive.frame_labels(index).tolist() == [0, 0, 1, 1]
    assert archive.clips.loc[index, ["name", "label", "subject", "camera", "group"]].tolist() == [
        "labelled/001-01",
        -1,
        "001",
        "mirror",
        "labelled/001",
    ]


def test_three_views_of_a_moment_share_a_group(folder: Path, tmp_path: Path) -> None:
    prepare("sktdd", folder.parent, tmp_path / "a")
    clips = Archive.open(tmp_path / "a").clips
    moments = clips[clips["kind"] == "normal"].groupby("group")
    assert [sorted(names) for _, names in moments["name"]] == [
        ["normal/001-01", "normal/001-03", "normal/001-05"],
        ["normal/001-02", "normal/001-04", "normal/001-06"],
    ]
    assert [sorted(cameras) for _, cameras in moments["camera"]] == [["dashboard", "mirror", "window"]] * 2


def test_part_of_a_driver_forms_no_groups(folder: Path, tmp_path: Path) -> None:
    (folder / "training/trajectories/001-02/00001.csv").unlink()
    prepare("sktdd", folder, tmp_path / "a")
    clips = Archive.open(tmp_path / "a").clips
    normal = clips[clips["kind"] == "normal"]
    assert normal["group"].tolist() == normal["name"].tolist()


@pytest.mark.parametrize(
    "rows",
    [
        [],
        ["1,2,3"],
        ["text"],
        [row(0, 7)],
        [row(0, 0), row(1, 1)],
        [row(-1, 0)],
        [row(10**9, 0)],
        [row(0, 0).replace("0", "nan", 1)],
    ],
    ids=["empty", "short", "text", "view", "views", "negative", "far", "nan"],
)
def test_a_broken_file_is_skipped_or_stops(folder: Path, tmp_path: Path, rows: list[str]) -> None:
    broken = folder / "training/trajectories/001-04/00001.csv"
    write(broken, rows)
    report = prepare("sktdd", folder, tmp_path / "a")
    assert report.clips == 6
    assert [str(broken) in line for line in report.skipped] == [True]
    assert Archive.open(tmp_path / "a").meta["skipped"] == report.skipped
    with pytest.raises(DatasetError, match="001-04"):
        prepare("sktdd", folder, tmp_path / "b", strict=True)
    assert not (tmp_path / "b").exists()


def test_a_pixel_that_is_no_number_is_a_joint_that_was_not_found(folder: Path, tmp_path: Path) -> None:
    write(folder / "training/trajectories/001-01/00001.csv", [row(0, 0, (10, 20)), row(1, 0, (float("nan"), 20))])
    prepare("sktdd", folder, tmp_path / "a", strict=True)
    archive = Archive.open(tmp_path / "a")
    index = archive.clips.index[archive.clips["name"] == "normal/001-01"][0]
    neck = archive.sequence(index)[:, NTU25.index("spine_shoulder")]
    assert neck.tolist() == [[10, -20, 0, 1], [0, 0, 0, 0]]


def test_a_broken_mask_is_skipped(folder: Path, tmp_path: Path) -> None:
    mask = folder / "testing/test_frame_mask/001_01.npy"
    for content in (np.array([0, 2, 0, 0]), np.zeros((2, 2)), np.zeros(2), np.zeros(0)):
        np.save(mask, content)
        assert len(prepare("sktdd", folder, tmp_path / "a", overwrite=True).skipped) == 1
    np.save(mask, np.array([print], object), allow_pickle=True)
    assert len(prepare("sktdd", folder, tmp_path / "a", overwrite=True).skipped) == 1
    mask.unlink()
    assert len(prepare("sktdd", folder, tmp_path / "a", overwrite=True).skipped) == 1


@settings(max_examples=60)
@given(st.one_of(st.binary(max_size=200), st.text('0123456789.,-naief\n\r "#', max_size=400).map(str.encode)))
def test_junk_is_refused_not_crashed_on(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "junk.csv").write_bytes(HEADER.encode() + b"\n" + junk)
    with contextlib.suppress(DatasetError):
        frames, view, pixels = read_csv(tmp_path / "junk.csv")
        assert view in (0, 1, 2)
        assert pixels.shape == (len(frames), 25, 2)


def test_all_broken_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "s/training/trajectories/001-01/00001.csv", ["junk"])
    with pytest.raises(DatasetError, match="nothing could be read"):
        prepare("sktdd", tmp_path / "s", tmp_path / "a")
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_processes_write_the_same(folder: Path, tmp_path: Path) -> None:
    write(folder / "training/trajectories/001-04/00001.csv", ["junk"])
    one = prepare("sktdd", folder, tmp_path / "a", workers=1)
    two = prepare("sktdd", folder, tmp_path / "b", workers=2)
    assert one == two
    assert (tmp_path / "a/frames.npy").read_bytes() == (tmp_path / "b/frames.npy").read_bytes()


def test_packed_and_unpacked_are_the_same(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar.xz", "w:xz") as archive:
        archive.add(folder, "original_sktDD")
    prepare("sktdd", folder, tmp_path / "a")
    prepare("sktdd", tmp_path / "s.tar.xz", tmp_path / "b")
    assert (tmp_path / "a/frames.npy").read_bytes() == (tmp_path / "b/frames.npy").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "original_sktDD", "s.tar.xz"]


def test_a_tar_that_leads_out_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        entry = tarfile.TarInfo("../escaped")
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    with pytest.raises(DatasetError, match="cannot be unpacked"), unpacked(tmp_path / "s.tar", tmp_path / "out"):
        pass
    assert not (tmp_path / "escaped").exists()


def test_a_cut_tar_is_refused(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar.xz", "w:xz") as archive:
        archive.add(folder, "original_sktDD")
    data = (tmp_path / "s.tar.xz").read_bytes()
    (tmp_path / "s.tar.xz").write_bytes(data[: len(data) // 2])
    with pytest.raises(DatasetError):
        prepare("sktdd", tmp_path / "s.tar.xz", tmp_path / "a")


def test_usage(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no data set nonsense: there are"):
        prepare("nonsense", folder, tmp_path / "a")
    with pytest.raises(DatasetError, match="does not exist"):
        prepare("sktdd", tmp_path / "none", tmp_path / "a")
    with pytest.raises(DatasetError, match="expected training/trajectories"):
        prepare("sktdd", tmp_path / "original_sktDD/testing", tmp_path / "a")
    prepare("sktdd", folder, tmp_path / "a")
    with pytest.raises(ArchiveError, match="exists already"):
        prepare("sktdd", folder, tmp_path / "a")


def test_command(folder: Path, tmp_path: Path) -> None:
    write(folder / "training/trajectories/001-04/00001.csv", ["junk"])
    arguments = ["sktdd", str(folder), str(tmp_path / "a"), "--workers", "1", "--json"]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    outcome = json.loads(result.stdout)
    assert (outcome["clips"], outcome["frames"], len(outcome["skipped"])) == (6, 24, 1)
    assert "skipped: " in result.stderr


@pytest.mark.slow
def test_the_real_recordings(data_dir: Path, tmp_path: Path) -> None:
    report = prepare("sktdd", data_dir / "sktdd" / "original_sktDD.tar.xz", tmp_path / "a", strict=True)
    archive = Archive.open(tmp_path / "a")
    assert (report.clips, report.frames) == (606, 706_167)
    kinds = archive.clips["kind"].value_counts().to_dict()
    assert kinds == {"normal": 573, "labelled": 33}
    assert archive.clips["subject"].nunique() == 11
    groups = archive.clips.groupby("group")
    assert (groups.size() == 3).all()
    assert (groups["camera"].nunique() == 3).all()
    assert (groups["length"].nunique() == 1).all()
    labelled = archive.clips.index[archive.clips["kind"] == "labelled"]
    distracted = [archive.frame_labels(i).mean() for i in labelled]
    assert 0.1 < np.mean(distracted) < 0.7
    assert all(archive.frame_labels(i).max() == 0 for i in archive.clips.index[archive.clips["kind"] == "normal"])
    # The left and right shoulder seen from the dashboard: the driver faces that camera, so left is at greater x.
    index = archive.clips.index[archive.clips["camera"] == "dashboard"][0]
    frames = archive.sequence(index)
    both = (frames[:, 4, 3] > 0) & (frames[:, 8, 3] > 0)
    assert np.median(frames[both, 4, 0] - frames[both, 8, 0]) > 0
    # The head is above the shoulders.
    seen = (frames[:, 3, 3] > 0) & (frames[:, 20, 3] > 0)
    assert np.median(frames[seen, 3, 1] - frames[seen, 20, 1]) > 0
