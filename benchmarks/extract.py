"""How much faster extract is with more processes, and how many cores one of them keeps busy by itself.

python benchmarks/extract.py VIDEO [COPIES [WORKERS ...]]

`cores` is CPU time over wall time. MediaPipe and the decoder have threads of their own in every process; what they cost
one another shows in `cpu_ms_a_frame`. The last line says how many threads of one process are runnable at a time
(Linux), over the moments at which any is: its mean is the most cores that one process can use.
"""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

CLI = Path(__file__).resolve().parent.parent / "cli.py"


def children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(folder: Path, workers: int) -> dict[str, float]:
    target = folder.parent / f"archive{workers}"
    before, started = children_cpu_s(), time.monotonic()
    command = [sys.executable, str(CLI), "extract", str(folder), str(target), "--workers", str(workers), "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    wall_s, cpu_s = time.monotonic() - started, children_cpu_s() - before
    frames = json.loads(done.stdout)["frames"]
    return {
        "workers": workers,
        "frames": frames,
        "wall_s": round(wall_s, 2),
        "cpu_s": round(cpu_s, 2),
        "cores": round(cpu_s / wall_s, 2),
        "frames_a_second": round(frames / wall_s, 1),
        "cpu_ms_a_frame": round(1000 * cpu_s / frames, 1),
    }


READ = """
import sys, cv2
from train.extraction.video import ExtractSettings, read_video
cv2.setNumThreads(1)  # as in a worker
for _ in range(5):
    read_video(sys.argv[1], ExtractSettings(), lambda share: None)
    print(flush=True)
"""


def runnable_threads(video: Path) -> dict[str, float]:
    """Samples the states of a process's threads while it reads a video four times."""
    child = subprocess.Popen([sys.executable, "-c", READ, str(video)], stdout=subprocess.PIPE, cwd=CLI.parent)
    assert child.stdout is not None
    child.stdout.readline()  # imports and the first start do not count
    counts: Counter[int] = Counter()
    while child.poll() is None:
        running = 0
        for stat in Path(f"/proc/{child.pid}/task").glob("*/stat"):
            with contextlib.suppress(OSError):  # the thread has ended meanwhile
                running += stat.read_text().rpartition(")")[2].split()[0] == "R"
        counts[running] += 1
        time.sleep(0.001)
    busy = sum(count for threads, count in counts.items() if threads)
    shares = {f"{threads}_runnable": round(count / busy, 3) for threads, count in sorted(counts.items()) if threads}
    return shares | {"mean_runnable": round(sum(threads * count for threads, count in counts.items()) / busy, 2)}


def main() -> None:
    video, copies = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 8
    counts = [int(count) for count in sys.argv[3:]] or [1, 2]
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "videos"
        folder.mkdir()
        for number in range(copies):
            shutil.copy(video, folder / f"{number}{video.suffix}")
        rows = [measure(folder, workers) for workers in counts]
    for row in rows:
        print(json.dumps(row | {"speed_up": round(rows[0]["wall_s"] / row["wall_s"], 2)}))
    print(json.dumps(runnable_threads(video)))


if __name__ == "__main__":
    main()
