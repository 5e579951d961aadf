"""Prometheus: what is counted, and who may listen."""

from __future__ import annotations

import math
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from edge_c2vl.errors import UsageError
from edge_c2vl.monitoring.face_look import FaceLook
from edge_c2vl.monitoring.standing import Aspect, Condition, Level, Reason, ReasonState
from edge_c2vl.outputs.prometheus import Prometheus
from edge_c2vl.utils.listen_address import parse_address, token_for
from tests.support.fleet import ALERT, Run
from tests.support.records import DECISION


def fetch(port, token=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read().decode()


def test_what_is_not_seen_of_the_face_is_no_number():
    sink = Prometheus("127.0.0.1:0")

    def shown(time_s, face=None):
        sink.decision(replace(DECISION, timestamp_s=time_s, face=face))
        names = ("eye_openness", "perclos", "blinks_a_minute", "yawns")
        return [sink.registry.get_sample_value(f"edge_c2vl_{name}") for name in names]

    unseen, nan = FaceLook(12.0, yawns=1), math.nan
    open_eyes = FaceLook(10.0, True, openness=0.9, perclos=0.1, blinks_a_minute=14, yawns=1)
    assert shown(9.0) == pytest.approx([nan] * 4, nan_ok=True)
    assert shown(10.0, open_eyes) == [0.9, 0.1, 14, 1]
    # A decision between two looks.
    assert shown(11.0) == [0.9, 0.1, 14, 1]
    assert shown(12.0, replace(unseen, perclos=0.1, blinks_a_minute=9)) == pytest.approx([nan, 0.1, 9, 1], nan_ok=True)
    assert shown(42.0, replace(unseen, time_s=42.0)) == pytest.approx([nan, nan, nan, 1], nan_ok=True)
    # No looks any more: the network fails.
    assert shown(42.0, replace(open_eyes, time_s=42.0)) == [0.9, 0.1, 14, 1]
    assert shown(44.25) == pytest.approx([nan] * 4, nan_ok=True)
    sink.close()


def test_prometheus_serves_what_the_run_counts():
    from prometheus_client.parser import text_string_to_metric_families

    sink = Prometheus("127.0.0.1:0")
    run = Run()
    run.timings.add("pose", 20.0)
    sink.attach(run)
    standing = {Reason.LONG: Level.WARNING, Reason.CANNOT_SEE: Level.NOTICE}
    opened = {Aspect.EYES: ReasonState(Condition.OPEN, learnt=0.5)}
    closed = {Aspect.EYES: ReasonState(Condition.CLOSED, share=0.25)}
    look = FaceLook(1.0, True, openness=0.1, blinks_a_minute=14)
    sink.decision(replace(DECISION, reasons=opened, face=look))
    sink.decision(replace(DECISION, level=Level.WARNING, alerts=standing, reasons=closed, face=look))
    sink.alert(ALERT)
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(fetch(sink.port))
        for sample in family.samples
    }
    sink.close()
    assert samples["edge_c2vl_frames_total",] == 90
    assert samples["edge_c2vl_dropped_frames_total",] == 4
    assert samples["edge_c2vl_reconnects_total",] == 2
    assert samples["edge_c2vl_damaged_pictures_total",] == 5
    assert samples["edge_c2vl_crop_misfit",] == 1
    assert samples["edge_c2vl_reduced",] == 1
    assert samples["edge_c2vl_refused_speeds_total",] == 3
    assert samples["edge_c2vl_state", "distracted"] == 1
    assert samples["edge_c2vl_state", "attentive"] == 0
    assert samples["edge_c2vl_alert_level",] == 2
    assert samples["edge_c2vl_alert", "long distraction"] == 2
    assert samples["edge_c2vl_alert", "cannot see"] == 1
    assert samples["edge_c2vl_alert", "cumulative distraction"] == 0
    assert samples["edge_c2vl_alerts_total", "warning", "long distraction"] == 1
    assert samples["edge_c2vl_watched", "eyes", "closed"] == 1
    assert samples["edge_c2vl_watched", "eyes", "open"] == 0
    assert samples["edge_c2vl_time_used", "eyes"] == 0.25
    assert math.isnan(samples["edge_c2vl_learnt", "eyes"])
    assert samples["edge_c2vl_eye_openness",] == 0.1
    assert math.isnan(samples["edge_c2vl_perclos",])
    assert samples["edge_c2vl_blinks_a_minute",] == 14
    assert samples["edge_c2vl_decision_age_seconds_count",] == 2
    assert samples["edge_c2vl_stage_seconds_sum", "pose"] == pytest.approx(0.02)
    assert samples["edge_c2vl_sink_failures_total", "JsonLines"] == 1


def test_prometheus_asks_for_the_token(monkeypatch):
    monkeypatch.setenv("EDGE_C2VL_TOKEN", "a-secret-of-some-length")
    sink = Prometheus("127.0.0.1:0")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        fetch(sink.port)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        fetch(sink.port, "another")
    assert "edge_c2vl_awareness" in fetch(sink.port, "a-secret-of-some-length")
    sink.close()


def test_on_this_machine_an_empty_token_is_none(monkeypatch):
    monkeypatch.setenv("EDGE_C2VL_TOKEN", "")
    assert token_for("127.0.0.1", "--metrics") is None


def test_nothing_listens_for_other_machines_without_a_token(monkeypatch):
    monkeypatch.delenv("EDGE_C2VL_TOKEN", raising=False)
    with pytest.raises(UsageError, match="EDGE_C2VL_TOKEN"):
        Prometheus("0.0.0.0:0")
    monkeypatch.setenv("EDGE_C2VL_TOKEN", "short")
    with pytest.raises(UsageError, match="at least 16"):
        Prometheus("0.0.0.0:0")


def test_prometheus_serves_ipv6_too():
    sink = Prometheus("[::1]:0")
    with urllib.request.urlopen(f"http://[::1]:{sink.port}/metrics", timeout=5) as answer:
        assert b"edge_c2vl_awareness" in answer.read()
    sink.close()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", ("127.0.0.1", 9464)),
        ("8000", ("127.0.0.1", 8000)),
        (":8000", ("127.0.0.1", 8000)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:80", ("::1", 80)),
        ("myhost", ("myhost", 9464)),
    ],
)
def test_addresses(text, address):
    assert parse_address(text, 9464) == address


@pytest.mark.parametrize("text", ["host:port", "1.2.3.4:99999", "²", "9" * 5000])
def test_addresses_that_are_none(text):
    with pytest.raises(UsageError, match="HOST:PORT"):
        parse_address(text, 9464)
