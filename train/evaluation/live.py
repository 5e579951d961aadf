"""Labelled recordings through the whole live pipeline: what a driver would have been told, and when.

A recording is a video and, beside it under the same name, a CSV of start,end,label in seconds of the video; what no row
covers is attentive driving, and a row labelled - or ? is not judged. It is played through `edge-c2vl run`'s own camera,
pose, window, encoder and policy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from edge_c2vl import plots
from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.errors import DatasetError, UsageError
from edge_c2vl.monitoring.events import Alert, Decision, SeenSkeleton, StateChange
from edge_c2vl.monitoring.policy import State
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.standing import OF_DISTRACTION, Level, Reason
from edge_c2vl.names import printable
from edge_c2vl.outputs.base import Sink
from edge_c2vl.runtime.run import watch
from edge_c2vl.runtime.settings import RunSettings, SourceSettings
from train.environment import describe_environment
from train.evaluation.events import Counted, count, merged
from train.evaluation.reasons import ReasonCounted, count_reason, stood
from train.evaluation.report import Report, ReportPicture, Table, Text, percent
from train.extraction.extract import videos_in
from train.extraction.label_files import AMBIGUOUS, END_TOLERANCE_S, Span, labels_of, read_truth


@dataclass
class Recorder(Sink):
    """Keeps what the pipeline says. Only times, no pictures."""

    wants_skeletons = True
    ambiguous: Sequence[Span] = ()
    decisions: list[Decision] = field(default_factory=list)
    changes: list[StateChange] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    last_s: float = 0.0
    # That were watched and are judged: pictures far apart have a time between them that nobody saw.
    seconds: float = 0.0
    _before_s: float | None = None

    def decision(self, decision: Decision) -> None:
        self.decisions.append(replace(decision, logits=None, probabilities=None))

    def state(self, change: StateChange) -> None:
        self.changes.append(change)

    def alert(self, alert: Alert) -> None:
        self.alerts.append(alert)

    def skeleton(self, skeleton: SeenSkeleton) -> None:
        unclear = any(span.contains(skeleton.timestamp_s) for span in self.ambiguous)
        if self._before_s is not None and not unclear:
            self.seconds += min(max(0.0, skeleton.timestamp_s - self._before_s), PolicySettings.max_step_s)
        self.last_s = self._before_s = skeleton.timestamp_s

    def distracted(self) -> list[Span]:
        """The spans in the state "distracted", as `--events` tells them."""
        return [Span(change.start_s, change.end_s) for change in self.changes if change.state is State.DISTRACTED]

    def labelled(self) -> list[Span]:
        """The spans in which, within the state "distracted", one label was the most probable."""
        spans: list[Span] = []
        before: Decision | None = None
        for decision in self.decisions:
            label = decision.label if decision.state is State.DISTRACTED else None
            watched = before is not None and decision.timestamp_s - before.timestamp_s <= PolicySettings().gap_s
            if watched and before is not None and spans and before.state is State.DISTRACTED:
                spans[-1] = replace(spans[-1], end_s=decision.timestamp_s)
            goes_on = watched and before is not None and before.state is State.DISTRACTED and before.label == label
            if label is not None and not goes_on:
                spans.append(Span(decision.timestamp_s, decision.timestamp_s, label))
            before = decision
        return spans

    def alert_times(self) -> list[float]:
        """When an alert for distraction arose where none stood; one that grows more urgent, or that a further reason
        joins, counts as the same."""
        times: list[float] = []
        standing: set[Reason] = set()
        for alert in self.alerts:
            if alert.reason not in OF_DISTRACTION:
                continue
            if alert.level is Level.NONE:
                standing.discard(alert.reason)
                continue
            if not standing:
                times.append(alert.timestamp_s)
            standing.add(alert.reason)
        return times


@dataclass(frozen=True)
class Judged:
    """One recording: its truth, what was recorded, and the counts: of distraction as such, of each label, and of each
    reason for alerts, where the CSV tells them."""

    video: Path
    truth: list[Span]
    recorder: Recorder
    detection: Counted
    labels: dict[str, Counted]
    reasons: dict[str, ReasonCounted] = field(default_factory=dict)


# What a row says where it tells that a driver was distracted and not by what.
ANY = "distracted"


def evaluate(paths: Sequence[Path], asked: RunSettings, least_iou: float = 0.5) -> Report:
    """Plays the videos, and those in the folders named, and reports. asked: as for `run`; its camera is replaced by
    each video.

    Raises DatasetError, UsageError, CameraError, BundleError; labels are checked before anything is played.
    """
    manifest = Bundle.open(asked.model.bundle).manifest
    if not manifest.distraction:
        raise UsageError(
            f"bundle {asked.model.bundle} counts none of its labels as distraction: there are no events to find"
        )
    videos = [video for path in paths for video in (videos_in(path) if path.is_dir() else [path])]
    labels = list(dict.fromkeys([*manifest.labels, ANY]))
    reasons = [reason.value for reason in Reason]
    truths = [read_truth(labels_of(video), labels, nominal_s(video, asked), reasons) for video in videos]
    judged = [
        judge(video, truth, manifest.distraction, asked, least_iou, manifest.clip.seconds)
        for video, truth in zip(videos, truths, strict=True)
    ]
    return _report(judged, manifest.distraction, asked, least_iou)


def nominal_s(video: Path, asked: RunSettings) -> float:
    """The video's length as its container tells it; infinite where it does not. Raises CameraError."""
    from edge_c2vl.cameras.camera import open_camera
    from edge_c2vl.cameras.options import CameraOptions

    with open_camera(str(video), CameraOptions(fps=asked.picture.fps)) as camera:
        if camera.live:
            raise UsageError(f"{video} is a live source: --live plays recordings")
        count, rate = camera.frame_count, camera.source_fps
    return count / rate if count and rate else math.inf


