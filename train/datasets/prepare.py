"""Runs a data set's files through worker processes into a skeleton archive; broken ones are listed and skipped."""

from __future__ import annotations

import importlib
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from itertools import chain, islice
from multiprocessing import active_children
from pathlib import Path
from typing import Any

from edge_c2vl.archive import ArchiveWriter
from edge_c2vl.errors import DatasetError, UsageError
from edge_c2vl.progress import track
from edge_c2vl.skeleton import clean
from train.datasets import DATASETS
from train.datasets.packed import unpacked
from train.datasets.source import LeftOut, NobodyError, Options, Recording, Source
from train.processes import make_pool
from train.workers import end_with_parent


@dataclass(frozen=True)
class Report:
    """How it went: clips and frames written, each broken file or label row with the reason, how many samples were left
    out because they are known to be unusable, and each clip in which nobody is ever seen. unknown: names that the user
    wants left out and that are not in the data set."""

    clips: int
    frames: int
    skipped: list[str] = field(default_factory=list)
    left_out: int = 0
    nobody: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


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

    Broken files and label rows are skipped and reported; with strict=True the first one raises DatasetError. Clips in
    which nobody is ever seen are left out and reported. Memory stays the same however large the data set is. Raises
    UsageError for a data set there is no reader of.
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
            left_out: dict[str, list[str]] = {"broken": [], "nobody": [], "listed": []}
            read = chain([found.left_out], track(_read_all(found, workers), f"preparing {dataset}", found.count))
            for rows in read:
                for left in _append(writer, rows):
                    if strict and left.kind == "broken":
                        raise DatasetError(f"{left.what} (without --strict it is skipped)")
                    left_out[left.kind].append(left.what)
            skipped, nobody, listed = left_out["broken"], left_out["nobody"], left_out["listed"]
            if (skipped or nobody) and not len(writer):
                raise DatasetError(f"nothing could be read in {source}; the first error: {(skipped + nobody)[0]}")
            writer.meta |= {"skipped": skipped, "nobody": nobody}
            unknown = sorted(found.listed - set(listed))
            return Report(len(writer), writer.frame_count, skipped, len(listed), nobody, unknown)


def _append(writer: ArchiveWriter, rows: Sequence[Recording | LeftOut]) -> list[LeftOut]:
    """Writes an item's rows; what gets none: what the item says of itself, a clip that shows nobody, one of a name that
    was there before."""
    left_out = []
    for row in rows:
        if isinstance(row, LeftOut):
            left_out.append(row)
            continue
        values = {field.name: getattr(row, field.name) for field in fields(row)}
        try:
            if not (clean(row.sequence)[..., 3] > 0).any():
                left_out.append(LeftOut(f"{row.name} shows nobody", "nobody"))
                continue
            writer.append(**values.pop("columns"), **values)
        except ValueError as error:
            left_out.append(LeftOut(str(error)))
    return left_out


def _read_all(source: Source, workers: int) -> Iterator[Sequence[Recording | LeftOut]]:
    """The items' rows in order; in place of a broken item's why it is broken."""
    read = _Reader(source.read)
    if source.in_process or workers <= 1:
        yield from map(read, source.items)
    else:
        yield from _ordered_map(read, source.items, workers)


class _Reader:
    """Turns a DatasetError into what was left out, so that it comes back from a worker like any result."""

    def __init__(self, read: Callable[[Any], Sequence[Recording | LeftOut]]) -> None:
        self._read = read

    def __call__(self, item: Any) -> Sequence[Recording | LeftOut]:
        try:
            return self._read(item)
        except NobodyError as error:
            return [LeftOut(str(error), "nobody")]
        except DatasetError as error:
            return [LeftOut(str(error))]


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
