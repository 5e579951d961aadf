"""NumPy's files from outside: as NumPy reads them, and no larger than what they hold."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.utils.arrays import ERRORS, UNPACKED_LEAST, UNPACKED_RATIO, NpzFile, load_npy, most_unpacked

GIGABYTE = 1 << 30


def header(shape: tuple[int, ...], descr: str = "<f4", version: tuple[int, int] = (1, 0)) -> bytes:
    file = io.BytesIO()
    write = np.lib.format.write_array_header_1_0 if version == (1, 0) else np.lib.format.write_array_header_2_0
    write(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


@given(
    st.sampled_from(["f2", "f4", "f8", "i1", "i8", "u2", "?", "U5", "S3", ">f4"]),
    st.lists(st.integers(0, 4), max_size=4).map(tuple),
    st.booleans(),
)
@settings(max_examples=80)
def test_arrays_come_back_as_numpy_reads_them(
    tmp_path: Path, dtype: str, shape: tuple[int, ...], fortran: bool
) -> None:
    array = np.arange(np.prod(shape, dtype=int)).astype(dtype).reshape(shape)
    array = np.asfortranarray(array) if fortran else array
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", one=array, other=array[..., None])
    with NpzFile(tmp_path / "a.npz") as file:
        assert file.files == ["one", "other"]
        for loaded, wanted in (
            (load_npy(tmp_path / "a.npy"), array),
            (file["one"], array),
            (file["other"], array[..., None]),
        ):
            assert loaded.dtype == wanted.dtype
            np.testing.assert_array_equal(loaded, wanted)


BROKEN = {
    "a terabyte": header((10**12,)),
    "beyond 64 bits": header((2**62, 2**62)),
    "negative": header((0, -1)),
    "objects": header((3,), "|O"),
    "no width": header((3,), "<U0"),
    "cut short": header((3,), "<f4", (2, 0)),
    "a header of 4 GB": b"\x93NUMPY\2\0\xff\xff\xff\xff{",
    "a header of parentheses": b"\x93NUMPY\1\0\xff\xff" + b"(" * 70_000,
    "another version": b"\x93NUMPY\3\0\1\0\0\0 ",
    "empty": b"",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_header_that_states_too_much_is_refused_before_anything_is_allocated(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.npy").write_bytes(BROKEN[name])
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", BROKEN[name])
    with pytest.raises(ValueError, match=r"^it |^its "):
        load_npy(tmp_path / "a.npy")
    with NpzFile(tmp_path / "a.npz") as file, pytest.raises(ValueError, match=r"^it |^its "):
        file["a"]


def zeros(path: Path, size: int, name: str = "a.npy", descr: str = "|u1", shape: tuple[int, ...] | None = None) -> Path:
    """A .npz whose member unpacks to `size` bytes of zeros; a thousandth of that."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w", force_zip64=True) as file:
        file.write(header(shape or (size,), descr))
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))
    return path


def test_what_unpacks_to_a_hundred_times_its_size_is_refused(tmp_path: Path) -> None:
    path = zeros(tmp_path / "bomb.npz", GIGABYTE // 4)
    assert path.stat().st_size * UNPACKED_RATIO < GIGABYTE // 4
    with NpzFile(path) as file, pytest.raises(ValueError, match="unpacks to"):
        file["a"]
    small = zeros(tmp_path / "small.npz", UNPACKED_LEAST // 2)
    with NpzFile(small) as file:
        assert file["a"].nbytes == UNPACKED_LEAST // 2
    assert most_unpacked(10 * GIGABYTE) == UNPACKED_RATIO * 10 * GIGABYTE


READERS = {
    "about": "from edge_c2vl.bundle.text_labels import TextLabels; TextLabels.read(path, 3)",
    "format_version": "from edge_c2vl.monitoring.driver_baseline import DriverBaseline; DriverBaseline.load(path)",
    "skeletons": "from edge_c2vl.replay.skeletons import AlertClips; AlertClips(path).recording(0)",
    "about of a part": "from train.extraction.extract import _load; _load(path)",
    "y_train": "from train.datasets.ctr_gcn import open_source; open_source(path, None)",
}


# The peak only grows, so a reader that takes memory fails the ones after it too: the first is the one.
PROGRAM = """
import json, resource, sys
from pathlib import Path
from edge_c2vl.errors import EdgeC2VLError
import edge_c2vl.monitoring.driver_baseline, edge_c2vl.bundle.text_labels, edge_c2vl.replay.skeletons
import train.extraction.extract, train.datasets.ctr_gcn
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = {}
for name, (code, path) in json.loads(sys.argv[1]).items():
    before, refused = peak(), False
    try:
        exec(code, {"path": Path(path)})
    except EdgeC2VLError:
        refused = True
    found[name] = refused, peak() - before
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def bombed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bool, int]]:
    """For each reader, given what unpacks to a quarter of a gigabyte: whether it was an error of ours, and by
    how many kilobytes the peak of memory grew. In one process: importing them takes longer than reading."""
    folder = tmp_path_factory.mktemp("bombs")
    tasks = {
        reader: (code, str(zeros(folder / f"{reader}.npz", GIGABYTE // 4, f"{reader.partition(' ')[0]}.npy")))
        for reader, code in READERS.items()
    }
    command = [sys.executable, "-c", PROGRAM, json.dumps(tasks)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("reader", READERS)
def test_no_reader_takes_a_bombs_memory(bombed: dict[str, tuple[bool, int]], reader: str) -> None:
    refused, kilobytes = bombed[reader]
    assert refused
    assert kilobytes < 200_000


@given(st.data())
@settings(max_examples=150)
def test_junk_is_refused_not_crashed_on(tmp_path: Path, data: st.DataObject) -> None:
    good = io.BytesIO()
    np.savez_compressed(good, a=np.arange(5.0), b=np.array("text"))
    content = bytearray(good.getvalue())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=5)):
        content[at] = data.draw(st.integers(0, 255))
    (tmp_path / "a.npz").write_bytes(content)
    try:
        with NpzFile(tmp_path / "a.npz") as file:
            for name in file.files:
                file[name]
    except (*ERRORS, NotImplementedError):
        pass
