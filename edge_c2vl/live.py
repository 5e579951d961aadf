"""Opens the parts that a live run names, and runs the pipeline until the source ends or a signal comes."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.personal import Personaliser
from edge_c2vl.pipeline import Pipeline, Summary
from edge_c2vl.policy import PolicySettings
from edge_c2vl.settings import read_settings
from edge_c2vl.sinks import Sink
from edge_c2vl.speed import open_speed

if TYPE_CHECKING:
    from edge_c2vl.backends.base import Backend
    from edge_c2vl.bundle import Bundle
    from edge_c2vl.camera import Camera

log = logging.getLogger("edge_c2vl")


@dataclass(frozen=True)
class Watch:
    """What `edge-c2vl run` is asked for; each field is an option of the command line."""

    camera: str
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    rotate: str = "0"
    mirror: bool = False
    crop: str | None = None
    camera_mode: str = "auto"
    realtime: bool = False
    pose: str = "auto"
    pose_model: str | None = None
    bundle: str = "default"
    backend: str = "auto"
    precision: str = "auto"
    threads: int = 1
    decide_by: str = "classifier"
    hop: float = 0.25
    no_alerts: bool = False
    duration: float | None = None
    settings: str | None = None
    normal: str | None = None
    learn_normal: float | None = None
    forget_normal: bool = False
    speed_kmh: float | None = None
    speed: str | None = None
    events: str | None = None
    decisions: str | None = None
    rotate_mb: float | None = None
    output: str | None = None
    show: bool = False
    status: bool = True
    mqtt: str | None = None
    mqtt_queue: str | None = None
    home_assistant: bool = False
    reconnect: bool = False
    metrics: str | None = None
    webhook: str | None = None
    alert_clips: str | None = None
    serve: str | None = None
    public_url: str | None = None
    serve_video: bool = False


def watch(asked: Watch, sinks: Sequence[Sink] = (), signals: bool = True) -> Summary:
    """Runs the live pipeline to its end and returns what it came to. sinks: further ones, beside those asked for.

    SIGINT and SIGTERM end it cleanly, SIGHUP reads the settings again; with signals=False they are left alone. Raises
    UsageError, BundleError or CameraError, after closing what was open.
    """
    from edge_c2vl.backends import open_backend
    from edge_c2vl.bundle import Bundle
    from edge_c2vl.camera import CameraOptions, open_camera, parse_crop
    from edge_c2vl.pose import PoseEstimator, resolve
    from edge_c2vl.reconnect import Reconnecting

    options = CameraOptions(
        width=asked.width,
        height=asked.height,
        fps=asked.fps,
        rotation=int(asked.rotate),
        mirror=asked.mirror,
        crop=parse_crop(asked.crop) if asked.crop else None,
        mode=asked.camera_mode,
        realtime=asked.realtime,
    )
    if asked.events == "-" and asked.decisions == "-":
        raise UsageError("--events - and --decisions - would mix on standard output; give one of them a file")
    if asked.serve_video and asked.serve is None:
        raise UsageError("--serve-video shows pictures on the live page; add --serve")
    if asked.public_url is not None and asked.serve is None and asked.metrics is None:
        raise UsageError("--public-url is where others find the live page; add --serve")
    resolve(asked.pose, asked.pose_model)
    policy = read_settings(asked.settings) if asked.settings else PolicySettings()
    personaliser = Personaliser(asked.normal, asked.learn_normal, asked.forget_normal)
    with ExitStack() as stack:
        model = Bundle.open(asked.bundle)
        if asked.decide_by == "words" and model.words is None:
            raise UsageError(
                f"--decide-by words: bundle {asked.bundle} has no labels in words; add some with edge-c2vl labels add"
            )
        by_words = asked.decide_by == "words" and model.words is not None
        distraction = model.words.distraction if by_words and model.words else model.manifest.distraction
        if not asked.no_alerts and not distraction:
            raise UsageError(
                f"bundle {asked.bundle} counts none of its {'words' if by_words else 'labels'} as distraction, so that "
                "no alert of distraction would ever come: name some with --distraction of edge-c2vl "
                f"{'labels' if by_words else 'export'}, or run it with --no-alerts"
            )
        engine = stack.enter_context(open_backend(model, asked.backend, asked.precision, asked.threads))
        engine.warm_up()
        speed = stack.enter_context(open_speed(asked.speed_kmh, asked.speed))
        source = stack.enter_context(open_camera(asked.camera, options))
        # Opened before the pose networks, which take a moment, so that a wrong camera is told at once.
        outputs = [*_open_sinks(asked, source, model, engine), *sinks]
        pose = stack.enter_context(PoseEstimator(asked.pose_model, kind=asked.pose, threads=asked.threads))
        pipeline = Pipeline(
            Reconnecting(source, asked.hop) if asked.reconnect and source.live else source,
            pose,
            engine,
            labels=model.manifest.labels,
            distraction=model.manifest.distraction,
            clip=model.manifest.clip,
            sinks=outputs,
            hop_s=asked.hop,
            policy=policy,
            speed=speed,
            personaliser=personaliser,
            words=model.words,
            by_words=by_words,
            alerts=not asked.no_alerts,
        )
        if asked.status:
            by = f"pose by {pose.name}, bundle {model.manifest.name} on {engine.name} {engine.precision}"
            what = f"{source.describe()}, {by}"
            print(f"{what} ({engine.note})" if engine.note else what, file=sys.stderr)
            if asked.no_alerts:
                print("--no-alerts: whatever the driver does, there will be no alert", file=sys.stderr)
        with _signals(pipeline, asked.settings) if signals else nullcontext():
            summary = pipeline.run(asked.duration)
        unfinished = personaliser.unfinished()
        if unfinished is not None and not source.live:
            raise EdgeC2VLError(unfinished)
        if unfinished is not None:
            log.warning("%s", unfinished)
        return summary


def _open_sinks(asked: Watch, source: Camera, model: Bundle, engine: Backend) -> list[Sink]:
    """One line for each kind of output. What a sink needs is imported only where it is asked for."""
    from edge_c2vl.sinks.jsonl import JsonLines

    rotate_bytes = int(asked.rotate_mb * 1e6) if asked.rotate_mb else None
    sinks: list[Sink] = []
    if asked.events:
        sinks.append(JsonLines(asked.events, "state", rotate_bytes))
    if asked.decisions:
        sinks.append(JsonLines(asked.decisions, "decision", rotate_bytes))
    if asked.output:
        from edge_c2vl.sinks.video import VideoFile

        sinks.append(VideoFile(asked.output, source.fps or 30.0))
    if asked.show:
        from edge_c2vl.sinks.display import Display

        sinks.append(Display())
    if asked.mqtt:
        from edge_c2vl.sinks.mqtt import Mqtt

        sinks.append(Mqtt(asked.mqtt, asked.mqtt_queue, asked.home_assistant))
    if asked.metrics is not None:
        from edge_c2vl.sinks.prometheus import Prometheus

        sinks.append(Prometheus(asked.metrics, asked.public_url))
    if asked.webhook:
        from edge_c2vl.sinks.webhook import Webhook

        sinks.append(Webhook(asked.webhook))
    if asked.alert_clips:
        from edge_c2vl.sinks.skeleton_clips import SkeletonClips

        sinks.append(SkeletonClips(asked.alert_clips))
    if asked.serve is not None:
        sinks.append(_open_page(asked, source, model, engine))
    if asked.status:
        from edge_c2vl.sinks.status import StatusLine

        sinks.append(StatusLine())
    return sinks


def _open_page(asked: Watch, source: Camera, model: Bundle, engine: Backend) -> Sink:
    from edge_c2vl.sinks.page import About, Page

    manifest = model.manifest
    decided = model.words if asked.decide_by == "words" and model.words else manifest
    about = About(
        camera=source.describe,
        backend=engine.name,
        precision=engine.precision,
        bundle=manifest.name,
        labels=decided.labels,
        distraction=decided.distraction,
        min_confidence=manifest.clip.min_confidence,
    )
    page = Page(asked.serve or "", about, asked.serve_video, asked.public_url)
    if asked.status:
        print(page.invitation, file=sys.stderr)
    return page


@contextmanager
def _signals(pipeline: Pipeline, settings: str | None) -> Iterator[None]:
    """SIGINT and SIGTERM stop the pipeline instead of killing the process; SIGHUP reads the settings again. Only a main
    thread may set handlers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        pipeline.stop()

    def reload(_number: int, _frame: FrameType | None) -> None:
        if settings is None:
            return
        try:
            pipeline.set_policy(read_settings(settings))
            log.warning("settings read again from %s", settings)
        except UsageError as error:
            # What runs in a vehicle goes on with the settings that it has.
            log.warning("settings kept: %s", error)

    handlers = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGHUP: reload}
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
