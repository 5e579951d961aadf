"""Opens the parts that a live run names, and runs the pipeline until the source ends or a signal comes."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.monitoring.apply_baseline import Personaliser
from edge_c2vl.monitoring.policy_file import read_policy
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.self_calibration import SelfCalibration
from edge_c2vl.monitoring.standing import OF_THE_FACE
from edge_c2vl.monitoring.stats import Summary
from edge_c2vl.outputs.base import Sink
from edge_c2vl.outputs.deferred import Deferred
from edge_c2vl.outputs.mqtt_queue import MqttQueue
from edge_c2vl.runtime.face_stage import Watching
from edge_c2vl.runtime.pipeline import Pipeline
from edge_c2vl.runtime.settings import BaselineSettings, RunSettings, changed_options, parse_reasons
from edge_c2vl.runtime.signals import Signals
from edge_c2vl.speed import open_speed

if TYPE_CHECKING:
    from edge_c2vl.cameras.camera import Camera
    from edge_c2vl.inference.model import ClipModel

log = logging.getLogger("edge_c2vl")


@dataclass(frozen=True)
class OpenRun:
    """The parts of a run that has not begun."""

    pipeline: Pipeline
    camera: Camera
    model: ClipModel


def watch(
    asked: RunSettings,
    sinks: Sequence[Sink] = (),
    signals: Signals | None = None,
    read_again: Callable[[], RunSettings] | None = None,
) -> Summary:
    """Runs the live pipeline to its end and returns what it came to. sinks: further ones, beside those asked for.

    signals: what ends it, and on SIGHUP has the policy's limits taken from what `read_again` returns. Raises what
    `opened` raises.
    """
    with opened(asked, sinks) as run:
        if signals is not None:
            signals.connect(run.pipeline.stop, lambda: reread(run.pipeline, asked, read_again))
        return run.pipeline.run(asked.console.duration)


@contextmanager
def opened(asked: RunSettings, sinks: Sequence[Sink] = (), push: bool = False) -> Iterator[OpenRun]:
    """Opens what is asked for, and closes it. push: the caller has the frames (PushedCamera); no camera is opened.

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
    from edge_c2vl.outputs.status import StatusLine
    from edge_c2vl.pose import PoseEstimator, resolve

    options = CameraOptions(
        width=asked.picture.width,
        height=asked.picture.height,
        fps=asked.picture.fps,
        rotation=int(asked.picture.rotate),
        mirror=asked.picture.mirror,
        crop=parse_crop(asked.picture.crop) if asked.picture.crop else None,
        mode=asked.picture.camera_mode,
        realtime=asked.source.realtime,
    )
    resolve(asked.pose.pose, asked.pose.pose_model)
    if not push:
        _refuse_to_overwrite(asked)
    policy = limits(asked)
    with ExitStack() as stack:
        bundle = Bundle.open(asked.model.bundle)
        by_words = asked.decision.decide_by == "words"
        personaliser = _personaliser(asked.baseline, None if by_words else bundle.manifest.attentive_odds)
        if by_words and bundle.words is None:
            raise UsageError(
                f"--decide-by words: bundle {asked.model.bundle} has no labels in words; add some with "
                "edge-c2vl labels add"
            )
        inference = asked.inference
        model = stack.enter_context(
            ClipModel.open(bundle, inference.backend, inference.precision, inference.threads, by_words)
        )
        if not asked.decision.no_alerts and not model.distraction:
            raise UsageError(
                f"bundle {asked.model.bundle} counts none of its {'words' if by_words else 'labels'} as distraction, "
                "so that no alert of distraction would ever come: name some with --distraction of edge-c2vl "
                f"{'labels' if by_words else 'export'}, or run it with --no-alerts"
            )
        model.backend.warm_up()
        speed = stack.enter_context(open_speed(asked.speed.speed_kmh, asked.speed.speed))
        source = stack.enter_context(PushedCamera(options) if push else open_camera(asked.source.camera, options))
        # Opened before the pose networks, which take a moment, so that a wrong camera is told at once.
        outputs = _outputs(asked, source, model, personaliser)
        unused = stack.enter_context(ExitStack())
        for output in outputs:
            unused.callback(output.close)
            output.open_first(may_wait=source.live and not asked.outputs.strict)
        pose = stack.enter_context(
            PoseEstimator(
                asked.pose.pose_model,
                kind=asked.pose.pose,
                threads=asked.inference.threads,
                bundle=bundle,
                min_detection_confidence=asked.pose.min_detection,
            )
        )
        watching = stack.enter_context(_watching(asked, may_fail=source.live and not asked.outputs.strict))
        pipeline = Pipeline(
            Reconnecting(source, asked.decision.hop) if asked.source.reconnect and source.live else source,
            pose,
            model,
            sinks=[*outputs, *([StatusLine(live=source.live)] if not asked.console.quiet else []), *sinks],
            hop_s=asked.decision.hop,
            # Who pushes frames has chosen them.
            pose_fps=asked.decision.pose_fps or (math.inf if push else None),
            policy=policy,
            speed=speed,
            personaliser=personaliser,
            alerts=not asked.decision.no_alerts,
            watching=watching,
        )
        if not asked.console.quiet:
            engine = model.backend
            by = f"pose by {pose.name}, bundle {model.name} on {engine.name} {engine.precision}"
            what = f"{source.describe()}, {by}"
            print(f"{what} ({engine.note})" if engine.note else what, file=sys.stderr)
            if asked.decision.no_alerts:
                print("--no-alerts: whatever the driver does, there will be no alert", file=sys.stderr)
        unused.pop_all()  # the pipeline closes its sinks
        yield OpenRun(pipeline, source, model)
        unfinished = personaliser.unfinished()
        if unfinished is not None and not source.live:
            raise EdgeC2VLError(unfinished)
        if unfinished is not None:
            log.warning("%s", unfinished)


