"""The encoder in PyTorch eager, FP32 ONNX Runtime and INT8 ONNX Runtime: latency at batch 1, and ratios.

    python benchmarks/int8_latency.py runs/ucla bundles/ucla --threads 2

RUN is the run that BUNDLE was exported from. Each is measured in processes of its own, in turns; of each round the
ratios to PyTorch and to FP32 are taken, and the median over the rounds is printed, so that what else the machine does
weighs on all alike.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from edge_c2vl.inference.benchmark import measure_encoder
from edge_c2vl.utils.own_process import in_own_process


def measure_eager(run: str, threads: int, times: int) -> dict[str, Any]:
    """Latency of one forward pass of the trained encoder, as it is after loading."""
    import torch

    from train.model.checkpoint import load_model

    torch.set_num_threads(threads)
    encoder, about = load_model(Path(run))
    clip = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 3, about.clip.frames, 25)).astype(np.float32))
    taken_ms = []
    with torch.inference_mode():
        for _ in range(max(5, times // 10)):
            encoder(clip)
        for _ in range(times):
            started = time.perf_counter()
            encoder(clip)
            taken_ms.append((time.perf_counter() - started) * 1e3)
    p50, p95 = np.percentile(taken_ms, (50, 95))
    return {"p50_ms": float(p50), "p95_ms": float(p95)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("bundle")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    rounds: dict[str, list[dict[str, Any]]] = {"eager": [], "fp32": [], "fp16": [], "int8": []}
    for _ in range(given.rounds):
        rounds["eager"].append(in_own_process(measure_eager, given.run, given.threads, given.times))
        for precision in ("fp32", "fp16", "int8"):
            arguments = given.bundle, "onnxruntime:cpu", precision, given.threads, 1, given.times
            rounds[precision].append(in_own_process(measure_encoder, *arguments))
    p50 = {name: np.array([row["p50_ms"] for row in rows]) for name, rows in rounds.items()}
    print(f"{given.threads} threads, batch 1, {given.rounds} rounds; load {os.getloadavg()[0]:.1f}")
    print("| | p50 ms, best round | p95 ms, that round | faster than eager | faster than FP32 |\n|---|---|---|---|---|")
    for name, rows in rounds.items():
        best = int(p50[name].argmin())
        against = [f"{float(np.median(p50[other] / p50[name])):.2f}" for other in ("eager", "fp32")]
        print(f"| {name} | {p50[name][best]:.2f} | {rows[best]['p95_ms']:.2f} | {against[0]} | {against[1]} |")


if __name__ == "__main__":
    main()
