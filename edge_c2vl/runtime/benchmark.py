"""Measures a whole run on this machine, and the pose network alone, each in a separate process."""

from __future__ import annotations

import time
from typing import Any

from edge_c2vl.utils.own_process import in_own_process, peak_rss_mb


def measure_run(
    camera: str,
    bundle: str,
    backend: str,
    precision: str,
    threads: int,
    crop: str | None,
    pose: str,
    pose_fps: float | None = None,
    reasons: str | None = None,
) -> dict[str, Any]:
    """The whole live pipeline over a recording, as fast as it goes: the run's summary and the process's memory."""
    from edge_c2vl.runtime.run import watch
    from edge_c2vl.runtime.settings import RunSettings

    summary = watch(
        RunSettings.of(
            camera=camera,
            bundle=bundle,
            backend=backend,
            precision=precision,
            threads=threads,
            crop=crop,
            pose=pose,
            pose_fps=pose_fps,
            reasons=reasons,
            quiet=True,
            no_alerts=True,
        )
    )
    return summary.to_json() | {"peak_rss_mb": peak_rss_mb()}


def measure_pose(camera: str, crop: str | None, pose: str, threads: int, bundle: str) -> dict[str, Any]:
    """The pose alone over the same frames, decoded beforehand: the most that the pipeline could reach."""
    from edge_c2vl.bundle.bundle import Bundle
    from edge_c2vl.cameras.camera import open_camera
    from edge_c2vl.cameras.options import CameraOptions, parse_crop
    from edge_c2vl.pose import PoseEstimator

    options = CameraOptions(crop=parse_crop(crop) if crop else None)
    with open_camera(camera, options) as source:
        frames = []
        while (frame := source.read()) is not None:
            if frame.image is not None:
                frames.append(frame)
    with PoseEstimator(kind=pose, threads=threads, bundle=Bundle.open(bundle)) as estimator:
        started = time.perf_counter()
        for frame in frames:
            estimator.estimate(frame.image, frame.timestamp_s)
        elapsed_s = time.perf_counter() - started
    return {"frames": len(frames), "fps": round(len(frames) / elapsed_s, 2)}


def bench_pipeline(
    camera: str,
    bundle: str,
    backend: str,
    precision: str,
    threads: int,
    crop: str | None,
    pose: str = "auto",
    pose_fps: float | None = None,
    reasons: str | None = None,
) -> dict[str, Any]:
    """The pipeline beside the pose network alone, which is measured before and after it: what else the machine does in
    between then weighs on both."""
    before = in_own_process(measure_pose, camera, crop, pose, threads, bundle)
    run = in_own_process(measure_run, camera, bundle, backend, precision, threads, crop, pose, pose_fps, reasons)
    after = in_own_process(measure_pose, camera, crop, pose, threads, bundle)
    alone_fps = (before["fps"] + after["fps"]) / 2
    return {"camera": camera, "run": run, "pose_fps": round(alone_fps, 2), "of_pose": round(run["fps"] / alone_fps, 3)}
