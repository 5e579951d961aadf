"""NumPy's .npy and .npz from outside: what is allocated is bounded by what the file holds, not by what it states.

A header may state a shape of terabytes, and a compressed member of 3 MB may unpack to 4 GB. So a member may unpack to
UNPACKED_RATIO times its file's size, small files to UNPACKED_LEAST bytes, and an array is made only when its bytes are
there. No pickle is ever read.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

# Padded skeletons and one-hot labels shrink to a fiftieth at most; zeros alone to a thousandth.
UNPACKED_RATIO = 100
UNPACKED_LEAST = 64 << 20
# What reading a damaged file ends in, in a reader of .npy or .npz.
ERRORS = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, OverflowError, MemoryError),
    *(zipfile.BadZipFile, zlib.error),
)
_LONGEST_HEADER = 10_000  # bytes; NumPy's own limit


def most_unpacked(size: int) -> int:
    """How many bytes a file of `size` bytes may unpack to."""
    return max(UNPACKED_LEAST, UNPACKED_RATIO * size)


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """(shape, Fortran order, dtype) at the beginning of a .npy; the file then stands at the data. Raises ValueError."""
    magic = file.read(8)
    if magic[:6] != b"\x93NUMPY" or magic[6:] not in (b"\1\0", b"\2\0"):
        raise ValueError("it is no .npy of version 1 or 2")
    stated = file.read(2 if magic[6] == 1 else 4)
    length = int.from_bytes(stated, "little")
    if length > _LONGEST_HEADER:
        raise ValueError(f"its header has {length} bytes")
    header = io.BytesIO(stated + file.read(length))
    read = np.lib.format.read_array_header_1_0 if magic[6] == 1 else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(header)
    if dtype.hasobject or dtype.names or dtype.itemsize == 0:
        raise ValueError(f"it holds {dtype}, and may hold plain numbers and words only")
    if any(side < 0 for side in shape):
        raise ValueError(f"it states the shape {shape}")
    return shape, fortran, dtype


def read_array(file: IO[bytes], most: int) -> NDArray[Any]:
    """The array in a .npy of at most `most` bytes. Raises ValueError where its bytes are not all there."""
    shape, fortran, dtype = read_header(file)
    size = math.prod(shape) * dtype.itemsize
    if size > most:
        raise ValueError(f"it states the shape {shape} of {dtype}, {size} bytes, where at most {most} can be")
    data = bytearray(size)
    view, filled = memoryview(data), 0
    while filled < size and (count := file.readinto(view[filled:])):  # type: ignore[attr-defined]
        filled += count
    if filled < size:
        raise ValueError(f"it states {size} bytes and holds {filled}")
    array: NDArray[Any] = np.frombuffer(data, dtype)
    return array.reshape(shape, order="F" if fortran else "C")


def load_npy(path: Path) -> NDArray[Any]:
    """A .npy's array, in memory. Raises ERRORS."""
    with path.open("rb") as file:
        return read_array(file, path.stat().st_size)


class NpzFile:
    """A .npz: `file[name]` reads that array. A context manager, in np.load's place. Raises ERRORS."""

    def __init__(self, path: str | Path) -> None:
        self._most = most_unpacked(Path(path).stat().st_size)
        self._archive = zipfile.ZipFile(path)
        self.files = [name.removesuffix(".npy") for name in self._archive.namelist()]

    def open(self, name: str) -> tuple[IO[bytes], int]:
        """The member's .npy as a stream, and how many bytes it unpacks to. Raises KeyError, ValueError."""
        info = self._archive.getinfo(f"{name}.npy")
        if info.file_size > self._most:
            raise ValueError(f"{name} unpacks to {info.file_size} bytes, where at most {self._most} are admitted")
        return self._archive.open(info), info.file_size

    def __getitem__(self, name: str) -> NDArray[Any]:
        stream, size = self.open(name)
        with stream:
            return read_array(stream, size)

    def __enter__(self) -> NpzFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()
