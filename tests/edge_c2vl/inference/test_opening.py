"""`open_backend`: which engine and precision are chosen, and what is said of the others."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edge_c2vl.bundle.bundle import Bundle, Engine, revise_bundle
from edge_c2vl.device.machine import cpu_name
from edge_c2vl.errors import BundleError, UsageError
from edge_c2vl.inference.engine_build import build_optimised
from edge_c2vl.inference.onnxruntime import (
    OnnxRuntimeBackend,
    chosen_providers,
    cpu_precision,
    optimised_model,
    session_options,
)
from edge_c2vl.inference.select import open_backend
from tests.support.tiny_bundle import SIZE, clips, make_bundle, model

CPU = "Some CPU (x86_64)"


def latency(int8: float, fp32: float) -> dict:
    return {"threads": 1, "int8": {"p50_ms": int8, "p95_ms": 9.0}, "fp32": {"p50_ms": fp32, "p95_ms": 9.0}}


@pytest.mark.parametrize("threads", [10_000, 10**30])
def test_no_more_threads_are_made_than_there_are_cores(threads: int) -> None:
    """Ten thousand that wait for each other by spinning keep a machine busy for good."""
    assert session_options(threads).intra_op_num_threads == len(os.sched_getaffinity(0))
    assert session_options(0).intra_op_num_threads == 0
    assert session_options(1).intra_op_num_threads == 1


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "b")


def test_auto_opens_the_cpu_here_and_says_why_not_the_others(bundle: Bundle) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine's ONNX Runtime has CUDA")
    with open_backend(bundle) as backend:
        assert (backend.name, backend.precision) == ("onnxruntime:cpu", "int8")
        assert "not tensorrt: " in backend.note
        assert "build-engine" in backend.note
        assert "not onnxruntime:cuda: " in backend.note
        logits, embedding = backend.infer(clips(2))
    assert logits.shape == (2, 2)
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)
    assert embedding.shape == (2, SIZE)


@pytest.mark.parametrize(("int8", "fp32", "chosen"), [(1.0, 2.0, "int8"), (2.0, 1.0, "fp32"), (1.0, 1.0, "int8")])
def test_auto_takes_what_was_measured_to_be_faster(tmp_path: Path, int8: float, fp32: float, chosen: str) -> None:
    bundle = make_bundle(tmp_path / "b", latency={cpu_name(): latency(int8, fp32)})
    with open_backend(bundle) as backend:
        assert backend.precision == chosen
        assert f"{chosen}, because int8 takes {int8:g} ms and fp32 {fp32:g} ms on {cpu_name()}" in backend.note
    with open_backend(bundle, precision="int8") as backend:  # who names one gets it
        assert backend.precision == "int8"


def test_figures_of_this_cpu_count_before_those_of_its_relatives(tmp_path: Path) -> None:
    figures = {"Other CPU (x86_64)": latency(1, 2), CPU: latency(2, 1), "ARM (aarch64)": latency(1, 9)}
    bundle = make_bundle(tmp_path / "b", latency=figures)
    assert cpu_precision(bundle, CPU)[0] == "fp32"
    chosen, why = cpu_precision(bundle, "Third CPU (x86_64)")
    assert chosen == "int8"
    assert "Other CPU" in why
    assert cpu_precision(bundle, "POWER (ppc64le)") == (
        "int8",
        f"int8 was not measured against fp32 on this CPU; "
        f"edge-c2vl build-engine {bundle.path} --backend onnxruntime does",
    )


@pytest.mark.parametrize("row", [{}, {"int8": 3}, {"int8": {"p50_ms": "fast"}, "fp32": {"p50_ms": 1}}])
def test_figures_that_make_no_sense_are_passed_over(tmp_path: Path, row: dict) -> None:
    bundle = make_bundle(tmp_path / "b", latency={CPU: row})
    assert cpu_precision(bundle, CPU)[0] == "int8"


def test_without_int8_it_is_fp32(bundle: Bundle) -> None:
    bare = revise_bundle(bundle, {"model.int8.onnx": None})
    assert cpu_precision(bare, CPU) == ("fp32", "")
    with pytest.raises(BundleError, match="edge-c2vl quantize"):
        open_backend(bare, precision="int8")
    with pytest.raises(BundleError, match="edge-c2vl quantize"):
        open_backend(bare, "onnxruntime", "fp16")


@pytest.mark.parametrize("name", ["openvino", "onnxruntime:npu", "tensorrt:0", "", "auto:cpu"])
def test_unknown_names_are_wrong_usage(bundle: Bundle, name: str) -> None:
    with pytest.raises(UsageError, match="there are"):
        open_backend(bundle, name)


def test_providers_are_tried_in_the_order_given() -> None:
    available = onnxruntime.get_available_providers()
    assert chosen_providers(["cpu"]) == ["cpu"]
    if "CUDAExecutionProvider" not in available:
        with pytest.raises(BundleError, match="no CUDAExecutionProvider"):
            chosen_providers(["cuda", "cpu"])


def test_order_with_every_provider_there(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    assert chosen_providers(["cuda", "tensorrt"]) == ["cuda", "tensorrt", "cpu"]
    assert chosen_providers(["cuda", "cpu"]) == ["cuda", "cpu"]


def test_a_model_from_memory_is_the_model_from_the_file(bundle: Bundle) -> None:
    with OnnxRuntimeBackend(model(), "fp32") as memory, OnnxRuntimeBackend(bundle.model_path(), "fp32") as file:
        np.testing.assert_array_equal(memory.infer(clips(3))[0], file.infer(clips(3))[0])
    with pytest.raises(BundleError, match="ONNX Runtime cannot open it"):
        OnnxRuntimeBackend(b"no model", "fp32")


def cpu_engine(bundle: Bundle, **change: str) -> Engine:
    values = {
        "path": "engines/cpu/model.int8.ort",
        "device": CPU,
        "gpu": "",
        "sm": "",
        "tensorrt": "",
        "precision": "int8",
        "sha256": hashlib.sha256(b"ort").hexdigest(),
        "backend": "onnxruntime",
        "onnxruntime": onnxruntime.__version__,
        "model_sha256": bundle.manifest.files["model.int8.onnx"]["sha256"],
    }
    return Engine(**(values | change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "used", "why"),
    [
        ({}, True, ""),
        ({"device": "Other CPU (x86_64)"}, False, ""),
        ({"precision": "fp32"}, False, ""),
        ({"onnxruntime": "1.0.0"}, False, "was made by ONNX Runtime 1.0.0"),
        ({"model_sha256": "0" * 64}, False, "was made from another model"),
    ],
)
def test_which_optimised_model_is_opened(bundle: Bundle, change: dict, used: bool, why: str) -> None:
    engine = cpu_engine(bundle, **change)
    revised = revise_bundle(bundle, {engine.path: b"ort"}, engines=[engine])
    path, note = optimised_model(revised, "int8", CPU)
    assert path.name == ("model.int8.ort" if used else "model.int8.onnx")
    assert why in note
    assert ("build-engine" in note) == bool(why)


def test_an_optimised_model_is_built_compared_measured_and_opened(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, unchanged = (bundle.path / "manifest.json").read_bytes(), []

    def say(_: str) -> None:
        # The bundle is written once, when everything is known.
        unchanged.append((bundle.path / "manifest.json").read_bytes() == before)

    revised, engine = build_optimised(bundle, "auto", 1, say)
    assert unchanged == [True, True]
    assert engine.precision == "int8"
    assert engine.measured["largest_logit_difference"] < 1e-4
    assert engine.measured["same_decision_as_fp32"] == 1
    assert engine.measured["p50_ms"] > 0
    row = Bundle.open(bundle.path).manifest.latency[cpu_name()]
    assert row["int8"]["p50_ms"] > 0 < row["fp32"]["p50_ms"]
    assert optimised_model(revised, "int8", cpu_name()) == (bundle.path / engine.path, "")
    with open_backend(revised, "onnxruntime:cpu", "int8") as fast, open_backend(revised, precision="fp32") as plain:
        np.testing.assert_allclose(fast.infer(clips(4))[0], plain.infer(clips(4))[0], atol=1e-4)
    monkeypatch.setattr("edge_c2vl.inference.benchmark.cpu_latency", lambda *_: latency(1.0, 2.0))
    again, _ = build_optimised(revised, "int8", 1)  # replaces, does not add
    assert len(again.manifest.engines) == 1
