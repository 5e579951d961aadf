"""Which engine a device may load: everything that is stale, foreign or altered is refused, with the way out."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from edge_c2vl.bundle.bundle import Bundle, revise_bundle
from edge_c2vl.errors import BundleError
from edge_c2vl.inference.engine_check import Device, fitting_engine, listed_engines, refusal, vouched_plan
from tests.support.engines import ORIN, PLAN, engine_for
from tests.support.tiny_bundle import make_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    made = make_bundle(tmp_path / "b")
    engines = [engine_for(made, precision) for precision in ("fp32", "int8")]
    return revise_bundle(made, {engine.path: PLAN for engine in engines}, engines=engines)


def test_the_engine_built_here_fits(bundle: Bundle) -> None:
    assert fitting_engine(bundle, ORIN).precision == "int8"
    assert fitting_engine(bundle, ORIN, "fp32").precision == "fp32"
    assert vouched_plan(bundle, fitting_engine(bundle, ORIN)) == PLAN


@pytest.mark.parametrize(
    ("device", "built", "why"),
    [
        (Device("Orin", "8.7", "10.13.0"), {}, "was built by TensorRT 10.3.0, this is 10.13.0"),
        (Device("Orin", "8.7", "8.6.2"), {}, "was built by TensorRT 10.3.0, this is 8.6.2"),
        (Device("Orin", "8.7", "10.13.0"), {"version_compatible": True}, ""),
        (Device("Orin", "8.7", "10.2.0"), {"version_compatible": True}, "was built by TensorRT 10.3.0"),
        (Device("Orin", "8.7", "11.4.0"), {"version_compatible": True}, "was built by TensorRT 10.3.0"),
        (Device("H200", "9.0", "10.3.0"), {}, r"was built for Orin \(SM 8.7\), this is H200 \(SM 9.0\)"),
        (Device("Orin Nano", "8.7", "10.3.0"), {}, "was built for Orin"),
        (Device("H200", "9.0", "10.3.0"), {"hardware_compatible": True}, ""),
        (Device("Xavier", "7.2", "10.3.0"), {"hardware_compatible": True}, "was built for Orin"),
        (ORIN, {"model_sha256": "0" * 64}, "is stale"),
        (ORIN, {"precision": "fp16"}, "is stale"),  # the bundle has no FP16 model that it could come from
    ],
)
def test_what_fits_where(bundle: Bundle, device: Device, built: dict, why: str) -> None:
    reason = refusal(bundle, replace(engine_for(bundle), **built), device)
    if why:
        assert re.match(why, reason)
    else:
        assert reason == ""


def test_a_refusal_names_the_command_that_rebuilds(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=f"build-engine {bundle.path} --precision int8") as caught:
        fitting_engine(bundle, replace(ORIN, tensorrt="10.13.0"))
    assert "\n" not in str(caught.value)


def test_an_engine_is_stale_once_the_model_was_quantised_again(bundle: Bundle) -> None:
    again = revise_bundle(bundle, {"model.int8.onnx": _other_model()})
    assert fitting_engine(again, ORIN).precision == "fp32"  # the best that still holds
    with pytest.raises(BundleError, match=r"model\.int8\.plan is stale .* --precision int8"):
        fitting_engine(again, ORIN, "int8")


def _other_model() -> bytes:
    from tests.support.tiny_bundle import model

    return model(seed=1)


def test_a_bundle_without_an_engine_says_how_to_build_one(tmp_path: Path) -> None:
    bare = make_bundle(tmp_path / "bare")
    with pytest.raises(BundleError, match=r"has no TensorRT engine: build it .* --precision int8"):
        listed_engines(bare)
    with pytest.raises(BundleError, match=r"no fp16 TensorRT engine: build it .* --precision fp16"):
        listed_engines(bare, "fp16")


def test_an_optimised_cpu_model_is_no_tensorrt_engine(bundle: Bundle) -> None:
    cpu = engine_for(bundle, path="engines/cpu/model.int8.ort", backend="onnxruntime")
    only = revise_bundle(bundle, {cpu.path: b"ort"}, engines=[cpu])
    with pytest.raises(BundleError, match="no TensorRT engine"):
        listed_engines(only)


def test_a_plan_that_was_altered_is_not_read(bundle: Bundle) -> None:
    engine = fitting_engine(bundle, ORIN)
    (bundle.path / engine.path).write_bytes(b"b plan")
    with pytest.raises(BundleError, match=r"not the plan that the manifest vouches for: .*build-engine"):
        vouched_plan(bundle, engine)
    (bundle.path / engine.path).unlink()
    with pytest.raises(BundleError, match=r"cannot be read .*build-engine"):
        vouched_plan(bundle, engine)


def test_the_list_of_files_and_the_engines_entry_must_agree(bundle: Bundle) -> None:
    """Somebody who swaps plan and files entry, but not the engine's own hash."""
    engine = replace(fitting_engine(bundle, ORIN), sha256=hashlib.sha256(b"another").hexdigest())
    with pytest.raises(BundleError, match="vouches for"):
        vouched_plan(bundle, engine)
