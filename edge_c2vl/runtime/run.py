"""Opens the parts that a live run names, and runs the pipeline until the source ends or a signal comes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.monitoring.apply_baseline import Personaliser
from edge_c2vl.monitoring.policy_file import read_settings
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.stats import Summary
from edge_c2vl.outputs.base import Sink
from edge_c2vl.outputs.deferred import Deferred
from edge_c2vl.outputs.mqtt_queue import MqttQueue
from edge_c2vl.runtime.pipeline import Pipeline
from edge_c2vl.runtime.signals import Signals
from edge_c2vl.speed import open_speed

if TYPE_CHECKING:
    from edge_c2vl.cameras.camera import Camera
    from edge_c2vl.inference.model import ClipModel

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
    strict: bool = False


@dataclass(frozen=True)
class OpenRun:
    """The parts of a run that has not begun."""

    pipeline: Pipeline
    camera: Camera
    model: ClipModel


def watch(asked: Watch, sinks: Sequence[Sink] = (), signals: Signals | None = None) -> Summary:
    """Runs the live pipeline to its end and returns what it came to. sinks: further ones, beside those asked for.

    signals: what ends it and reads the settings again. Raises what `opened` raises.
    """
    with opened(asked, sinks) as run:
        if signals is not None:
            signals.connect(run.pipeline.stop, lambda: reread(run.pipeline, asked.settings))
        return run.pipeline.run(asked.duration)


@contextmanager
def opened(asked: Watch, sinks: Sequence[Sink] = (), push: bool = False) -> Iterator[OpenRun]:
    """Opens what is asked for, and closes it. push: frames come
    from the caller (PushedCamera), not from `asked.camera`.

    Live, an output that cannot be opened is told of and tried again while the run goes on. Raises UsageError,
    BundleError or CameraError, on a recording (and live, where `strict`) OutputError too, after closing what was open;
    at the end of a recording EdgeC2VLError where normality was to be learnt from it and could not.
    """
    from edge_c2vl.bundle.bundle import Bundle
    from edge_c2vl.cameras.camera import open_camera
    from edge_c2vl.cameras.options import CameraOptions, parse_crop
    from edge_c2vl.cameras.pushed import PushedCamera
    from edge_c2vl.cameras.reconnect import Reconnecting
    from edge_c2vl.inference.model import ClipModel
    from edge_c2vl.pose import PoseEstimator, resolve

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
    personaliser = Personaliser(asked.normal, asked.learn_normal, asked.forget_normal, later=True)
    with ExitStack() as stack:
        bundle = Bundle.open(asked.bundle)
        by_words = asked.decide_by == "words"
        if by_words and bundle.words is None:
            raise UsageError(
                f"--decide-by words: bundle {asked.bundle} has no labels in words; add some with edge-c2vl labels add"
            )
        model = stack.enter_context(ClipModel.open(bundle, asked.backend, asked.precision, asked.threads, by_words))
        if not asked.no_alerts and not model.distraction:
            raise UsageError(
                f"bundle {asked.bundle} counts none of its {'words' if by_words else 'labels'} as distraction, so that "
                "no alert of distraction would ever come: name some with --distraction of edge-c2vl "
                f"{'labels' if by_words else 'export'}, or run it with --no-alerts"
            )
        model.backend.warm_up()
        speed = stack.enter_context(open_speed(asked.speed_kmh, asked.speed))
        source = stack.enter_context(PushedCamera(options) if push else open_camera(asked.camera, options))
        # Opened before the pose networks, which take a moment, so that a wrong camera is told at once.
        outputs = _outputs(asked, source, model, personaliser)
        unused = stack.enter_context(ExitStack())
        for output in outputs:
            unused.callback(output.close)
            output.open_first(may_wait=source.live and not asked.strict)
        from edge_c2vl.outputs.status import StatusLine

        pose = stack.enter_context(PoseEstimator(asked.pose_model, kind=asked.pose, threads=asked.threads))
        pipeline = Pipeline(
            Reconnecting(source, asked.hop) if asked.reconnect and source.live else source,
            pose,
            model,
            sinks=[*outputs, *([StatusLine()] if asked.status else []), *sinks],
            hop_s=asked.hop,
            policy=policy,
            speed=speed,
            personaliser=personaliser,
            alerts=not asked.no_alerts,
        )
        if asked.status:
            engine = model.backend
            by = f"pose by {pose.name}, bundle {model.name} on {engine.name} {engine.precision}"
            what = f"{source.describe()}, {by}"
            print(f"{what} ({engine.note})" if engine.note else what, file=sys.stderr)
            if asked.no_alerts:
                print("--no-alerts: whatever the driver does, there will be no alert", file=sys.stderr)
        unused.pop_all()  # the pipeline closes its sinks
        yield OpenRun(pipeline, source, model)
        unfinished = personaliser.unfinished()
        if unfinished is not None and not source.live:
            raise EdgeC2VLError(unfinished)
        if unfinished is not None:
            log.warning("%s", unfinished)


def _outputs(asked: Watch, source: Camera, model: ClipModel, personaliser: Personaliser) -> list[Deferred]:
    """One line for each kind of output. What a sink needs is imported only where it is asked for."""
    rotate_bytes = int(asked.rotate_mb * 1e6) if asked.rotate_mb else None
    # Where somebody looks at what comes out, a damaged file is an error; where nobody does, it must not be the end.
    replace_damaged = source.live and not asked.strict
    outputs: list[Deferred] = []

    def add(option: str, sink: str, *arguments: Any, **more: Any) -> None:
        """sink: "module:class" in edge_c2vl/outputs."""
        module, _, name = sink.partition(":")

        def build() -> Sink:
            made: Sink = getattr(import_module(f"edge_c2vl.outputs.{module}"), name)(*arguments, **more)
            return made

        outputs.append(Deferred(option, build, wants_skeletons=option == "alert-clips"))

    if asked.normal is not None:
        add("normal", "normality:Normality", personaliser)
    if asked.events:
        add("events", "jsonl:JsonLines", asked.events, "state", rotate_bytes, replace_damaged=replace_damaged)
    if asked.decisions:
        add("decisions", "jsonl:JsonLines", asked.decisions, "decision", rotate_bytes, replace_damaged=replace_damaged)
    if asked.output:
        add("output", "video:VideoFile", asked.output, source.fps or 30.0)
    if asked.show:
        add("show", "display:Display")
    if asked.mqtt:
        # The broker and the queue on the disk: each goes on without the other.
        spool = MqttQueue()
        if asked.mqtt_queue:
            add("mqtt-queue", "mqtt:Queue", spool, asked.mqtt_queue, replace_damaged)
        add("mqtt", "mqtt:Mqtt", asked.mqtt, spool, asked.home_assistant)
    if asked.metrics is not None:
        add("metrics", "prometheus:Prometheus", asked.metrics, asked.public_url)
    if asked.webhook:
        add("webhook", "webhook:Webhook", asked.webhook)
    if asked.alert_clips:
        add("alert-clips", "alert_clips:SkeletonClips", asked.alert_clips)
    if asked.serve is not None:
        outputs.append(Deferred("serve", lambda: _open_page(asked, source, model)))
    return outputs


def _open_page(asked: Watch, source: Camera, model: ClipModel) -> Sink:
    from edge_c2vl.outputs.page import Page, RunDescription

    about = RunDescription(
        camera=source.describe,
        backend=model.backend.name,
        precision=model.backend.precision,
        bundle=model.name,
        labels=model.labels,
        distraction=model.distraction,
        min_confidence=model.clip.min_confidence,
    )
    page = Page(asked.serve or "", about, asked.serve_video, asked.public_url)
    if asked.status:
        print(page.invitation, file=sys.stderr)
    return page


def reread(pipeline: Pipeline, settings: str | None) -> None:
    """Reads the settings again. Where they are wrong the run goes on with those that it has, and that is told."""
    if settings is None:
        return
    try:
        pipeline.set_policy(read_settings(settings))
        log.warning("settings read again from %s", settings)
    except UsageError as error:
        log.warning("settings kept: %s", error)
