"""Prometheus: /metrics over HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from edge_c2vl.errors import OutputError
from edge_c2vl.listen import allowed, parse_address, token_for
from edge_c2vl.policy import Level, State
from edge_c2vl.records import Alert, Decision
from edge_c2vl.sinks import Run, Sink
from edge_c2vl.temperature import temperature_c

DEFAULT_PORT = 9464
_LATENCY_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5)


class Prometheus(Sink):
    """Serves what the run counts at http://ADDRESS/metrics. Beyond this machine only with a token (see `listen`)."""

    def __init__(self, address: str) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

        disable_created_metrics()  # a time stamp beside every counter, which Prometheus itself does not use
        host, port = parse_address(address, DEFAULT_PORT)
        self._token = token_for(host, "--metrics")
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
        self._state = Gauge(prefix + "state", "1 for the state now, 0 for the others.", ["state"], registry=registry)
        self._level = Gauge(prefix + "alert_level", "0 none, 1 notice, 2 warning, 3 critical.", registry=registry)
        self._awareness = Gauge(prefix + "awareness", "1 fully aware, 0 not at all.", registry=registry)
        self._confidence = Gauge(prefix + "pose_confidence", "Mean confidence of the joints seen.", registry=registry)
        self._speed = Gauge(prefix + "speed_kmh", "The speed that was known; NaN where unknown.", registry=registry)
        self._speed.set(float("nan"))
        for state in State:
            self._decisions.labels(state.value)
            self._state.labels(state.value).set(0)
        self._run: Run | None = None
        registry.register(_Collector(self))
        self._server = self._serve(host, port, registry)
        self.port = self._server.server_port

    def attach(self, run: Run) -> None:
        self._run = run

    def decision(self, decision: Decision) -> None:
        self._age.observe(decision.age_ms / 1e3)
        if decision.encoder_ms is not None:
            self._encoder.observe(decision.encoder_ms / 1e3)
        self._decisions.labels(decision.state.value).inc()
        for state in State:
            self._state.labels(state.value).set(state is decision.state)
        self._level.set(decision.level)
        self._awareness.set(decision.awareness)
        self._confidence.set(decision.pose_confidence)
        self._speed.set(float("nan") if decision.speed_kmh is None else decision.speed_kmh)

    def alert(self, alert: Alert) -> None:
        if alert.level > Level.NONE and alert.reason is not None:
            self._alerts.labels(alert.level.name.lower(), alert.reason.value).inc()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, host: str, port: int, registry: Any) -> WSGIServer:
        from prometheus_client import make_wsgi_app

        metrics = make_wsgi_app(registry)

        def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if not allowed(self._token, environ.get("HTTP_AUTHORIZATION")):
                start_response("401 Unauthorized", [("Content-Type", "text/plain"), ("WWW-Authenticate", "Bearer")])
                return [b"a token is needed\n"]
            return metrics(environ, start_response)

        try:
            server = make_server(host, port, guarded, _server_class(host), _Quiet)
        except OSError as error:
            raise OutputError(f"--metrics {host}:{port}: cannot listen there: {error.strerror}") from None
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        return server


def _server_class(host: str) -> type[WSGIServer]:
    """wsgiref's own knows IPv4 only."""

    class Server(WSGIServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    return Server


class _Quiet(WSGIRequestHandler):
    # A client that says nothing must not hold the one thread that serves.
    timeout = 5

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not worth a line, and an Authorization header must never stand in one."""


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
        yield CounterMetricFamily("edge_c2vl_dropped_frames", "Frames too many for the pose.", value=run.dropped_frames)
        yield CounterMetricFamily("edge_c2vl_reconnects", "Times the camera was opened anew.", value=run.reconnects)
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
