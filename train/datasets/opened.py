"""A data set's own files as an archive, prepared once and kept in the cache: what finetune and eval share."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from dataclasses import asdict
from pathlib import Path

from edge_c2vl.archive import Archive
from edge_c2vl.cache import default_cache
from edge_c2vl.errors import DatasetError
from edge_c2vl.folders import files_below
from train.datasets.prepare import prepare
from train.datasets.source import Options

log = logging.getLogger("edge_c2vl")

# Raised when the same files give other rows than before.
VERSION = 2


def open_dataset(dataset: str, root: Path, options: Options, cache: Path | None = None) -> Archive:
    """The archive of the data set's files in `root`, made now unless it is in the cache and the files are the same.

    Every file counts: a published figure is of all clips. Raises DatasetError where one is broken, naming it, and
    UsageError where the data set has no such level or camera.
    """
    if not root.exists():
        raise DatasetError(f"{root} does not exist: name the folder that holds {dataset}")
    target = (cache or default_cache()) / "archives" / f"{dataset}-{_fingerprint(root, options)}"
    if not target.is_dir():
        report = prepare(dataset, root, target, options=options, workers=options.workers)
        if report.skipped:
            shutil.rmtree(target)
            more = f" (and {len(report.skipped) - 1} more)" if len(report.skipped) > 1 else ""
            raise DatasetError(
                f"{report.skipped[0]}{more}; mend it, or leave it out: edge-c2vl prepare {dataset} {root} ARCHIVE, and "
                "then --archive ARCHIVE"
            )
    archive = Archive.open(target)
    nobody = archive.meta.get("nobody", [])
    if nobody:
        log.warning("%d clips of %s are left out of every figure, the first: %s", len(nobody), root, nobody[0])
    return archive


def _fingerprint(root: Path, options: Options) -> str:
    """Changes with the files, as far as their names, sizes and times tell, and with what is asked of them."""
    about = {name: str(value) for name, value in asdict(options).items() if name not in ("workers", "cache")}
    digest = hashlib.sha256(json.dumps([VERSION, str(root.resolve()), about]).encode())
    files = [root] if root.is_file() else [path for path in files_below(root) if path.is_file()]
    for path in files:
        stat = path.stat()
        digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:24]