def judge(
    video: Path, truth: list[Span], distraction: Sequence[str], asked: RunSettings, least_iou: float, window_s: float
) -> Judged:
    ambiguous = [span for span in truth if span.label in AMBIGUOUS]
    recorder = Recorder(ambiguous)
    source, console = SourceSettings(str(video)), replace(asked.console, quiet=True)
    watch(replace(asked, source=source, console=console), [recorder])
    beyond = [span for span in truth if span.end_s > recorder.last_s + END_TOLERANCE_S]
    if beyond:
        line = truth.index(beyond[0]) + 2
        raise DatasetError(
            f"{labels_of(video)}, line {line}: {beyond[0].end_s:g} s lies beyond the video's end at "
            f"{recorder.last_s:.2f} s"
        )
    events = [span for span in truth if span.label in distraction or span.label == ANY]
    options: dict[str, Any] = {"least_iou": least_iou, "grace_s": window_s, "seconds": recorder.seconds}
    options["ambiguous"] = ambiguous
    found = recorder.labelled()
    labels = {
        label: count(
            [span for span in events if span.label == label], [span for span in found if span.label == label], **options
        )
        for label in distraction
    }
    detection = count(merged(events), recorder.distracted(), alerts_s=recorder.alert_times(), **options)
    return Judged(video, truth, recorder, detection, labels, _reasons(truth, recorder, window_s))


def _reasons(truth: list[Span], recorder: Recorder, window_s: float) -> dict[str, ReasonCounted]:
    """Of each reason there is; of none where the CSV has no column of them."""
    if not any(span.reasons is not None for span in truth):
        return {}
    alerts = stood(recorder.alerts, recorder.last_s)
    return {reason.value: count_reason(reason.value, truth, alerts, window_s, recorder.seconds) for reason in Reason}


NOTE = (
    "An event is a span in which the driver is distracted; one that was found is a span in the state distracted, from "
    "the first decision that says so. A pair matches from an intersection over union of {iou:g} on. Delay: from an "
    "event's start to the first decision in the state distracted while it lasts. False: where no event is under way, "
    "nor ended within the last {window:g} s, which the window still shows. An alert that grows more urgent counts once."
)


