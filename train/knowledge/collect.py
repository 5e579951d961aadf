"""Captions of many samples, resumable: a line a sample is kept on disk as soon as it is there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.utils.atomic import write_file
from edge_c2vl.utils.progress import track


def collect(
    names: Sequence[str],
    make: Callable[[str], list[str]],
    output: Path,
    settings: dict[str, Any],
    workers: int = 1,
    most_failures: int = 20,
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Captions of `names`, by `make` (name -> captions), and what went wrong (name -> why).

    Each goes into `output`.jsonl at once; a line made under other `settings` is not used again. When all are there,
    `output` is written: JSON {name: [captions]}, the layout that C2VL's authors released. A sample that fails is left
    out and named; after `most_failures` in a row the work stops, for then the model is gone.
    """
    lines = output.with_name(output.name + ".jsonl")
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    done = _read(lines, key)
    left = [name for name in names if name not in done]
    failed: dict[str, str] = {}
    in_a_row = 0
    output.parent.mkdir(parents=True, exist_ok=True)
    with lines.open("a", encoding="utf-8") as file, ThreadPoolExecutor(workers) as pool:
        try:
            for name, result in track(_in_flight(pool, make, left, workers * 2), "captioning", len(left)):
                if isinstance(result, EdgeC2VLError):
                    failed[name] = str(result)
                    in_a_row += 1
                    if in_a_row >= most_failures:
                        raise EdgeC2VLError(
                            f"{in_a_row} samples in a row could not be captioned, the last: {result}; what is there is "
                            f"kept in {lines}: mend it and run the same command again"
                        )
                    continue
                in_a_row = 0
                done[name] = result
                file.write(json.dumps({"name": name, "captions": result, "key": key}, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    captions = {name: done[name] for name in names if name in done}
    if captions:
        write_file(output, json.dumps(captions, ensure_ascii=False, indent=1) + "\n")
    return captions, failed


def _in_flight(
    pool: ThreadPoolExecutor, make: Callable[[str], list[str]], names: Sequence[str], most: int
) -> Iterator[tuple[str, list[str] | EdgeC2VLError]]:
    """(name, captions or why not) as they come; at most `most` wait, or their pictures would fill the memory."""
    waiting: dict[Future[list[str]], str] = {}
    rest = iter(names)
    while True:
        for name in rest:
            waiting[pool.submit(make, name)] = name
            if len(waiting) >= most:
                break
        if not waiting:
            return
        for future in wait(waiting, return_when=FIRST_COMPLETED).done:
            name = waiting.pop(future)
            try:
                yield name, future.result()
            except EdgeC2VLError as error:
                yield name, error


def _read(lines: Path, key: str) -> dict[str, list[str]]:
    """What an earlier run kept. A last line that a crash cut off is dropped; any other broken one is an error."""
    if not lines.exists():
        return {}
    text = lines.read_bytes()
    whole, _, rest = text.rpartition(b"\n")
    if rest:
        with lines.open("r+b") as file:
            file.truncate(len(whole) + 1 if whole else 0)
    done = {}
    for number, line in enumerate(whole.decode("utf-8", "replace").splitlines(), 1):
        try:
            entry = json.loads(line)
            if entry["key"] == key:
                done[entry["name"]] = entry["captions"]
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"line {number} of {lines} is not a caption: remove that line, or the file") from None
    return done
