"""What memory evaluating an archive takes, by its number of clips: a bundle's logits for every one of them.

python benchmarks/eval_memory.py BUNDLE [CLIPS ...]

`table_mb` is what opening the archive adds (the table of clips), `reading_mb` what all the clips then add, at most.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.windows import whole_clips
from train.evaluation.models import BundleModel
from train.evaluation.predictions import through

FRAMES = 20


def write(path: Path, clips: int, part: str = "test") -> None:
    """A made-up archive: the same random walk over and over, all of it in that part of the column "xsub"."""
    numbers = np.random.default_rng(0)
    walk = numbers.normal(size=(FRAMES, 25, 4)).cumsum(axis=0).astype(np.float32)
    walk[..., 3] = 1
    with ArchiveWriter(path, labels=["x"] * 120, source="", licence="", source_layout="ntu25") as writer:
        for index in range(clips):
            writer.append(f"S{index:06d}", walk, 30, index % 120, f"P{index % 106}", "C001", f"g{index}", xsub=part)


def now_mb() -> float:
    """This process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def evaluate(path: Path, bundle: str) -> dict[str, float]:
    with BundleModel(bundle, "onnxruntime:cpu", "fp32") as model:
        model.logits(np.zeros((64, 3, model.spec.frames, 25), np.float32))
        import pandas  # noqa: F401
        import pyarrow.parquet  # noqa: F401

        before = now_mb()
        archive = Archive.open(path)
        windows = whole_clips(archive)
        opened = now_mb()
        started = time.process_time()
        logits = through(model.logits, archive, windows, model.spec, "clips")
        cpu_s = time.process_time() - started
    answers_mb = logits.nbytes / 2**20
    return {
        "clips": len(archive),
        "archive_mb": round(archive.frames.nbytes / 2**20, 1),
        "table_mb": round(opened - before, 1),
        "reading_mb": round(peak_mb() - opened, 1),
        "of_which_answers_mb": round(answers_mb, 1),
        "ms_a_clip": round(1000 * cpu_s / len(archive), 3),
    }


def main() -> None:
    if sys.argv[1:2] == ["child"]:
        print(json.dumps(evaluate(Path(sys.argv[2]), sys.argv[3])))
        return
    bundle, counts = sys.argv[1], [int(count) for count in sys.argv[2:]] or [10_000, 100_000]
    for count in counts:
        with tempfile.TemporaryDirectory(dir=".") as folder:
            path = Path(folder) / "archive"
            write(path, count)
            print(subprocess.check_output([sys.executable, __file__, "child", str(path), bundle], text=True).strip())


if __name__ == "__main__":
    main()
