"""A data set in one file: unpacks a .tar.* or .zip for the time being, as far as it may grow."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from edge_c2vl.errors import DatasetError
from edge_c2vl.utils.arrays import ERRORS, most_unpacked

_PACKERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_PACKERS[b"]\0\0"] = lzma.open  # .lzma
_LEAST = 4096  # bytes that a file takes on disk, however small
_BROKEN = (*ERRORS, tarfile.TarError, lzma.LZMAError)


@contextmanager
def unpacked(source: Path, beside: Path) -> Iterator[Path]:
    """The folder itself, or what a .tar.* or .zip holds, unpacked for the time being into a folder in `beside`. It may
    grow as `most_unpacked` says. Raises DatasetError."""
    is_zip = source.is_file() and source.suffix == ".zip"
    if not is_zip and not (source.is_file() and _is_tar(source)):
        yield source
        return
    beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacked.", dir=beside) as folder:
        try:
            (_unzip if is_zip else _untar)(source, Path(folder), most_unpacked(source.stat().st_size))
        except _BROKEN as error:
            reason = f"{type(error).__name__}: {error}"
            raise DatasetError(f"{source} cannot be unpacked ({reason}): download it again") from None
        yield Path(folder)


def _unzip(source: Path, folder: Path, most: int) -> None:
    with zipfile.ZipFile(source) as archive:
        # A member that unpacks to more than it states is an error of zipfile's own.
        size = sum(_LEAST + info.file_size for info in archive.infolist())
        if size > most:
            raise ValueError(f"it would unpack to {size} bytes, where at most {most} are admitted")
        archive.extractall(folder)  # drops absolute and climbing parts of names


def _is_tar(source: Path) -> bool:
    """By its first block, of which tarfile would read as much as it states."""
    try:
        with _open(source) as stream:
            tarfile.TarInfo.frombuf(stream.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
    except _BROKEN:
        return False
    return True


def _untar(source: Path, folder: Path, most: int) -> None:
    with _open(source) as stream, tarfile.open(fileobj=_Bounded(stream, most), mode="r:") as archive:
        size = 0
        for member in archive:
            size += _LEAST + member.size
            if size > most:
                raise ValueError(f"it would unpack to more than {most} bytes")
            # "data" refuses links and paths that lead out of the folder, devices, and foreign permissions.
            archive.extract(member, folder, filter="data")


def _open(source: Path) -> IO[bytes]:
    with source.open("rb") as file:
        start = file.read(8)
    opener = next((packer for mark, packer in _PACKERS.items() if start.startswith(mark)), open)
    stream: IO[bytes] = opener(source, "rb")
    return stream


class _Bounded(io.BufferedIOBase):
    """A stream of which no more than `most` bytes are asked for at once: a header may state any length."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self._stream, self._most = stream, most

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= self._most:
            raise ValueError(f"it states a part of {size} bytes, where at most {self._most} are admitted")
        return self._stream.read(size)
