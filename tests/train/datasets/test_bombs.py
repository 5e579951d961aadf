"""Small files that ask for much: refused in one line, within bounded memory and time."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import lzma
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.errors import DatasetError
from tests.support.datasets import pyskl, sktdd
from train.datasets import packed
from train.datasets.packed import unpacked
from train.datasets.prepare import prepare
from train.datasets.safe_pickle import load
from train.datasets.utd_mhad import read_joints

InAProcess = Callable[[str, Path], tuple[str, int]]
MEGABYTE = 1 << 20
EIGHT_GIGABYTES = struct.pack("<Q", 8 << 30)

# Each asks for 8 GB or more, or for time without end, in a few bytes.
PICKLES = {
    "BINBYTES8": b"\x80\x04\x8e" + EIGHT_GIGABYTES + b"x.",
    "BINUNICODE8": b"\x80\x04\x8d" + EIGHT_GIGABYTES + b"x.",
    "BYTEARRAY8": b"\x80\x05\x96" + EIGHT_GIGABYTES + b"x.",
    "FRAME": b"\x80\x04\x95" + EIGHT_GIGABYTES + b"x.",
    "BINBYTES": b"\x80\x03B\xff\xff\xff\xffx.",
    "LONG4": b"\x80\x02\x8b\xff\xff\xff\x7fx.",
    "LONG_BINPUT": b"\x80\x02]r\xff\xff\xff\xff0.",
    "PUT": b"]p99999999999\n0.",
    # ((((), ()), ((), ())), ...) as a key: its hash, and as a name its text, take 2 ** 60 steps.
    "a key's hash": b"\x80\x04}" + b")" + b"q\0h\0\x86" * 60 + b"Ns.",
    "a set's hash": b"\x80\x04\x8f()" + b"q\0h\0\x86" * 60 + b"\x90.",
    "a frozenset's hash": b"\x80\x04()" + b"q\0h\0\x86" * 60 + b"\x91.",
    "an array's type": b"\x80\x02cnumpy\ndtype\n)" + b"q\0h\0\x86" * 60 + b"\x85R.",
}


# A process of its own for each file, forked from one that has imported what they need: that takes longer than to
# refuse.
SERVER = """
import json, os, re, sys
from pathlib import Path
from edge_c2vl.errors import DatasetError
from train.datasets.prepare import prepare
from train.datasets.safe_pickle import load
from train.datasets.utd_mhad import read
import pandas, pyarrow.parquet, scipy.io

def now():
    text = Path("/proc/self/status").read_text()
    return [int(re.search(name + r":\\s+(\\d+)", text)[1]) // 1024 for name in ("VmPeak", "VmHWM")]

for line in sys.stdin:
    statement, path, target = json.loads(line)
    if os.fork() == 0:
        before, said = now(), "read"
        try:
            exec(statement, globals() | {"path": Path(path), "target": Path(target)})
        except DatasetError as error:
            said = str(error).replace(path, "it")[:300]
        print(json.dumps([said, max(b - a for a, b in zip(before, now()))]), flush=True)
        os._exit(0)
    if status := os.wait()[1]:
        print(json.dumps([f"its process ended with {status}", 0]), flush=True)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen[str]]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", SERVER], text=True, start_new_session=True, **pipes)
    yield process
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def in_a_process(server: subprocess.Popen[str], tmp_path: Path) -> InAProcess:
    """What a statement about `path` says, and by how many MB it raised the process's memory and address space."""

    def run(statement: str, path: Path) -> tuple[str, int]:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps([statement, str(path), str(tmp_path / "target")]) + "\n")
        server.stdin.flush()
        assert select.select([server.stdout], [], [], 60)[0], f"{statement} hangs"
        said, megabytes = json.loads(server.stdout.readline())
        return said, megabytes

    return run


@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_asks_for_no_more_than_it_brings(tmp_path: Path, in_a_process: InAProcess, name: str) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(PICKLES[name])
    said, megabytes = in_a_process("load(path)", path)
    assert said.startswith("it") or name in ("LONG_BINPUT", "PUT")  # which ask for nothing any more
    assert megabytes < 100


def doubled(value: bytes) -> bytes:
    """A tuple of tuples whose text would have 2 ** 60 letters."""
    return value + b"q\0h\0\x86" * 60


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word)) + word.encode()


@pytest.mark.parametrize(
    "annotation",
    [
        {"frame_dir": doubled(b")"), "label": b"K\0"},
        {"frame_dir": text("x"), "label": doubled(b")")},
        {"frame_dir": text("x"), "label": b"K\0", "keypoint": doubled(b")")},
    ],
    ids=["name", "label", "keypoint"],
)
def test_a_small_pyskl_file_does_not_hang(
    tmp_path: Path, in_a_process: InAProcess, annotation: dict[str, bytes]
) -> None:
    entry = b"}(" + b"".join(text(key) + value for key, value in annotation.items()) + b"u"
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x02}(" + text("annotations") + b"](" + entry + b"e" + text("split") + b"}u.")
    assert path.stat().st_size < 926
    said, _ = in_a_process("prepare('pyskl', path, target)", path)
    assert said.startswith("it is no pyskl file")


def test_a_pyskl_file_that_names_one_array_again_and_again_is_refused(tmp_path: Path) -> None:
    values = pyskl.annotations()
    values["annotations"] = [values["annotations"][0] | {"frame_dir": str(number)} for number in range(40_000)]
    values["annotations"][0]["keypoint"] = np.ones((1, 400, 25, 3), np.float32)
    for entry in values["annotations"]:
        entry["keypoint"] = values["annotations"][0]["keypoint"]
    with pytest.raises(DatasetError, match="would unpack to more"):
        prepare("pyskl", pyskl.dump(tmp_path / "x.pkl", values), tmp_path / "a")


