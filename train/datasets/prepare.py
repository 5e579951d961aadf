"""Runs a data set's files through worker processes into a skeleton archive; broken ones are listed and skipped."""

from __future__ import annotations

import importlib
import signal
import tarfile
import tempfile
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from itertools import islice
from multiprocessing import active_children
from pathlib import Path
from typing import Any

from edge_c2vl.archive import ArchiveWriter
from edge_c2vl.errors import DatasetError, UsageError
from edge_c2vl.progress import track
from train.datasets import DATASETS
from train.datasets.source import Options, Recording, Source
from train.processes import make_pool
from train.workers import end_with_parent


@dataclass(frozen=True)
class Report:
    """How it went: clips and frames written, each broken item with the reason, and how many samples were left out
    because they are known to be unusable."""

    clips: int
    frames: int
    skipped: list[str] = field(default_factory=list)
    left_out: int = 0


def prepare(
    dataset: str,
    source: Path,
    target: Path,
    *,
    options: Options | None = None,
    strict: bool = False,
    workers: int = 1,
    overwrite: bool = False,
) -> Report:
    """Writes the archive `target` from the data set's own files in `source` (a folder, or a .tar.* or .zip of it).

    Broken files are skipped and reported; with strict=True the first one raises DatasetError. Memory stays the same
    however large the data set is. Raises UsageError for a data set there is no reader of.
    """
    if dataset not in DATASETS:
        raise UsageError(f"no data set {dataset}: there are {', '.join(sorted(DATASETS))}")
    if not source.exists():
        raise DatasetError(f"{source} does not exist: name the folder or file that holds {dataset}")
    module, function = DATASETS[dataset].split(":")
    open_source = getattr(importlib.import_module(module), function)
    with unpacked(source, target.parent) as folder:
        found: Source = open_source(folder, options or Options())
        with ArchiveWriter(
            target,
            labels=found.labels,
            source=found.source,
            licence=found.licence,
            source_layout=found.source_layout,
            dimensions=found.dimensions,
            overwrite=overwrite,
        ) as writer:
            skipped = []
            results = _read_all(found, workers)
            for result in track(results, f"preparing {dataset}", found.count):
                problem = result if isinstance(result, str) else _append(writer, result)
                if problem and strict:
                    raise DatasetError(f"{problem} (without --strict it is skipped)")
                skipped += [problem] if problem else []
            if skipped and not len(writer):
                raise DatasetError(f"nothing could be read in {source}; the first error: {skipped[0]}")
            writer.meta["skipped"] = skipped
            return Report(len(writer), writer.frame_count, skipped, found.left_out)


def _append(writer: ArchiveWriter, rows: list[Recording]) -> str:
    """Writes an item's rows; what is wrong with one (a name that was there before), or nothing."""
    try:
        for row in rows:
            values = {field.name: getattr(row, field.name) for field in fields(row)}
            writer.append(**values.pop("columns"), **values)
    except ValueError as error:
        return str(error)
    return ""


def _read_all(source: Source, workers: int) -> Iterator[list[Recording] | str]:
    """The items' rows in order; for a broken item why it is broken."""
    read = _Reader(source.read)
    if source.in_process or workers <= 1:
        yield from map(read, source.items)
    else:
        yield from _ordered_map(read, source.items, workers)


class _Reader:
    """Turns a DatasetError into its message, so that it comes back from a worker like any result."""

    def __init__(self, read: Callable[[Any], list[Recording]]) -> None:
        self._read = read

    def __call__(self, item: Any) -> list[Recording] | str:
        try:
            return self._read(item)
        except DatasetError as error:
            return str(error)


def _ordered_map(function: Callable[[Any], Any], items: Iterable[Any], workers: int) -> Iterator[Any]:
    """map() over processes. At most 4 items a worker are under way, so that results never pile up in memory."""
    with make_pool(workers, end_with_parent) as pool:

        def submit(item: Any) -> Future[Any]:
            with _signals_blocked():
                return pool.submit(function, item)

        remaining = iter(items)
        try:
            queue = deque(submit(item) for item in islice(remaining, 4 * workers))
            while queue:
                result = queue.popleft().result()
                queue.extend(submit(item) for item in islice(remaining, 1))
                yield result
        except BrokenProcessPool:
            for child in active_children():
                child.kill()
            raise DatasetError(
                "a worker was killed, most likely for want of memory: run with fewer --workers"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """A process started meanwhile keeps them blocked. Ctrl-C, and many a SIGTERM, reach every process: the parent alone
    answers them, and ends its workers; one that died while it hands over a result would leave it waiting for ever."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def unpacked(source: Path, beside: Path) -> Iterator[Path]:
    """The folder itself, or what a .tar.* or .zip holds, unpacked for the time being into a folder in `beside`."""
    is_zip = source.is_file() and source.suffix == ".zip"
    if not is_zip and not (source.is_file() and tarfile.is_tarfile(source)):
        yield source
        return
    beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacked.", dir=beside) as folder:
        try:
            if is_zip:
                with zipfile.ZipFile(source) as archive:
                    archive.extractall(folder)  # drops absolute and climbing parts of names
            else:
                with tarfile.open(source) as archive:
                    # "data" refuses links and paths that lead out of the folder, devices, and foreign permissions.
                    archive.extractall(folder, filter="data")
        except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
            raise DatasetError(f"{source} cannot be unpacked: {error}; download it again") from None
        yield Path(folder)
