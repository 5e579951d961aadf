"""pyskl's pickles, and the unpickler that admits nothing but arrays and plain containers."""

from __future__ import annotations

import collections
import contextlib
import datetime
import decimal
import os
import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import NTU25
from tests.support.datasets.pyskl import annotations, dump
from train.datasets.prepare import prepare
from train.datasets.safe_pickle import as_array, load


@pytest.mark.parametrize("protocol", range(6))
def test_three_dimensional(tmp_path: Path, protocol: int) -> None:
    values = annotations()
    prepare("pyskl", dump(tmp_path / "ntu60_3danno.pkl", values, protocol), tmp_path / "a", strict=True)
    archive = Archive.open(tmp_path / "a")
    clips = archive.clips
    assert clips["name"].tolist() == ["S001C001P001R001A001", "S001C001P001R001A001#1", "S017C003P003R002A060"]
    assert clips["label"].tolist() == [0, 0, 59]
    assert clips["xsub"].tolist() == ["train", "train", "test"]
    assert archive.labels[59] == "walking apart"
    expected = values["annotations"][0]["keypoint"][1].astype(np.float32) * [-1, 1, 1]
    np.testing.assert_allclose(archive.sequence(1)[..., :3], expected, rtol=1e-6)


def test_two_dimensional(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(1, 300, (1, 5, 17, 2))
    scores = np.random.default_rng(1).uniform(0.5, 1, (1, 5, 17))
    scores[0, 2, 9] = 0  # COCO's left wrist
    entry = {
        "frame_dir": "clip",
        "label": np.int64(2),
        "keypoint": points,
        "keypoint_score": scores,
        "img_shape": (9, 16),
    }
    path = dump(tmp_path / "gym_hrnet.pkl", {"split": {"train": ["clip"], "test": []}, "annotations": [entry]})
    prepare("pyskl", path, tmp_path / "a", strict=True)
    archive = Archive.open(tmp_path / "a")
    assert archive.meta["dimensions"] == 2
    assert archive.meta["source_layout"] == "coco17"
    assert archive.labels == ["0", "1", "2"]
    assert archive.clips["split"].tolist() == ["train"]
    wrist = archive.sequence(0)[:, NTU25.index("left_wrist")]
    np.testing.assert_allclose(wrist[0], [points[0, 0, 9, 0], -points[0, 0, 9, 1], 0, scores[0, 0, 9]], rtol=1e-5)
    assert wrist[2].tolist() == [0, 0, 0, 0]


def test_broken_annotations_are_skipped(tmp_path: Path) -> None:
    values = annotations()
    good = values["annotations"][0]
    values["annotations"] += [
        good | {"frame_dir": "S001C001P001R001A002", "keypoint": np.zeros((1, 3, 20, 3))},
        good | {"frame_dir": "S001C001P001R001A003", "keypoint": np.zeros((1, 3, 25, 3))},
        good | {"frame_dir": "S001C001P001R001A004", "keypoint": np.zeros((1, 0, 25, 3))},
        good | {"frame_dir": "S001C001P001R001A005", "label": -1},
        good | {"frame_dir": "S001C001P001R001A006", "keypoint": [[1.0]]},
        good | {"frame_dir": "S001C001P001R001A007", "keypoint_score": np.ones((1, 2, 3))},
        good,
    ]
    report = prepare("pyskl", dump(tmp_path / "x.pkl", values), tmp_path / "a")
    assert report.clips == 3
    assert len(report.skipped) == 7
    assert report.nobody == ["S001C001P001R001A003 shows nobody"]
    assert all("two clips are named" in said for said in report.skipped[5:])  # both bodies of the last one


@pytest.mark.parametrize("value", [[], {}, {"annotations": []}, {"annotations": [{"frame_dir": "x"}]}, 7, "text", None])
def test_other_pickles_are_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(DatasetError, match="is no pyskl file"):
        prepare("pyskl", dump(tmp_path / "x.pkl", value), tmp_path / "a")


class Attack:
    """Runs a command when it is unpickled by pickle itself."""

    def __init__(self, function, *arguments) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("function", [os.system, subprocess.check_output, eval, exec, __import__, open, getattr])
def test_no_function_is_ever_called(tmp_path: Path, function, protocol: int) -> None:
    mark = tmp_path / "mark"
    arguments = {
        os.system: (f"touch {mark}",),
        subprocess.check_output: (["touch", str(mark)],),
        eval: (f"open({str(mark)!r}, 'w')",),
        exec: (f"open({str(mark)!r}, 'w')",),
        __import__: ("os",),
        open: (str(mark), "w"),
        getattr: ("", "join"),
    }[function]
    value = annotations() | {"more": Attack(function, *arguments)}
    path = dump(tmp_path / "x.pkl", value, protocol)
    with pytest.raises(DatasetError, match="it names"):
        prepare("pyskl", path, tmp_path / "a")
    assert not mark.exists()


def test_the_attack_works_on_pickle_itself(tmp_path: Path) -> None:
    """Or the test above would prove nothing."""
    mark = tmp_path / "mark"
    pickle.loads(pickle.dumps(Attack(os.system, f"touch {mark}")))
    assert mark.exists()


@pytest.mark.parametrize(
    "value",
    [
        np.array([print, len], object),
        np.array([{"a": 1}], object),
        np.zeros(2, [("a", "f4"), ("b", "i4")]),
        np.array(["2020-01-01"], "datetime64[D]"),
        np.array([1 + 2j]),
        np.ma.masked_array([1, 2], [0, 1]),
        np.random.default_rng(0),
        collections.OrderedDict(a=1),
        collections.defaultdict(list),
        datetime.date(2020, 1, 1),
        decimal.Decimal(1),
        Path(),
        {1, 2}.union,
        np.sum,
        np.load,
        complex(1, 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_objects_are_refused(tmp_path: Path, value: object) -> None:
    for protocol in range(6):
        try:
            path = dump(tmp_path / "x.pkl", [value], protocol)
        except TypeError:
            continue
        with pytest.raises(DatasetError, match=r"x\.pkl"):
            load(path)


def test_persistent_references_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(b"Pelsewhere\n.")
    with pytest.raises(DatasetError, match="outside the file"):
        load(tmp_path / "x.pkl")


@pytest.mark.parametrize(
    "code",
    [
        # (stand-in, state) pairs that would overwrite an attribute of what is looked up: protocol 0, BUILD.
        b"cnumpy._core.multiarray\n_reconstruct\n(dS'__call__'\nS'x'\nsb.",
        b"cnumpy\ndtype\n(dS'__init__'\nS'x'\nsb.",
        b"cnumpy\nndarray\n(N(dS'a'\nS'x'\nstb.",
        b"c_codecs\nencode\n(S'aa'\nS'rot13'\ntR.",
        b"cnumpy._core.multiarray\n__builtins__\n.",
        b"cnumpy\n__builtins__.eval\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__class__\x93.",
    ],
)
def test_crafted_programs_are_refused(tmp_path: Path, code: bytes) -> None:
    (tmp_path / "x.pkl").write_bytes(code)
    with pytest.raises(DatasetError):
        load(tmp_path / "x.pkl")


@settings(max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
        max_leaves=10,
    ),
    st.integers(0, 5),
)
def test_plain_values_come_back(tmp_path: Path, value: object, protocol: int) -> None:
    assert load(dump(tmp_path / "x.pkl", value, protocol)) == value


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i8", "u2", "?", "U5", "S3", ">f4"])
def test_arrays_come_back(tmp_path: Path, dtype: str, protocol: int) -> None:
    array = np.arange(12).astype(dtype).reshape(3, 4)
    for value in (array, np.asfortranarray(array), array[:, ::2], np.zeros((0, 3), dtype)):
        loaded = as_array(load(dump(tmp_path / "x.pkl", value, protocol)))
        assert loaded.dtype == value.dtype
        np.testing.assert_array_equal(loaded, value)
    scalar = array[1, 2]
    assert load(dump(tmp_path / "x.pkl", scalar, protocol)) == scalar


@settings(max_examples=150)
@given(st.data())
def test_junk_is_refused_not_crashed_on(tmp_path: Path, data) -> None:
    good = bytearray(pickle.dumps(annotations(), data.draw(st.integers(0, 5))))
    for at in data.draw(st.lists(st.integers(0, 600), max_size=4)):
        good[at % len(good)] = data.draw(st.integers(0, 255))
    (tmp_path / "x.pkl").write_bytes(data.draw(st.binary(max_size=100)) if data.draw(st.booleans()) else bytes(good))
    with contextlib.suppress(DatasetError):
        load(tmp_path / "x.pkl")


def test_one_file_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds 0"):
        prepare("pyskl", tmp_path, tmp_path / "a")
