"""`edge-c2vl build-engine`: from a bundle's model to an engine for this device."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_c2vl.commands.options import json_option, refuse_idle

if TYPE_CHECKING:
    from edge_c2vl.bundle.bundle import Engine


@click.command("build-engine")
@click.argument("bundle")
@click.option(
    "--backend",
    type=click.Choice(["tensorrt", "onnxruntime"]),
    default="tensorrt",
    show_default=True,
    help="onnxruntime: the model as ONNX Runtime optimises it for this CPU.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "int8", "fp16", "fp32"]),
    default="auto",
    show_default=True,
    help="auto: the best that the bundle has a model of.",
)
@click.option(
    "--batch",
    nargs=3,
    type=int,
    default=(1, 1, 1),
    show_default=True,
    metavar="MIN OPT MAX",
    help="Clips an inference.",
)
@click.option("--workspace", "workspace_mb", type=click.IntRange(0), default=0, metavar="MB", help="Scratch memory.")
@click.option(
    "--timing-cache", type=click.Path(path_type=Path, dir_okay=False), help="Kernel timings, kept and reused."
)
@click.option(
    "--dla", type=click.IntRange(0), metavar="N", help="Use this DLA core for the encoder; the GPU runs what it cannot."
)
@click.option(
    "--version-compatible",
    is_flag=True,
    help="Let newer TensorRT of the same major version load the encoder's; needs libnvinfer-lean there.",
)
@click.option("--hardware-compatible", is_flag=True, help="Let every GPU from Ampere on load the encoder's.")
@click.option("--optimization-level", "optimisation_level", type=click.IntRange(0, 5), help="How long to search.")
@click.option(
    "--pose/--no-pose", "with_pose", default=True, show_default=True, help="The pose networks too (tensorrt)."
)
@click.option(
    "--camera", metavar="URI", help="A recording of a driver to verify the pose networks on.  [default: drawn]"
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads (onnxruntime).")
@json_option
def build_engine(
    bundle: str, backend: str, with_pose: bool, camera: str | None, threads: int, as_json: bool, **options: Any
) -> None:
    """Build engines for this device and put them into the BUNDLE: of its model, and of the pose networks.

    Run it on the device itself: a TensorRT engine runs only on the GPU and the TensorRT that it was built with. It is
    compared with ONNX Runtime on calibration clips (the pose networks: on pictures of a driver) and timed, and both go
    into the manifest. The pose networks are built in FP16.

    \b
    edge-c2vl build-engine my-bundle
    edge-c2vl build-engine my-bundle --precision fp16 --batch 1 4 8
    edge-c2vl build-engine my-bundle --backend onnxruntime --threads 2
    """
    from edge_c2vl.bundle.bundle import Bundle
    from edge_c2vl.inference import engine_build as building

    def say(line: str) -> None:
        click.echo(line, err=True)

    if backend == "onnxruntime":
        refuse_idle("--backend tensorrt", "batch", "with_pose", "camera", *(set(options) - {"precision"}))
    else:
        refuse_idle("--backend onnxruntime", "threads")
    if not with_pose:
        refuse_idle("--pose", "camera")
    settings = building.BuildOptions(**options)
    opened = Bundle.open(bundle)
    if backend == "onnxruntime":
        revised, engine = building.build_optimised(opened, settings.precision, threads, say)
    else:
        revised, engine = building.build_engine(opened, settings, say)
    networks: list[Engine] = []
    if backend == "tensorrt" and with_pose:
        from edge_c2vl.pose.engines import DRAWN, build_pose_engines

        say(f"{revised.path / engine.path} is in the bundle; the pose networks come next")
        revised, networks = build_pose_engines(revised, settings, camera or DRAWN, say)
    size = revised.manifest.files[engine.path]["size"]
    if as_json:
        told = asdict(engine) | {"bytes": size, "latency": revised.manifest.latency}
        click.echo(json.dumps(told | {"pose": [asdict(network) for network in networks]}))
        return
    found = engine.measured
    click.echo(f"{revised.path / engine.path}: {size / 1e6:.2f} MB")
    click.echo(
        f"against ONNX Runtime on {found['clips']} clips: logits differ by {found['largest_logit_difference']:.2g} "
        f"at most (largest logit {found['largest_logit']:.2g}), "
        f"embeddings by {found['largest_embedding_difference']:.2g}"
    )
    click.echo(f"same decision as fp32: {100 * found['same_decision_as_fp32']:.1f} %")
    click.echo(f"latency: {found['p50_ms']:.3f} ms (p50), {found['p95_ms']:.3f} ms (p95)")
    if backend == "onnxruntime" and len(revised.precisions) > 1:
        for precision in revised.precisions:
            row = revised.manifest.latency[engine.device][precision]
            click.echo(f"  {precision}: {row['p50_ms']:.3f} ms (p50), {row['p95_ms']:.3f} ms (p95)")
    for network in networks:
        found = network.measured
        click.echo(f"{revised.path / network.path}: {revised.manifest.files[network.path]['size'] / 1e6:.2f} MB")
        click.echo(
            f"against ONNX Runtime on {found['pictures']} pictures: somebody found alike in "
            f"{100 * found['found_alike']:.1f} %, apart by {found['apart_p50']:.2g} of the region (median), "
            f"{found['apart_p95']:.2g} (95 %)"
        )
        click.echo(f"latency: {found['p50_ms']:.3f} ms (p50), {found['p95_ms']:.3f} ms (p95)")