def _refuse_to_overwrite(asked: RunSettings) -> None:
    """Raises UsageError where --output would take the place of the recording that is watched."""
    from edge_c2vl.cameras.file import named_path
    from edge_c2vl.cameras.registry import kind_of

    camera, output = asked.source.camera, asked.outputs.output
    if output is None or kind_of(camera) != "file":
        return
    with suppress(OSError, ValueError):  # one of them is not there
        if named_path(camera).samefile(output):
            raise UsageError(f"--output {output} is what --camera reads, and would take its place: name another file")


@contextmanager
def _watching(asked: RunSettings, may_fail: bool) -> Iterator[Watching]:
    """may_fail: without the face's network the run goes on, and that is told."""
    aspects = parse_reasons(asked.decision.reasons)
    if not aspects & OF_THE_FACE:
        yield Watching(aspects)
        return
    from edge_c2vl.face.tracker import FaceTracker

    try:
        faces = FaceTracker.open(threads=asked.inference.threads)
    except EdgeC2VLError as error:
        if not may_fail:
            raise
        log.error("the face is not watched: %s", error)
        yield Watching(aspects)
        return
    try:
        yield Watching(aspects, faces, asked.decision.face_fps)
    finally:
        faces.close()


def _personaliser(asked: BaselineSettings, attentive_odds: float | None) -> Personaliser:
    calibration = None if asked.no_self_calibration else SelfCalibration(attentive_odds)
    return Personaliser(asked.normal, asked.learn_normal, asked.forget_normal, later=True, calibration=calibration)


def _outputs(asked: RunSettings, source: Camera, model: ClipModel, personaliser: Personaliser) -> list[Deferred]:
    """One line for each kind of output. What a sink needs is imported only where it is asked for."""
    rotate_bytes = int(asked.outputs.rotate_mb * 1e6) if asked.outputs.rotate_mb else None
    # Where somebody looks at what comes out, a damaged file is an error; where nobody does, it must not be the end.
    replace_damaged = source.live and not asked.outputs.strict
    outputs: list[Deferred] = []

    def add(option: str, sink: str, *arguments: Any, **more: Any) -> None:
        """sink: "module:class" in edge_c2vl/outputs."""
        module, _, name = sink.partition(":")

        def build() -> Sink:
            made: Sink = getattr(import_module(f"edge_c2vl.outputs.{module}"), name)(*arguments, **more)
            return made

        outputs.append(Deferred(option, build, wants_skeletons=option == "alert-clips"))

    if asked.baseline.normal is not None:
        add("normal", "normality:Normality", personaliser)
    if asked.outputs.events:
        add("events", "jsonl:JsonLines", asked.outputs.events, "state", rotate_bytes, replace_damaged=replace_damaged)
    if asked.outputs.decisions:
        add(
            "decisions",
            "jsonl:JsonLines",
            asked.outputs.decisions,
            "decision",
            rotate_bytes,
            replace_damaged=replace_damaged,
        )
    if asked.outputs.output:
        add("output", "video:VideoFile", asked.outputs.output, source.fps or 30.0)
    if asked.outputs.show:
        add("show", "display:Display")
    if asked.outputs.mqtt:
        # The broker and the queue on the disk: each goes on without the other.
        spool = MqttQueue()
        if asked.outputs.mqtt_queue:
            add("mqtt-queue", "mqtt:Queue", spool, asked.outputs.mqtt_queue, replace_damaged)
        add("mqtt", "mqtt:Mqtt", asked.outputs.mqtt, spool, asked.outputs.home_assistant)
    if asked.outputs.metrics is not None:
        unused = bool(model.backend.unused_engine)
        add("metrics", "prometheus:Prometheus", asked.outputs.metrics, asked.page.public_url, unused)
    if asked.outputs.webhook:
        add("webhook", "webhook:Webhook", asked.outputs.webhook)
    if asked.outputs.alert_clips:
        faces = asked.outputs.alert_clips_face
        add("alert-clips", "alert_clips:SkeletonClips", asked.outputs.alert_clips, faces=faces)
    if asked.outputs.control:
        add("control", "control:Control", asked.outputs.control)
    if asked.page.serve is not None:
        outputs.append(Deferred("serve", lambda: _open_page(asked, source, model)))
    return outputs


def _open_page(asked: RunSettings, source: Camera, model: ClipModel) -> Sink:
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
    page = Page(asked.page.serve or "", about, asked.page.serve_video, asked.page.public_url)
    if not asked.console.quiet:
        print(page.invitation, file=sys.stderr)
    return page


def limits(asked: RunSettings) -> PolicySettings:
    """The alert policy's settings: those of the file that --settings names, or those beside the other options."""
    return read_policy(asked.decision.settings) if asked.decision.settings else asked.policy


def reread(pipeline: Pipeline, asked: RunSettings, read_again: Callable[[], RunSettings] | None) -> None:
    """Reads the settings again, and takes the policy's limits. Where they are wrong the run goes on with those that it
    has, and that is told; so is what else was changed, which only another start can take."""
    if read_again is None:
        return
    try:
        found = read_again()
        pipeline.set_policy(limits(found))
    except UsageError as error:
        log.warning("settings kept: %s", error)
        return
    log.warning("settings read again: limits of the alert policy")
    changed = changed_options(asked, found)
    if changed:
        log.warning("changed as well, and taken at the next start: %s", ", ".join(changed))
