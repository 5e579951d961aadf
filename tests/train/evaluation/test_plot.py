"""`edge-c2vl show` and `edge-c2vl plot`, as a user calls them."""

from __future__ import annotations

import json

import matplotlib.image
import numpy as np
import pytest

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from tests.support.commands import call
from tests.support.tiny_bundle import make_bundle
from tests.support.training import body
from train.evaluation.embedding_map import embedding_map
from train.evaluation.models import BundleModel


@pytest.fixture
def archive(tmp_path):
    random = np.random.default_rng(0)
    path = tmp_path / "archive"
    with ArchiveWriter(path, labels=["low", "high"], source="", licence="", source_layout="ntu25") as writer:
        for index in range(12):
            frames = body(random, 20, raised=index % 2 == 1)
            writer.append(f"clip{index}", frames, 10.0, label=index % 2, subject=f"s{index % 3}", camera="c1")
    return path


def test_show_tells_what_a_clip_is_and_draws_it(archive, tmp_path):
    result = call("show", archive, "clip1", "--output", tmp_path / "strip.png", "--frames", "3")
    assert "label      high" in result.stdout
    assert "1.9" in result.stdout
    assert any(0x2800 < ord(letter) < 0x2900 for letter in result.stdout)
    height, width, _ = matplotlib.image.imread(tmp_path / "strip.png").shape
    assert width > 1.3 * height
    facts = json.loads(call("show", archive, "2", "--json").stdout)
    assert facts == {"name": "clip2", "label": "low", "frames": 20, "seconds": 1.9, "subject": "s2", "camera": "c1"}
    with pytest.raises(UsageError, match="no clip 'x'"):
        call("show", archive, "x")


def test_curves_of_runs(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(UsageError, match="is no training run"):
        call("plot", "curves", run, tmp_path / "curves.png")
    (run / "metrics.jsonl").write_text('{"epoch": 1, "step": 4, "loss": 2.0}\n{"epoch": 2, "step": 8, "loss": 1.0}\n')
    call("plot", "curves", run, tmp_path / "curves.svg")
    assert b"loss" not in (tmp_path / "curves.svg").read_bytes()[:100]
    assert (tmp_path / "curves.svg").stat().st_size > 5000
    (run / "metrics.jsonl").write_text("")
    with pytest.raises(UsageError, match="no epoch is finished"):
        call("plot", "curves", run, tmp_path / "curves.png")


def test_latencies_of_a_run_and_of_a_bench(tmp_path):
    stages = {name: {"p50_ms": 1.0, "p95_ms": 2.0} for name in ("capture", "pose", "window", "encoder", "policy")}
    (tmp_path / "run.json").write_text(json.dumps({"stages": stages}))
    # In the sample nothing is to be judged by, so no encoder is asked.
    (tmp_path / "bench.json").write_text(json.dumps({"run": {"stages": {"pose": stages["pose"]}}}))
    call("plot", "latency", tmp_path / "run.json", tmp_path / "bench.json", tmp_path / "latency.pdf")
    assert (tmp_path / "latency.pdf").read_bytes().startswith(b"%PDF")
    (tmp_path / "run.json").write_text("[1]")
    with pytest.raises(UsageError, match=r"is no output of edge-c2vl run --json"):
        call("plot", "latency", tmp_path / "run.json", tmp_path / "latency.pdf")
    (tmp_path / "run.json").write_bytes(b"\0\xff" * 5000)
    with pytest.raises(UsageError, match=r"bench --json: it is no text$"):
        call("plot", "latency", tmp_path / "run.json", tmp_path / "latency.pdf")


def test_embeddings_of_a_bundle(archive, tmp_path):
    make_bundle(tmp_path / "bundle")
    picture = tmp_path / "map.png"
    call("plot", "embeddings", archive, picture, "--bundle", tmp_path / "bundle", "--by", "subject")
    assert picture.stat().st_size > 5000
    with BundleModel(str(tmp_path / "bundle")) as model:
        places, groups = embedding_map(Archive.open(archive), model, "label", 10, seed=1)
        again, _ = embedding_map(Archive.open(archive), model, "label", 10, seed=1)
        assert places.shape == (10, 2)
        assert sorted(set(groups)) == ["high", "low"]
        assert np.array_equal(places, again)
        with pytest.raises(UsageError, match="no column 'colour'"):
            embedding_map(Archive.open(archive), model, "colour", 10, seed=1)
