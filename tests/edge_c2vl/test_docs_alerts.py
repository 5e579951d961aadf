"""docs/alerts.md names every setting with its default, and every metric."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.outputs.prometheus import Prometheus
from tests.support.fleet import Run

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "alerts.md").read_text()


def test_every_setting_stands_in_the_docs_with_its_default():
    documented = {}
    for names, values in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([\d., ]+) \|", TEXT, re.MULTILINE):
        documented |= dict(zip(re.findall(r"`(\w+)`", names), map(float, values.split(", ")), strict=True))
    assert documented == {entry.name: entry.default for entry in fields(PolicySettings)}


def test_every_metric_stands_in_the_docs(monkeypatch):
    monkeypatch.setattr("edge_c2vl.outputs.prometheus.temperature_c", lambda: 50.0)
    sink = Prometheus("127.0.0.1:0")
    sink.attach(Run())
    served = {
        family.name + "_total" * (family.type == "counter") + f"{{{','.join(labels)}}}" * bool(labels)
        for family in sink.registry.collect()
        for labels in [[name for name in family.samples[0].labels if name != "le"] if family.samples else []]
    }
    sink.close()
    section = TEXT.partition("### Metrics")[2].partition("###")[0]
    documented = {
        f"edge_c2vl_{name}" for name in re.findall(r"`([a-z_]+(?:\{[a-z,]+\})?)`", section) if name != "edge_c2vl_"
    }
    assert {name.partition("{")[0] for name in served} == {name.partition("{")[0] for name in documented}
    # These have no sample yet, so no labels.
    empty = {f"edge_c2vl_{name}" for name in ("alerts_total", "stage_seconds", "watched", "time_used", "learnt")}
    assert served - documented <= empty
