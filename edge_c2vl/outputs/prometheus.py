"""Prometheus: /metrics over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edge_c2vl.device.temperature import temperature_c
from edge_c2vl.monitoring.body import WHYS
from edge_c2vl.monitoring.events import Alert, Decision, Missing
from edge_c2vl.monitoring.face_look import FaceLook
from edge_c2vl.monitoring.policy import State
from edge_c2vl.monitoring.standing import Aspect, Condition, Level, Reason
from edge_c2vl.outputs.base import Run, Sink
from edge_c2vl.utils.listen_address import allowed
from edge_c2vl.web.guard import App, Message, refuse
from edge_c2vl.web.server import HttpServer

DEFAULT_PORT = 9464
MAX_CONNECTIONS = 32
NAN = float("nan")
# A decision between two looks at the face brings none; after so long there are no more looks.
FACE_HOLDS_S = 2.0
_LATENCY_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5)


class Prometheus(Sink):
    """Serves what the run counts at http://ADDRESS/metrics. Beyond this machine only with a token (see `listen`).
    public_url: its names are this server's as well. engine_unused: the bundle's engine is not what runs."""

    def __init__(self, address: str, public_url: str | None = None, engine_unused: bool = False) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

        disable_created_metrics()  # a time stamp beside every counter, which Prometheus itself does not use
        self._server = HttpServer(address, DEFAULT_PORT, "--metrics", public_url, MAX_CONNECTIONS)
        self.registry = registry = CollectorRegistry()
        prefix = "edge_c2vl_"
        self._age = Histogram(
            prefix + "decision_age_seconds",
            "Age of the newest frame when a decision was made.",
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )
        self._encoder = Histogram(
            prefix + "encoder_seconds", "What the encoder took.", buckets=_LATENCY_BUCKETS_S, registry=registry
        )
        self._decisions = Counter(prefix + "decisions", "Decisions by state.", ["state"], registry=registry)
        self._alerts = Counter(prefix + "alerts", "Alerts by level and reason.", ["level", "reason"], registry=registry)
        self._missing = Gauge(
            prefix + "missing", "1 for what is not seen of the driver, 0 for the rest.", ["what"], registry=registry
        )
        self._state = Gauge(prefix + "state", "1 for the state now, 0 for the others.", ["state"], registry=registry)
        self._level = Gauge(
            prefix + "alert_level", "Of the loudest alert: 0 none, 1 notice, 2 warning, 3 critical.", registry=registry
        )
        self._standing = Gauge(prefix + "alert", "The level of each reason's alert.", ["reason"], registry=registry)

        def gauge(name: str, about: str, *labels: str) -> Any:
            return Gauge(prefix + name, about, labels, registry=registry)

        self._watched = gauge("watched", "1 for what is seen of an aspect, 0 for the rest.", "aspect", "state")
        self._used = gauge("time_used", "Share of the time to its loudest alert that is used up.", "aspect")
        self._known = gauge("learnt", "Share of what is learnt of the driver; NaN where nothing is.", "aspect")
        self._openness = gauge("eye_openness", "0 closed, 1 this driver's open eye; NaN where not seen.")
        self._perclos = gauge("perclos", "Share of the last minute with closed eyes; NaN where not seen.")
        self._blinks = gauge("blinks_a_minute", "Short closures in the last minute; NaN where not seen.")
        self._yawns = gauge("yawns", "In the last five minutes; NaN where no face is looked at.")
        self._face: FaceLook | None = None
        self._show_face(None)
        self._awareness = Gauge(prefix + "awareness", "1 fully aware, 0 not at all.", registry=registry)
        self._learnt = Gauge(
            prefix + "self_calibration_learnt", "Share that is done; NaN where switched off.", registry=registry
        )
        self._offset = Gauge(
            prefix + "self_calibration_offset", "Log-odds of distraction that are taken off.", registry=registry
        )
        self._confidence = Gauge(prefix + "pose_confidence", "Mean confidence of the joints seen.", registry=registry)
        self._speed = Gauge(prefix + "speed_kmh", "The speed that was known; NaN where unknown.", registry=registry)
        self._speed.set(NAN)
        for state in State:
            self._decisions.labels(state.value)
            self._state.labels(state.value).set(0)
        for what in Missing:
            self._missing.labels(what.value).set(0)
        for reason in Reason:
            self._standing.labels(reason.value).set(0)
        unused = Gauge(
            prefix + "engine_unused", "1 while the bundle's TensorRT engine cannot be used.", registry=registry
        )
        unused.set(engine_unused)
        self._run: Run | None = None
        self._shown: dict[Aspect, Condition] = {}
        registry.register(_Collector(self))
        self._server.serve(_app(registry, self._server.token))
        self._server.start()
        self.port = self._server.port

    def attach(self, run: Run) -> None:
        self._run = run

    def decision(self, decision: Decision) -> None:
        self._age.observe(decision.age_ms / 1e3)
        if decision.encoder_ms is not None:
            self._encoder.observe(decision.encoder_ms / 1e3)
        self._decisions.labels(decision.state.value).inc()
        for state in State:
            self._state.labels(state.value).set(state is decision.state)
        for what in Missing:
            self._missing.labels(what.value).set(what is decision.missing)
        self._level.set(decision.level)
        for reason in Reason:
            self._standing.labels(reason.value).set(decision.alerts.get(reason, Level.NONE))
        for aspect, now in decision.reasons.items():
            # Each state from the first time that it was seen.
            self._watched.labels(aspect.value, now.state.value).set(1)
            if (before := self._shown.get(aspect, now.state)) is not now.state:
                self._watched.labels(aspect.value, before.value).set(0)
            self._shown[aspect] = now.state
            self._used.labels(aspect.value).set(now.share)
            self._known.labels(aspect.value).set(NAN if now.learnt is None else now.learnt)
        if decision.face is not None:
            self._face = decision.face
        elif self._face is not None and not 0 <= decision.timestamp_s - self._face.time_s <= FACE_HOLDS_S:
            self._face = None
        self._show_face(self._face)
        self._awareness.set(decision.awareness)
        self._learnt.set(NAN if decision.learnt is None else decision.learnt)
        self._offset.set(decision.offset or 0.0)
        self._confidence.set(decision.pose_confidence)
        self._speed.set(NAN if decision.speed_kmh is None else decision.speed_kmh)

    def _show_face(self, face: FaceLook | None) -> None:
        """NaN for what is not seen: a value of before would say that the eyes are open."""
        self._openness.set(NAN if face is None or face.openness is None else face.openness)
        self._perclos.set(NAN if face is None or face.perclos is None else face.perclos)
        # Nobody can count in a minute most of which did not show the eyes.
        unseen = face is None or (face.openness is None and face.perclos is None)
        self._blinks.set(NAN if face is None or unseen else face.blinks_a_minute)
        self._yawns.set(NAN if face is None else face.yawns)

    def alert(self, alert: Alert) -> None:
        if alert.level > Level.NONE:
            self._alerts.labels(alert.level.name.lower(), alert.reason.value).inc()

    def close(self) -> None:
        self._server.close()


def _app(registry: Any, token: str | None) -> App:
    from prometheus_client import make_asgi_app

    metrics = make_asgi_app(registry)

    async def guarded(scope: Message, receive: Any, send: Any) -> None:
        headers = scope["headers"]
        shown = [value.decode("latin-1") for name, value in headers if name.lower() == b"authorization"]
        if not allowed(token, shown[0] if shown else None):
            await refuse(scope, send, 401, "a token is needed", (b"www-authenticate", b"Bearer"))
            return
        # What it reads as UTF-8, whatever bytes a client sends.
        await metrics({**scope, "headers": [pair for pair in headers if b"".join(pair).isascii()]}, receive, send)

    return guarded


class _Collector:
    """What is read at the moment somebody asks: counters that the pipeline keeps anyway."""

    def __init__(self, sink: Prometheus) -> None:
        self._sink = sink

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily

        temperature = temperature_c()
        if temperature is not None:
            yield GaugeMetricFamily("edge_c2vl_temperature_celsius", "The hottest sensor.", value=temperature)
        run = self._sink._run
        if run is None:
            return
        yield CounterMetricFamily("edge_c2vl_frames", "Frames that were looked at.", value=run.summary.frames)
        yield CounterMetricFamily("edge_c2vl_poses", "Frames with somebody in view.", value=run.summary.poses)
        rejected = CounterMetricFamily(
            "edge_c2vl_rejected_bodies", "Pictures with a body that can be no driver's.", labels=["why"]
        )
        for speaks_against in WHYS:
            rejected.add_metric([speaks_against], run.summary.rejected.get(speaks_against, 0))
        yield rejected
        skipped = run.summary.skipped_frames
        yield CounterMetricFamily("edge_c2vl_skipped_frames", "Frames left out by the pose's rate.", value=skipped)
        yield CounterMetricFamily("edge_c2vl_dropped_frames", "Frames too many for the pose.", value=run.dropped_frames)
        yield CounterMetricFamily("edge_c2vl_reconnects", "Times the camera was opened anew.", value=run.reconnects)
        yield CounterMetricFamily("edge_c2vl_damaged_pictures", "Left out of a stream.", value=run.damaged_pictures)
        yield GaugeMetricFamily(
            "edge_c2vl_crop_misfit", "1: not watched, the crop is for another picture shape.", value=run.misfit
        )
        yield GaugeMetricFamily(
            "edge_c2vl_reduced", "Steps of work left out for heat or load; 0: full work.", value=run.reduced
        )
        yield CounterMetricFamily("edge_c2vl_refused_speeds", "Readings that were no speed.", value=run.refused_speeds)
        stages = SummaryMetricFamily("edge_c2vl_stage_seconds", "Time spent in a stage.", labels=["stage"])
        for stage, (count, total_ms) in run.timings.totals().items():
            stages.add_metric([stage], count_value=count, sum_value=total_ms / 1e3)
        yield stages
        lost = CounterMetricFamily("edge_c2vl_sink_failures", "Records a sink failed to take.", labels=["sink"])
        for name, failures in run.sink_failures().items():
            lost.add_metric([name], failures)
        yield lost
        down = GaugeMetricFamily("edge_c2vl_outputs_down", "1 while it cannot be opened, 0.", labels=["output"])
        for name, why in run.outputs_down().items():
            down.add_metric([name], why is not None)
        yield down
