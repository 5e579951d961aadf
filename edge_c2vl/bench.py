"""What each stage costs on this machine. Every measurement runs in a process of its own.

Several inference sessions in one process stall each other by two to three times (thread pools spin against each other),
and memory can only be told apart by process.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from edge_c2vl.errors import EdgeC2VLError


def measure_run(
    camera: str, bundle: str, backend: str, precision: str, threads: int, crop: str | None, pose: str
) -> dict[str, Any]:
    """The whole live pipeline over a recording, as fast as it goes: the run's summary and the process's memory."""
    from edge_c2vl.live import Watch, watch

    summary = watch(
        Watch(
            camera,
            bundle=bundle,
            backend=backend,
            precision=precision,
            threads=threads,
            crop=crop,
            pose=pose,
            status=False,
            no_alerts=True,
        )
    )
    return summary.to_json() | {"peak_rss_mb": peak_rss_mb()}


def measure_pose(camera: str, crop: str | None, pose: str, threads: int) -> dict[str, Any]:
    """The pose alone over the same frames, decoded beforehand: the most that the pipeline could reach."""
    from edge_c2vl.camera import CameraOptions, open_camera, parse_crop
    from edge_c2vl.pose import PoseEstimator

    options = CameraOptions(crop=parse_crop(crop) if crop else None)
    with open_camera(camera, options) as source:
        frames = []
        while (frame := source.read()) is not None:
            if frame.image is not None:
                frames.append(frame)
    with PoseEstimator(kind=pose, threads=threads) as estimator:
        started = time.perf_counter()
        for frame in frames:
            estimator.estimate(frame.image, frame.timestamp_s)
        elapsed_s = time.perf_counter() - started
    return {"frames": len(frames), "fps": round(len(frames) / elapsed_s, 2)}


def measure_encoder(bundle: str, backend: str, precision: str, threads: int, batch: int, times: int) -> dict[str, Any]:
    """Latency of one inference of `batch` clips."""
    from edge_c2vl.backends import open_backend
    from edge_c2vl.bundle import Bundle

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


def bench_pipeline(
    camera: str, bundle: str, backend: str, precision: str, threads: int, crop: str | None, pose: str = "auto"
) -> dict[str, Any]:
    """The pipeline beside the pose network alone, which is measured before and after it: what else the machine does in
    between then weighs on both."""
    before = in_own_process(measure_pose, camera, crop, pose, threads)
    run = in_own_process(measure_run, camera, bundle, backend, precision, threads, crop, pose)
    after = in_own_process(measure_pose, camera, crop, pose, threads)
    pose_fps = (before["fps"] + after["fps"]) / 2
    return {"camera": camera, "run": run, "pose_fps": round(pose_fps, 2), "of_pose": round(run["fps"] / pose_fps, 3)}


def bench_encoder(bundle: str, backends: list[str], threads: int, batch: int, times: int = 200) -> list[dict[str, Any]]:
    """A row for each backend and precision; one that does not open has its reason under `unavailable`."""
    from edge_c2vl.bundle import PRECISIONS

    rows = []
    for backend in backends:
        for precision in PRECISIONS:
            try:
                rows.append(in_own_process(measure_encoder, bundle, backend, precision, threads, batch, times))
            except EdgeC2VLError as error:
                rows.append({"backend": backend, "precision": precision, "unavailable": str(error)})
    return rows


def in_own_process(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Calls a function of this module in a fresh interpreter. Raises what it raised, where that is an EdgeC2VLError."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        answer = receiver.recv()
    except EOFError:
        process.join()
        raise EdgeC2VLError(f"{function.__name__} ended with code {process.exitcode} before it answered") from None
    finally:
        process.join()
    if isinstance(answer, Exception):
        raise answer
    result: dict[str, Any] = answer
    return result


def _answer(sender: Connection, function: Callable[..., dict[str, Any]], arguments: tuple[Any, ...]) -> None:
    try:
        sender.send(function(*arguments))
    except EdgeC2VLError as error:
        sender.send(error)


def peak_rss_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3 / 1.024), 1)
