"""Opens the parts that a live run names, and runs the pipeline until the source ends or a signal comes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from edge_c2vl.errors import UsageError
from edge_c2vl.pipeline import Pipeline, Summary
from edge_c2vl.sinks import Sink
from edge_c2vl.speed import open_speed


def watch(
    camera: str,
    *,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    rotate: str = "0",
    mirror: bool = False,
    crop: str | None = None,
    camera_mode: str = "auto",
    realtime: bool = False,
    pose_model: str | None = None,
    bundle: str = "default",
    backend: str = "auto",
    precision: str = "auto",
    threads: int = 1,
    hop: float = 0.25,
    events: str | None = None,
    decisions: str | None = None,
    output: str | None = None,
    show: bool = False,
    duration: float | None = None,
    status: bool = True,
    speed_kmh: float | None = None,
    speed: str | None = None,
) -> Summary:
    """Runs `edge-c2vl run`; the arguments are its options. Returns what the run came to.

    SIGINT and SIGTERM end it cleanly. Raises UsageError, BundleError or CameraError, after closing what was open.
    """
    from edge_c2vl.backends import open_backend
    from edge_c2vl.bundle import Bundle
    from edge_c2vl.camera import CameraOptions, open_camera, parse_crop

    options = CameraOptions(
        width=width,
        height=height,
        fps=fps,
        rotation=int(rotate),
        mirror=mirror,
        crop=parse_crop(crop) if crop else None,
        mode=camera_mode,
        realtime=realtime,
    )
    if events == "-" and decisions == "-":
        raise UsageError("--events - and --decisions - would mix on standard output; give one of them a file")
    with ExitStack() as stack:
        model = Bundle.open(bundle)
        engine = stack.enter_context(open_backend(model, backend, precision, threads))
        engine.warm_up()
        source = stack.enter_context(open_camera(camera, options))
        # Opened before MediaPipe, whose import takes a second, so that a wrong camera is told at once.
        sinks = _open_sinks(events, decisions, output, show, status, getattr(source, "fps", None) or 30.0)
        from edge_c2vl.pose import PoseEstimator

        pose = stack.enter_context(PoseEstimator(pose_model))
        manifest = model.manifest
        pipeline = Pipeline(
            source,
            pose,
            engine,
            labels=manifest.labels,
            distraction=manifest.distraction,
            clip=manifest.clip,
            sinks=sinks,
            hop_s=hop,
            speed=stack.enter_context(open_speed(speed_kmh, speed)),
        )
        with _ended_by_signals(pipeline):
            return pipeline.run(duration)


def _open_sinks(
    events: str | None, decisions: str | None, output: str | None, show: bool, status: bool, fps: float
) -> list[Sink]:
    """One line for each kind of output."""
    from edge_c2vl.sinks.display import Display
    from edge_c2vl.sinks.jsonl import JsonLines
    from edge_c2vl.sinks.status import StatusLine
    from edge_c2vl.sinks.video import VideoFile

    sinks: list[Sink] = []
    if events:
        sinks.append(JsonLines(events, "state"))
    if decisions:
        sinks.append(JsonLines(decisions, "decision"))
    if output:
        sinks.append(VideoFile(output, fps))
    if show:
        sinks.append(Display())
    if status:
        sinks.append(StatusLine())
    return sinks


@contextmanager
def _ended_by_signals(pipeline: Pipeline) -> Iterator[None]:
    """SIGINT and SIGTERM stop the pipeline instead of killing the process. Only a main thread may set handlers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        pipeline.stop()

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
