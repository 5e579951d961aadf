"""`edge-c2vl quantize` from end to end, and what it refuses; a refusal leaves every byte of the bundle as it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import numpy_helper

import cli
from calibration import workflow
from calibration.clips import divide, fingerprint
from calibration.commands.quantize import quantize
from calibration.ranges import METHODS, CalibrationError
from calibration.workflow import QuantizeOptions, quantize_bundle
from edge_c2vl.bundle.bundle import Bundle, Engine, revise_bundle
from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.inference.engine_build import checking_clips
from edge_c2vl.inference.select import open_backend
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.utils.scores import softmax
from tests.support.movements import LABELS, SPEC, body

LATENCY = {"threads": 1, "fp32": {"p50_ms": 3.0, "p95_ms": 4.0}, "int8": {"p50_ms": 1.0, "p95_ms": 2.0}}


def digest(path: Path) -> dict[str, str]:
    return {
        str(f.relative_to(path)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in sorted(path.rglob("*"))
        if f.is_file()
    }


@pytest.fixture
def no_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The latency takes most of the time, and is tested where it is measured."""
    monkeypatch.setattr(workflow, "cpu_latency", lambda *_: LATENCY)


def test_from_the_command_line(
    bundle_path: Path, archive_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "cpu_latency", partial(workflow.cpu_latency, times=20, rounds=1))
    before = digest(bundle_path)
    arguments = [str(bundle_path), "--calibration", str(archive_path), "--samples", "32", "--compare-methods"]
    result = CliRunner().invoke(quantize, [*arguments, "--report", str(tmp_path / "report"), "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    bundle = Bundle.open(bundle_path)
    assert bundle.precisions == ["fp32", "fp16", "int8"]
    assert digest(bundle_path)["model.fp32.onnx"] == before["model.fp32.onnx"]

    assert figures["drop_points"] <= 0.5
    assert figures["models"]["fp32"]["balanced"] > 0.9
    assert figures["models"]["int8"]["agreement"] > 0.95
    assert figures["models"]["int8"]["sqnr_logits_db"] > 15
    assert figures["models"]["fp16"]["sqnr_logits_db"] > 40
    assert figures["models"]["fp32"]["sqnr_logits_db"] is None
    assert figures["models"]["fp16"]["bytes"] < 0.7 * figures["models"]["fp32"]["bytes"]
    assert all(row["p50_ms"] > 0 for row in figures["models"].values())
    assert set(figures["methods"]) == {"minmax", "entropy", "percentile", "mse"}
    assert bundle.report["quantisation"]["models"] == figures["models"]

    clips = divide(Archive.open(archive_path), LABELS, SPEC, samples=32).calibration.clips()
    assert bundle.manifest.calibration["sha256"] == fingerprint(clips) == figures["calibration"]["sha256"]
    assert bundle.manifest.calibration["method"] == "mse"
    assert np.abs(checking_clips(bundle) - clips).max() < 2e-3  # kept in FP16
    (device,) = bundle.manifest.latency
    assert bundle.manifest.latency[device]["int8"]["p50_ms"] == figures["models"]["int8"]["p50_ms"]
    (judged,) = bundle.manifest.accuracy["int8"].values()
    assert judged["balanced"] == figures["models"]["int8"]["balanced"]

    text = (tmp_path / "report" / "report.md").read_text()
    assert "| int8 |" in text
    assert "| entropy |" in text
    assert (tmp_path / "report" / "sensitivity.png").is_file()


def test_the_file_in_the_bundle_has_what_tensorrt_wants(bundle_path: Path, archive: Archive, no_timing: None) -> None:
    quantize_bundle(Bundle.open(bundle_path), archive, QuantizeOptions(samples=16))
    pairs_are_symmetric(onnx.load(bundle_path / "model.int8.onnx"))


def pairs_are_symmetric(model: Any) -> None:
    zeros = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    pairs = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert pairs
    assert all(zeros[node.input[2]].dtype == np.int8 and not zeros[node.input[2]].any() for node in pairs)
    assert {entry.domain for entry in model.opset_import} == {""}


def test_a_model_of_a_fixed_batch_is_calibrated_like_any_other(
    bundle_path: Path, archive: Archive, no_timing: None
) -> None:
    free = quantize_bundle(Bundle.open(bundle_path), archive, QuantizeOptions(samples=20)).figures
    model = onnx.load(bundle_path / "model.fp32.onnx")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 3
    onnx.save(model, bundle_path / "model.fp32.onnx")
    claim(bundle_path, "model.fp32.onnx")
    fixed = quantize_bundle(Bundle.open(bundle_path), archive, QuantizeOptions(samples=20)).figures
    for figures in (free, fixed):
        for row in figures["models"].values():
            del row["bytes"]
    # Products of another batch are summed in another order.
    for name, row in free["models"].items():
        assert fixed["models"][name] == pytest.approx(row, abs=1e-3)


def test_engines_of_the_models_that_change_go(bundle_path: Path, archive: Archive, no_timing: None) -> None:
    engines = [Engine(f"engines/gpu/model.{p}.plan", "gpu", "GPU", "8.7", "10.3.0", p, "00") for p in ("fp32", "int8")]
    opened = revise_bundle(Bundle.open(bundle_path), {e.path: b"plan" for e in engines}, engines=engines)
    outcome = quantize_bundle(opened, archive, QuantizeOptions(samples=16))
    assert outcome.bundle.manifest.engines == engines[:1]
    assert "engines/gpu/model.int8.plan" not in outcome.bundle.manifest.files


def test_the_fp16_model_stays_out_on_request(
    bundle_path: Path, archive_path: Path, tmp_path: Path, no_timing: None
) -> None:
    """One that stood there goes, with what was stated of it."""
    arguments = [str(bundle_path), "--calibration", str(archive_path), "--samples", "16"]
    for option, models in (("--fp16", ["int8", "fp16"]), ("--no-fp16", ["int8"])):
        result = CliRunner().invoke(quantize, [*arguments, option, "--report", str(tmp_path / "report")])
        assert result.exit_code == 0, result.output
        told = " and ".join(f"model.{precision}.onnx" for precision in models)
        assert f"{bundle_path} has {told}; tables" in result.stdout
        made = Bundle.open(bundle_path)
        assert set(made.precisions) == set(made.manifest.accuracy) == {"fp32", *models}
        assert ("| fp16 |" in (tmp_path / "report" / "report.md").read_text()) == ("fp16" in models)


def test_skeletons_stay_out_on_request_and_the_graph_is_read_and_checked_once(
    bundle_path: Path, archive: Archive, no_timing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()

    def counting(name: str, function: Any) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            calls[name] += 1
            return function(*arguments, **more)

        return call

    monkeypatch.setattr(workflow, "layers", counting("layers", workflow.layers))
    monkeypatch.setattr(onnx.checker, "check_model", counting("check", onnx.checker.check_model))
    monkeypatch.setattr(workflow, "revise_bundle", counting("bundle", workflow.revise_bundle))
    outcome = quantize_bundle(Bundle.open(bundle_path), archive, QuantizeOptions(samples=16, keep_clips=False))
    assert "calibration.npz" not in outcome.bundle.manifest.files
    # Checked: the INT8 model and the FP16 one.
    assert calls == {"layers": 1, "check": 2, "bundle": 1}


def test_too_large_a_drop_writes_nothing_unless_forced(
    bundle_path: Path, archive: Archive, no_timing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the evaluation split INT8 decides wrongly for every clip, which the selection did not show."""
    honest = workflow.outputs_of

    def pessimistic(*arguments: Any) -> Any:
        found = honest(*arguments)
        return found | {"int8": replace(found["int8"], logits=-found["int8"].logits)}

    monkeypatch.setattr(workflow, "outputs_of", pessimistic)
    before = digest(bundle_path)
    with pytest.raises(CalibrationError, match="--force") as caught:
        quantize_bundle(Bundle.open(bundle_path), archive, QuantizeOptions(samples=16))
    assert "\n" not in str(caught.value)
    assert digest(bundle_path) == before
    forced = quantize_bundle(Bundle.open(bundle_path), archive, QuantizeOptions(samples=16, force=True))
    assert forced.figures["drop_points"] > 50
    assert forced.bundle.precisions == ["fp32", "fp16", "int8"]


def test_force_writes_what_the_search_gives_up_on(
    bundle_path: Path, archive: Archive, no_timing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hopeless(*_: Any) -> list[str]:
        raise CalibrationError("INT8 loses more than 0.5 points")

    monkeypatch.setattr(workflow.sensitivity, "search", hopeless)
    with pytest.raises(CalibrationError):
        quantize_bundle(Bundle.open(bundle_path), archive, QuantizeOptions(samples=16))
    assert Bundle.open(bundle_path).precisions == ["fp32"]
    forced = quantize_bundle(Bundle.open(bundle_path), archive, QuantizeOptions(samples=16, force=True))
    assert forced.figures["floating"] == []


def test_the_command_offers_every_method() -> None:
    (choices,) = [option.type.choices for option in quantize.params if option.name == "method"]
    assert set(choices) == set(METHODS)


def test_the_default_bundle_has_an_int8_model_that_decides_as_fp32() -> None:
    bundle = Bundle.open("default")
    assert bundle.precisions == ["fp32", "int8"]  # made with --no-fp16
    assert sum(entry["size"] for entry in bundle.manifest.files.values()) < 5e6
    pairs_are_symmetric(onnx.load(bundle.model_path("int8")))
    clips = checking_clips(bundle)
    attentive = bundle.manifest.labels.index("attentive")
    with open_backend(bundle, precision="int8") as int8, open_backend(bundle, precision="fp32") as fp32:
        found, exact = softmax(int8.infer(clips)[0]), softmax(fp32.infer(clips)[0])
    # What states and alerts follow; which of 15 activities is the most probable may hang on little.
    assert ((found[:, attentive] < 0.5) == (exact[:, attentive] < 0.5)).mean() > 0.95
    assert abs(found[:, attentive] - exact[:, attentive]).mean() < 0.02
    assert (found.argmax(axis=1) == exact.argmax(axis=1)).mean() > 0.9


def refused(bundle: Path, archive: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """The one line that `edge-c2vl quantize` ends with; the bundle is as it was and nothing lies beside it."""
    before, beside = digest(bundle), sorted(bundle.parent.iterdir())
    with pytest.raises(SystemExit) as stopped:
        cli.main(["quantize", str(bundle), "--calibration", str(archive), "--samples", "16"])
    assert stopped.value.code == 1
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert digest(bundle) == before
    assert sorted(bundle.parent.iterdir()) == beside
    return lines[0]


def claim(bundle: Path, name: str) -> None:
    """The manifest vouches for the file as it is, as a forger's would."""
    values = json.loads((bundle / "manifest.json").read_text())
    content = (bundle / name).read_bytes()
    values["files"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (bundle / "manifest.json").write_text(json.dumps(values))


def test_a_missing_external_file(bundle_path: Path, archive_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = onnx.load(bundle_path / "model.fp32.onnx")
    onnx.save_model(
        model, bundle_path / "model.fp32.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    (bundle_path / "w.bin").unlink()
    claim(bundle_path, "model.fp32.onnx")
    assert "w.bin" in refused(bundle_path, archive_path, capfd)


def test_two_gigabytes_claimed_in_a_kilobyte(
    bundle_path: Path, archive_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # Field 7 (the graph), a length of 2 GB, and 1 kB of it.
    (bundle_path / "model.fp32.onnx").write_bytes(b"\x3a" + b"\x80\x80\x80\x80\x08" + bytes(1000))
    claim(bundle_path, "model.fp32.onnx")
    assert "not a model" in refused(bundle_path, archive_path, capfd)


def test_an_unknown_operator(bundle_path: Path, archive_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = onnx.load(bundle_path / "model.fp32.onnx")
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "Levitate"
    onnx.save(model, bundle_path / "model.fp32.onnx")
    claim(bundle_path, "model.fp32.onnx")
    assert "Levitate" in refused(bundle_path, archive_path, capfd)


def test_weights_that_are_nan(bundle_path: Path, archive_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = onnx.load(bundle_path / "model.fp32.onnx")
    convolution = next(node for node in model.graph.node if node.op_type == "Conv")
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == convolution.input[1])
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(np.nan), weight.name))
    onnx.save(model, bundle_path / "model.fp32.onnx")
    claim(bundle_path, "model.fp32.onnx")
    assert "not finite" in refused(bundle_path, archive_path, capfd)


def test_an_archive_in_another_layout(
    bundle_path: Path, archive_path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in archive_path.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    meta = json.loads((other / "meta.json").read_text())
    (other / "meta.json").write_text(json.dumps(meta | {"layout": "coco17"}))
    assert "coco17" in refused(bundle_path, other, capfd)


def test_an_archive_with_one_sample(bundle_path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one"
    with ArchiveWriter(path, labels=LABELS, source="made up", licence="CC0", source_layout="ntu25") as writer:
        writer.append("only", body(np.random.default_rng(0), 0), 24.0, 0)
    assert "one recording" in refused(bundle_path, path, capfd)


def test_an_archive_with_nan_in_its_skeletons_is_refused(
    bundle_path: Path, archive_path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """No loader writes such numbers, so the file was damaged since."""
    other = with_nan(archive_path, tmp_path / "nan", (slice(None, None, 7), 3))
    assert "numbers that are not finite" in refused(bundle_path, other, capfd)


def with_nan(archive: Path, copy: Path, where: Any) -> Path:
    shutil.copytree(archive, copy)
    frames = np.load(copy / "frames.npy")
    frames[where] = np.nan
    np.save(copy / "frames.npy", frames)
    return copy


def test_skeletons_that_are_all_nan(
    bundle_path: Path, archive_path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    everything = with_nan(archive_path, tmp_path / "nothing", slice(None))
    assert "numbers that are not finite" in refused(bundle_path, everything, capfd)


def test_no_such_archive(bundle_path: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeC2VLError, match="edge-c2vl prepare"):
        quantize_bundle(Bundle.open(bundle_path), Archive.open(tmp_path / "nowhere"), QuantizeOptions())
