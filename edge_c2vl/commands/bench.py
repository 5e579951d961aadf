"""`edge-c2vl bench`: what each stage costs on this machine."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from edge_c2vl.commands.options import backend_options, crop_option, json_option, refuse_idle
from edge_c2vl.runtime.settings import DecisionSettings
from edge_c2vl.settings.flags import options_like


@click.command()
@click.argument("bundle", default="default")
@click.option(
    "--stage",
    type=click.Choice(["all", "pose", "encoder"]),
    default="all",
    show_default=True,
    help="all: the live pipeline over a recording; pose: MediaPipe and ours, FP32 and INT8, in turns; encoder: every "
    "backend and precision beside each other.",
)
@click.option("--camera", default="sample", show_default=True, metavar="URI", help="The recording to run over.")
@crop_option
@click.option("--pose", default="auto", show_default=True, metavar="NAME", help="As for run (all).")
@options_like(DecisionSettings, "pose_fps", "reasons")
@backend_options
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Clips an inference (encoder).")
@json_option
def bench(
    bundle: str,
    stage: str,
    camera: str,
    crop: str | None,
    pose: str,
    pose_fps: float | None,
    reasons: str,
    backend: str,
    precision: str,
    threads: int,
    batch: int,
    as_json: bool,
) -> None:
    """Measure latency, frames a second and memory of each stage.

    Every measurement runs in a process of its own. Close other programs first.

    \b
    edge-c2vl bench --camera drive.mp4
    edge-c2vl bench --camera drive.mp4 --reasons all
    edge-c2vl bench --camera drive.mp4 --stage pose
    edge-c2vl bench my-bundle --stage encoder --threads 2 --json
    """
    from edge_c2vl.inference import benchmark as measurements
    from edge_c2vl.inference.select import NAMES
    from edge_c2vl.runtime.benchmark import bench_pipeline

    if stage != "encoder":
        refuse_idle("--stage encoder", "batch")
    if stage != "all":
        refuse_idle("--stage all", "pose", "pose_fps", "reasons", "precision")
    if stage == "encoder":
        refuse_idle("--stage all or --stage pose", "camera", "crop")
        names = [name for name in NAMES if name != "auto"] if backend == "auto" else [backend]
        rows = measurements.bench_encoder(bundle, names, threads, batch)
        click.echo(json.dumps(rows) if as_json else _encoder_text(rows))
        return
    if stage == "pose":
        refuse_idle("--stage all or --stage encoder", "backend")
        from edge_c2vl.runtime.benchmark_pose import bench_pose

        compared = bench_pose(camera, crop, sorted({1, 2, threads or os.cpu_count() or 1}))
        click.echo(json.dumps(compared) if as_json else _pose_text(compared))
        return
    result = bench_pipeline(camera, bundle, backend, precision, threads, crop, pose, pose_fps, reasons)
    click.echo(json.dumps(result) if as_json else _pipeline_text(result))


def _pose_text(result: dict[str, Any]) -> str:
    columns = ("start_s", "p50_ms", "p95_ms", "cpu_ms", "fps", "peak_rss_mb")
    heads = ("start s", "p50 ms", "p95 ms", "CPU ms", "fps", "peak MB")
    lines = [f"{'threads':>7} {' '.join(f'{head:>8}' for head in heads)}   pose"]
    for row in sorted(result["rows"], key=lambda row: int(row["threads"])):
        start = f"{row['threads']:7d} "
        if "unavailable" in row:
            lines.append(f"{start}{row['pose']}: {row['unavailable']}")
        else:
            figures = " ".join(f"{row[name]:8.2f}" for name in columns)
            lines.append(f"{start}{figures}   {row['pose']}, somebody in {row['found']:.1%} of {row['frames']} frames")
    for threads, ratios in result["ratio"].items():
        gains = ", ".join(f"{kind} {ratio:.2f}" for kind, ratio in ratios.items())
        lines.append(f"with {threads} thread{'s' * (threads > 1)}, times MediaPipe's frames a second: {gains}")
    return "\n".join(lines)


def _encoder_text(rows: list[dict[str, Any]]) -> str:
    lines = [f"{'backend':<20} {'precision':<10} {'p50 ms':>9} {'p95 ms':>9} {'p99 ms':>9} {'peak MB':>8}"]
    for row in rows:
        start = f"{row['backend']:<20} {row['precision']:<10} "
        if "unavailable" in row:
            lines.append(start + row["unavailable"])
        else:
            figures = " ".join(f"{row[name]:9.3f}" for name in ("p50_ms", "p95_ms", "p99_ms"))
            lines.append(f"{start}{figures} {row['peak_rss_mb']:8.0f}")
    return "\n".join(lines)


def _pipeline_text(result: dict[str, Any]) -> str:
    run = result["run"]
    lines = [f"{'stage':<12} {'p50 ms':>9} {'p95 ms':>9} {'p99 ms':>9} {'count':>8}"]
    for stage, row in run["stages"].items():
        figures = " ".join(f"{row[name]:9.3f}" for name in ("p50_ms", "p95_ms", "p99_ms"))
        lines.append(f"{stage:<12} {figures} {row['count']:8d}")
    lines += [
        "",
        f"frames a second      {run['fps']:.1f} ({run['frames']} frames, poses in {run['poses']})",
        f"pose network alone   {result['pose_fps']:.1f} (the pipeline reaches {result['of_pose']:.2f} of it)",
        f"processor time       {1e3 * run['cpu_s'] / max(1, run['decisions']):.1f} ms a decision",
        f"memory               {run['rss_mb']:.0f} MB at the end, {run['peak_rss_mb']:.0f} MB at the peak",
    ]
    return "\n".join(lines)
