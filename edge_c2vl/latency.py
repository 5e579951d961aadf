"""Latency of a bundle's models on this CPU, each measured in processes of its own, in turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_c2vl.bench import measure_encoder
from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.utils.own_process import in_own_process


def cpu_latency(bundle: Bundle, threads: int = 1, times: int = 100, rounds: int = 3) -> dict[str, Any]:
    """{"threads": .., "onnxruntime": version, precision: {"p50_ms": .., "p95_ms": ..}} at batch 1.

    The precisions are measured in turns, and of each one's rounds the one with the lowest median counts: what else the
    machine does can only make it slower.
    """
    import onnxruntime

    path = str(Path(bundle.path).resolve())
    found: dict[str, list[dict[str, Any]]] = {precision: [] for precision in bundle.precisions}
    for _ in range(rounds):
        for precision, rows in found.items():
            rows.append(in_own_process(measure_encoder, path, "onnxruntime:cpu", precision, threads, 1, times))
    best = {precision: min(rows, key=lambda row: row["p50_ms"]) for precision, rows in found.items()}
    result: dict[str, Any] = {"threads": threads, "onnxruntime": onnxruntime.__version__}
    return result | {name: {"p50_ms": row["p50_ms"], "p95_ms": row["p95_ms"]} for name, row in best.items()}
