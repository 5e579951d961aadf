"""Opening a bundle's TensorRT engine: what is taken, and what is refused before it is loaded. Against stand-ins that
compute."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from edge_c2vl.bundle.bundle import Bundle, revise_bundle
from edge_c2vl.errors import BundleError
from edge_c2vl.inference import cuda as cuda_module
from edge_c2vl.inference.cuda import Cuda
from edge_c2vl.inference.select import open_backend
from edge_c2vl.inference.tensorrt import TensorRTBackend
from tests.support.engines import engine_for
from tests.support.fake_tensorrt import FakeTensorRT
from tests.support.tiny_bundle import clips, model


def listed(bundle: Bundle, **change: Any) -> Bundle:
    """The bundle with an engine as the fake GPU would have built it."""
    plan = model()
    entry = engine_for(bundle, gpu="Fake GPU", tensorrt="10.3.0", sha256=hashlib.sha256(plan).hexdigest())
    entry = replace(entry, **change)
    return revise_bundle(bundle, {entry.path: plan}, engines=[entry])


@pytest.mark.parametrize("change", [{"gpu": "Other GPU"}, {"sha256": "0" * 64}], ids=["other device", "damaged"])
def test_an_engine_that_is_refused_leaves_the_gpu(bundle: Bundle, fake: FakeTensorRT, change: dict[str, str]) -> None:
    with pytest.raises(BundleError, match="build-engine"):
        TensorRTBackend.open(listed(bundle, **change))
    assert fake.cuda.held == {}


def test_auto_takes_tensorrt_where_an_engine_fits(
    bundle: Bundle, fake: FakeTensorRT, caplog: pytest.LogCaptureFixture
) -> None:
    with open_backend(listed(bundle)) as backend:
        assert (backend.unused_engine, caplog.messages) == ("", [])
        assert (backend.name, backend.precision, backend.note) == ("tensorrt", "int8", "")
        assert backend.infer(clips(1))[0].shape == (1, 2)
    assert fake.seen["host_code"] is False


def test_only_a_version_compatible_engine_may_bring_code(bundle: Bundle, fake: FakeTensorRT) -> None:
    open_backend(listed(bundle, version_compatible=True), "tensorrt").close()
    assert fake.seen["host_code"] is True


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tensorrt": "10.13.0"}, "was built by TensorRT 10.13.0"),
        ({"gpu": "Orin"}, "was built for Orin"),
        ({"sm": "9.0"}, "was built for Fake GPU"),
        ({"model_sha256": "0" * 64}, "is stale"),
        ({"sha256": "0" * 64}, "vouches for"),
    ],
)
def test_what_does_not_fit_is_never_deserialised(bundle: Bundle, fake: FakeTensorRT, change: dict, why: str) -> None:
    refused = listed(bundle, **change)
    with pytest.raises(BundleError, match=f"{why}.*build-engine {bundle.path} --precision int8") as caught:
        open_backend(refused, "tensorrt")
    assert "\n" not in str(caught.value)
    with open_backend(refused) as backend:  # auto goes on without it, and says so
        assert backend.name == "onnxruntime:cpu"
        assert why in backend.note
    assert fake.seen["deserialised"] == []


def test_a_plan_swapped_after_the_bundle_was_verified(bundle: Bundle, fake: FakeTensorRT) -> None:
    opened = listed(bundle)
    (opened.path / opened.manifest.engines[0].path).write_bytes(b"something that runs")
    with pytest.raises(BundleError, match="vouches for"):
        open_backend(opened, "tensorrt")
    assert fake.seen["deserialised"] == []


def test_a_plan_that_tensorrt_rejects(bundle: Bundle, fake: FakeTensorRT) -> None:
    fake.broken = "load"
    with pytest.raises(BundleError, match="cannot load .* magic tag mismatch"):
        open_backend(listed(bundle), "tensorrt")


def test_no_gpu(bundle: Bundle, fake: FakeTensorRT) -> None:
    fake.cuda.gpus = 0
    with pytest.raises(BundleError, match="no GPU"):
        open_backend(listed(bundle), "tensorrt")


def test_an_engine_that_cannot_be_used_is_logged_whoever_asked_for_quiet(
    bundle: Bundle, fake: FakeTensorRT, caplog: pytest.LogCaptureFixture
) -> None:
    fake.cuda.broken["cuInit"] = 100
    with open_backend(listed(bundle)) as backend:
        assert "CUDA failed in cuInit: CUDA_ERROR_NO_DEVICE" in backend.unused_engine
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "running on onnxruntime:cpu, because the bundle's engine cannot be used: tensorrt: CUDA" in caplog.text
    with open_backend(bundle) as backend:  # a bundle without an engine misses nothing
        assert backend.unused_engine == ""
    assert len(caplog.records) == 1


def test_no_cuda(bundle: Bundle, fake: FakeTensorRT, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(cuda_module, "LIBRARY", "libno-such-cuda.so.1")
    with pytest.raises(BundleError, match=r"libno-such-cuda.so.1.*it comes with NVIDIA's driver"):
        Cuda()


def test_no_tensorrt(bundle: Bundle) -> None:
    try:
        import tensorrt  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("TensorRT is installed here")
    with pytest.raises(BundleError, match=r"TensorRT's Python binding is missing: .*install"):
        open_backend(listed(bundle), "tensorrt")
