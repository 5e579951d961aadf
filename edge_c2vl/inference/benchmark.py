"""What each stage costs on this machine. Every measurement runs in a process of its own.

Several inference sessions in one process stall each other by two to three times (thread pools spin against each other),
and memory can only be told apart by process.

`cpu_latency` measures every precision of a bundle on this CPU, in turns.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.device.cpu_cores import load_onnxruntime
from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.utils.own_process import in_own_process, peak_rss_mb


def measure_encoder(bundle: str, backend: str, precision: str, threads: int, batch: int, times: int) -> dict[str, Any]:
    """Latency of one inference of `batch` clips."""
    from edge_c2vl.bundle.bundle import Bundle
    from edge_c2vl.inference.select import open_backend

    with open_backend(Bundle.open(bundle), backend, precision, threads) as engine:
        clips = np.random.default_rng(0).normal(size=(batch, *engine.clip_shape)).astype(np.float32)
        for _ in range(max(5, times // 10)):
            engine.infer(clips)
        taken_ms = []
        for _ in range(times):
            started = time.perf_counter()
            engine.infer(clips)
            taken_ms.append((time.perf_counter() - started) * 1e3)
        p50, p95, p99 = np.percentile(taken_ms, (50, 95, 99))
        return {
            "backend": engine.name,
            "precision": engine.precision,
            "threads": threads,
            "batch": batch,
            "p50_ms": round(float(p50), 3),
            "p95_ms": round(float(p95), 3),
            "p99_ms": round(float(p99), 3),
            "peak_rss_mb": peak_rss_mb(),
        }


def bench_encoder(bundle: str, backends: list[str], threads: int, batch: int, times: int = 200) -> list[dict[str, Any]]:
    """A row for each backend and precision; one that does not open has its reason under `unavailable`."""
    from edge_c2vl.bundle.bundle import PRECISIONS

    rows = []
    for backend in backends:
        for precision in PRECISIONS:
            try:
                rows.append(in_own_process(measure_encoder, bundle, backend, precision, threads, batch, times))
            except EdgeC2VLError as error:
                rows.append({"backend": backend, "precision": precision, "unavailable": str(error)})
    return rows


def cpu_latency(bundle: Bundle, threads: int = 1, times: int = 100, rounds: int = 3) -> dict[str, Any]:
    """{"threads": .., "onnxruntime": version, precision: {"p50_ms": .., "p95_ms": ..}} at batch 1.

    The precisions are measured in turns, and of each one's rounds the one with the lowest median counts: what else the
    machine does can only make it slower.
    """
    onnxruntime = load_onnxruntime()

    path = str(Path(bundle.path).resolve())
    found: dict[str, list[dict[str, Any]]] = {precision: [] for precision in bundle.precisions}
    for _ in range(rounds):
        for precision, rows in found.items():
            rows.append(in_own_process(measure_encoder, path, "onnxruntime:cpu", precision, threads, 1, times))
    best = {precision: min(rows, key=lambda row: row["p50_ms"]) for precision, rows in found.items()}
    result: dict[str, Any] = {"threads": threads, "onnxruntime": onnxruntime.__version__}
    return result | {name: {"p50_ms": row["p50_ms"], "p95_ms": row["p95_ms"]} for name, row in best.items()}