def _report(judged: Sequence[Judged], distraction: Sequence[str], asked: RunSettings, least_iou: float) -> Report:
    total = sum((one.detection for one in judged), Counted())
    labels = {label: sum((one.labels[label] for one in judged), Counted()) for label in distraction}
    reasons = {
        reason.value: sum((one.reasons[reason.value] for one in judged if one.reasons), ReasonCounted())
        for reason in Reason
    }
    reasons = {reason: counted for reason, counted in reasons.items() if counted.due or counted.alerts}
    note = NOTE.format(iou=least_iou, window=Bundle.open(asked.model.bundle).manifest.clip.seconds)
    values = {
        "bundle": asked.model.bundle,
        "precision": asked.inference.precision,
        "backend": asked.inference.backend,
        "hop_s": asked.decision.hop,
        "least_iou": least_iou,
        "events": total.to_json(),
        "labels": {label: counted.to_json() for label, counted in labels.items()},
        "reasons": {reason: counted.to_json() for reason, counted in reasons.items()},
        "recordings": {
            printable(str(one.video)): one.detection.to_json()
            | {"labels": {label: counted.to_json() for label, counted in one.labels.items()}}
            | {"reasons": {reason: counted.to_json() for reason, counted in one.reasons.items()}}
            for one in judged
        },
        "note": note,
        "environment": describe_environment(),
    }
    report = Report(
        "Live pipeline on labelled recordings", values, [Text(printable(f"Bundle {asked.model.bundle}. {note}"))]
    )
    rows = [_row("all", total)] + (
        [_row(printable(one.video.name), one.detection) for one in judged] if len(judged) > 1 else []
    )
    report.parts.append(Table("Distraction", _HEADER, rows))
    if len(distraction) > 1:
        report.parts.append(Table("Each label", _HEADER, [_row(label, found) for label, found in labels.items()]))
    if reasons:
        rows = [_reason_row(reason, counted) for reason, counted in reasons.items()]
        report.parts.append(Table("Each reason for alerts", _REASON_HEADER, rows))
    for number, one in enumerate(judged):
        spans = {
            "is": [(span.start_s, span.end_s) for span in one.truth if span.label in distraction],
            "found": [(span.start_s, span.end_s) for span in one.recorder.distracted()],
            "not judged": [(span.start_s, span.end_s) for span in one.recorder.ambiguous],
            "alerts": [(time_s, time_s + 0.3) for time_s in one.recorder.alert_times()],
        }
        name = printable(one.video.name)
        draw = partial(plots.timeline, list(spans.items()), max(one.recorder.last_s, 1.0), name)
        report.parts.append(ReportPicture(f"{name}: when", draw, f"timeline_{number}"))
    return report


_HEADER = (
    "", "events", "found", "matched", "precision %", "recall %", "F1 %", "noticed", "delay p50 s", "delay p95 s",
    "alerts", "false alerts/h (in seconds)", "false events/h (in seconds)",
)  # fmt: skip


_REASON_HEADER = (
    "", "due", "alerts", "precision %", "recall %", "delay p50 s", "delay p95 s", "false alerts/h (in seconds)",
)  # fmt: skip


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _reason_row(reason: str, counted: ReasonCounted) -> list[str]:
    values = counted.to_json()
    return [
        reason,
        *(str(values[key]) for key in ("due", "alerts")),
        *(percent(values[key], 1) for key in ("precision", "recall")),
        *(_number(values[key]) for key in ("delay_median_s", "delay_p95_s")),
        f"{_number(values['false_alerts_an_hour'], 1)} ({values['false_alerts']} in {counted.seconds:.0f} s)",
    ]


def _row(name: str, counted: Counted) -> list[str]:
    values = counted.to_json()
    return [
        name,
        *(str(values[key]) for key in ("truth", "found", "matched")),
        *(percent(values[key], 1) for key in ("precision", "recall", "f1")),
        str(values["noticed"]),
        _number(values["delay_median_s"]),
        _number(values["delay_p95_s"]),
        str(values["alerts"]),
        # A rate of a short recording says little: one alert in 14 s are 257 an hour.
        *(
            f"{_number(values[f'{name}_an_hour'], 1)} ({values[name]} in {counted.seconds:.0f} s)"
            for name in ("false_alerts", "false_events")
        ),
    ]
