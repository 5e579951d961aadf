"""How long an archive of 100,000 clips takes to write, to open and to index, and what memory it holds.

python benchmarks/archive_size.py [CLIPS]
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

FRAMES = 20


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write(path: Path, clips: int) -> dict[str, float]:
    sequence = np.random.default_rng(0).normal(size=(FRAMES, 25, 4)).astype(np.float32)
    sequence[..., 3] = 1
    before, started = peak_mb(), time.process_time()
    with ArchiveWriter(path, labels=["x"] * 120, source="", licence="", source_layout="ntu25") as writer:
        for index in range(clips):
            writer.append(
                f"S{index:06d}", sequence, 30, index % 120, f"P{index % 106}", "C001", f"g{index}", xsub="train"
            )
        table_mb = peak_mb() - before
    return {"write_cpu_s": time.process_time() - started, "write_table_mb": table_mb}


def read(path: Path, clips: int) -> dict[str, float]:
    Archive.open(path)  # pandas and Arrow are imported by now
    started = time.process_time()
    archive = Archive.open(path)
    opened = time.process_time() - started
    chosen = np.random.default_rng(0).integers(clips, size=10_000)
    started = time.perf_counter()
    for index in chosen:
        archive.sequence(index)[0, 0, 0].item()
    return {"open_cpu_s": opened, "clip_us": (time.perf_counter() - started) / len(chosen) * 1e6}


def main() -> None:
    if sys.argv[1:2] == ["child"]:
        step, path, clips = sys.argv[2:]
        print(json.dumps({"write": write, "read": read}[step](Path(path), int(clips))))
        return
    clips = sys.argv[1] if len(sys.argv) > 1 else "100000"
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = str(Path(folder) / "archive")
        # A process each, so that what one has in memory does not count for the other.
        results = [
            json.loads(subprocess.check_output([sys.executable, __file__, "child", step, path, clips], text=True))
            for step in ("write", "read")
        ]
    print(json.dumps({"clips": int(clips)} | results[0] | results[1], indent=1))


if __name__ == "__main__":
    main()
