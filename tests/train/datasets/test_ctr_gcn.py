"""CTR-GCN's .npz files."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.archive import Archive
from tests.support.datasets.ctr_gcn import clips, write
from train.datasets.prepare import prepare


@pytest.mark.parametrize("compressed", [False, True])
def test_clips(tmp_path: Path, compressed: bool) -> None:
    report = prepare("ctr-gcn", write(tmp_path / "NTU60_CS.npz", compressed), tmp_path / "a", strict=True)
    archive = Archive.open(tmp_path / "a")
    table = archive.clips
    assert report.clips == 7
    assert table["name"].tolist() == [
        "train/000000",
        "train/000001",
        "train/000001#1",
        "train/000002",
        "test/000000",
        "test/000001",
        "test/000001#1",
    ]
    assert table["xsub"].tolist() == ["train"] * 4 + ["test"] * 3
    assert table["label"].tolist() == [5, 6, 6, 7, 8, 9, 9]
    assert set(table["length"]) == {8}
    second = clips(3, 0).reshape(3, 10, 2, 25, 3)[1, :8, 1] * [-1, 1, 1]
    np.testing.assert_allclose(archive.sequence(2)[..., :3], second, rtol=1e-6)
    # The origin lies in a joint; the joint is there all the same.
    assert archive.sequence(0)[0, 1].tolist() == [0, 0, 0, 1]
    assert archive.labels[5] == "pick up"


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("NTU60_CV", "xview"),
        ("NTU120_CSub", "xsub"),
        ("NTU120_CSet", "xset"),
        ("PKUv1_XSub", "xsub"),
        ("PKUv2_xview", "xview"),
        ("mine", "split"),
    ],
)
def test_the_name_tells_the_split(tmp_path: Path, name: str, column: str) -> None:
    prepare("ctr-gcn", write(tmp_path / f"{name}.npz"), tmp_path / "a")
    assert column in Archive.open(tmp_path / "a").clips


def test_labels_as_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.npz", y_train=np.array([2, 0, 1]), y_test=np.array([1, 3]))
    prepare("ctr-gcn", path, tmp_path / "a")
    archive = Archive.open(tmp_path / "a")
    assert archive.labels == ["0", "1", "2", "3"]
    assert archive.clips["label"].tolist() == [2, 0, 0, 1, 1, 3, 3]


def test_an_empty_clip_is_left_out(tmp_path: Path) -> None:
    x = clips(3, 0)
    x[1] = 0
    report = prepare("ctr-gcn", write(tmp_path / "x.npz", x_train=x), tmp_path / "a")
    assert report.nobody == ["clip train/000001 shows nobody"]
    assert report.skipped == []


@pytest.mark.parametrize(
    "change",
    [
        {"x_train": None},
        {"y_test": None},
        {"x_train": clips(2, 0)},
        {"x_train": np.zeros((3, 10, 149), np.float32)},
        {"x_train": np.zeros((3, 10, 150), np.int32)},
        {"x_train": np.zeros((3, 0, 150), np.float32)},
        {"x_train": np.asfortranarray(clips(3, 0))},
        {"x_train": np.array([print], object)},
        {"y_train": np.array([-1, 0, 0])},
        {"y_train": np.array([2**40, 0, 0])},
        {"y_train": np.zeros(3)},
        {"y_train": np.array([print], object)},
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, change: dict) -> None:
    with pytest.raises(DatasetError, match=r"x\.npz: [xy]_t"):
        prepare("ctr-gcn", write(tmp_path / "x.npz", **change), tmp_path / "a")
    assert not (tmp_path / "a").exists()


@settings(max_examples=60)
@given(st.data())
def test_junk_is_refused_not_crashed_on(tmp_path: Path, data) -> None:
    content = bytearray(write(tmp_path / "good.npz", compressed=data.draw(st.booleans())).read_bytes())
    for at in data.draw(st.lists(st.integers(0, 2000), max_size=4)):
        content[at % len(content)] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    (tmp_path / "junk.npz").write_bytes(bytes(content))
    with contextlib.suppress(DatasetError):
        prepare("ctr-gcn", tmp_path / "junk.npz", tmp_path / "a", overwrite=True)


def test_one_file_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "a.npz")
    write(tmp_path / "b.npz")
    with pytest.raises(DatasetError, match="holds 2"):
        prepare("ctr-gcn", tmp_path, tmp_path / "out")