@settings(max_examples=100)
@given(st.binary(max_size=60), st.integers(0, 5))
def test_any_opcodes_end_in_a_value_or_in_an_error_of_ours(tmp_path: Path, program: bytes, protocol: int) -> None:
    """Property: whatever is executed, nothing else comes out, and no length is believed."""
    (tmp_path / "x.pkl").write_bytes(pickle.PROTO + bytes([protocol]) + program + b".")
    with contextlib.suppress(DatasetError):
        load(tmp_path / "x.pkl")


# MATLAB


def matlab(points: object, compressed: bool) -> bytes:
    from scipy.io import savemat

    file = io.BytesIO()
    savemat(file, {"d_skel": points}, do_compression=compressed)
    return file.getvalue()


def repacked(content: bytes) -> bytes:
    return content[:128] + struct.pack("<II", 15, len(zlib.compress(content[128:]))) + zlib.compress(content[128:])


@settings(max_examples=30)
@given(st.integers(1, 40), st.booleans(), st.sampled_from([np.float64, np.float32, np.int16, np.uint8]))
def test_matlab_files_come_back(tmp_path: Path, frames: int, compressed: bool, kind: type) -> None:
    points = np.random.default_rng(frames).integers(0, 100, (20, 3, frames)).astype(kind)
    (tmp_path / "a.mat").write_bytes(matlab(points, compressed))
    np.testing.assert_array_equal(read_joints(tmp_path / "a.mat"), points)


MATLAB: dict[str, Callable[[], bytes]] = {
    "128 MB of zeros": lambda: repacked(matlab(np.zeros((20, 3, 1)), False)[:128] + bytes(128 * MEGABYTE)),
    "a length of 4 GB": lambda: _patched(-20 * 3 * 8 - 4, 0xFFFFFFF0),
    "a shape of 10 ** 12": lambda: _patched(168, 0x7FFFFFFF),  # the third side, behind header, tags and flags,
}


def _patched(at: int, value: int) -> bytes:
    content = bytearray(matlab(np.ones((20, 3, 1)), False))
    struct.pack_into("<I", content, at % len(content), value)
    return repacked(bytes(content))


@pytest.mark.parametrize("name", MATLAB)
def test_a_matlab_file_asks_for_no_more_than_it_brings(tmp_path: Path, in_a_process: InAProcess, name: str) -> None:
    path = tmp_path / "a1_s1_t1_skeleton.mat"
    path.write_bytes(MATLAB[name]())
    said, megabytes = in_a_process("read(path)", path)
    assert "cannot be read" in said
    assert megabytes < 300


# .tar.* and .zip


def tar(size: int, pack: Callable[[bytes], bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("zeros.csv")
        info.size = size
        archive.addfile(info, io.BytesIO(bytes(size)))
    return pack(file.getvalue())


def long_header(size: int) -> bytes:
    """A .tar.gz whose extended header states, and has, `size` bytes, which tarfile reads at once."""
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, size
    return gzip.compress(info.tobuf() + bytes(size), 1)


def many(count: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for number in range(count):
            archive.addfile(tarfile.TarInfo(str(number)))
    return lzma.compress(file.getvalue(), preset=0)


def zipped(size: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.csv", bytes(size))
    return file.getvalue()


PACKED = {
    "a.tar.xz": lambda: tar(100 * MEGABYTE, lambda data: lzma.compress(data, preset=0)),
    "b.tar.gz": lambda: tar(100 * MEGABYTE, lambda data: gzip.compress(data, 1)),
    "long.tar.gz": lambda: long_header(100 * MEGABYTE),
    "many.tar.xz": lambda: many(1100),
    "c.zip": lambda: zipped(100 * MEGABYTE),
}


@pytest.mark.parametrize("name", PACKED)
def test_what_unpacks_to_a_hundred_times_its_size_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # As if a small file took 64 kB on disk: at 4 kB it takes 17,000 of them, and seconds.
    monkeypatch.setattr(packed, "_LEAST", 1 << 16)
    (tmp_path / name).write_bytes(PACKED[name]())
    with pytest.raises(DatasetError, match="cannot be unpacked"), unpacked(tmp_path / name, tmp_path / "beside"):
        pass
    assert list((tmp_path / "beside").iterdir()) == []


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_an_honest_tar_is_unpacked(tmp_path: Path, mode: str) -> None:
    (tmp_path / "in" / "below").mkdir(parents=True)
    (tmp_path / "in" / "below" / "a.txt").write_text("a" * 1000)
    (tmp_path / "in" / "b.txt").write_text("b")
    with tarfile.open(tmp_path / "x.tar", mode) as archive:  # type: ignore[call-overload]
        archive.add(tmp_path / "in", "in")
    with unpacked(tmp_path / "x.tar", tmp_path) as folder:
        assert (folder / "in" / "below" / "a.txt").read_text() == "a" * 1000
        assert (folder / "in" / "b.txt").read_text() == "b"


def test_a_far_frame_number_in_a_small_file_makes_no_huge_array(tmp_path: Path) -> None:
    sktdd.write(tmp_path / "training/trajectories/001-01/00001.csv", [sktdd.row(0, 0, (9, 9))])
    sktdd.write(tmp_path / "training/trajectories/001-02/00001.csv", [sktdd.row(900_000, 0, (9, 9))])
    report = prepare("sktdd", tmp_path, tmp_path / "a")
    assert "is that number right?" in report.skipped[0]
    assert report.clips == 1
