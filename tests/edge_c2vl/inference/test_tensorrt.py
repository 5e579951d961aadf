"""The TensorRT backend: what it does with memory, batches and graphs, against stand-ins that compute."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.errors import BundleError
from edge_c2vl.inference.cuda import Cuda
from edge_c2vl.inference.onnxruntime import OnnxRuntimeBackend
from edge_c2vl.inference.tensorrt import TensorRTBackend
from tests.support.engines import engine_for
from tests.support.fake_tensorrt import FakeContext, FakeTensorRT
from tests.support.tiny_bundle import clips, model


def backend_for(bundle: Bundle, fake: FakeTensorRT, batch: list[int]) -> TensorRTBackend:
    return TensorRTBackend(model(), engine_for(bundle, batch=batch), bundle.manifest, fake)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9, 20])
def test_batches_are_padded_and_split(bundle: Bundle, fake: FakeTensorRT, count: int) -> None:
    given = clips(count, seed=count)
    with backend_for(bundle, fake, [2, 4, 8]) as backend, OnnxRuntimeBackend(model(), "fp32") as reference:
        for _ in range(3):
            for found, expected in zip(backend.infer(given), reference.infer(given), strict=True):
                np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_repeated_shape_becomes_one_launch(bundle: Bundle, fake: FakeTensorRT) -> None:
    with backend_for(bundle, fake, [1, 1, 4]) as backend, OnnxRuntimeBackend(model(), "fp32") as reference:
        for number in range(5):
            one = clips(1, seed=number)  # new data each time: a graph that kept the old would show
            np.testing.assert_allclose(backend.infer(one)[0], reference.infer(one)[0], atol=1e-6)
        assert fake.cuda.launches == 4
        np.testing.assert_allclose(backend.infer(clips(3))[0], reference.infer(clips(3))[0], atol=1e-6)
        assert not fake.cuda.graphs  # the graph of the other shape is gone
        np.testing.assert_allclose(backend.infer(clips(1))[0], reference.infer(clips(1))[0], atol=1e-6)


def test_an_engine_that_cannot_be_captured_runs_as_it_is(bundle: Bundle, fake: FakeTensorRT) -> None:
    fake.cuda.can_capture = False
    with backend_for(bundle, fake, [1, 1, 1]) as backend, OnnxRuntimeBackend(model(), "fp32") as reference:
        for _ in range(3):
            np.testing.assert_allclose(backend.infer(clips(1))[0], reference.infer(clips(1))[0], atol=1e-6)
    assert fake.cuda.launches == 0


def test_results_outlive_the_next_inference(bundle: Bundle, fake: FakeTensorRT) -> None:
    with backend_for(bundle, fake, [1, 1, 1]) as backend:
        first, _ = backend.infer(clips(1, seed=1))
        kept = first.copy()
        backend.infer(clips(1, seed=2))
        np.testing.assert_array_equal(first, kept)


def test_closing_gives_everything_back_once(bundle: Bundle, fake: FakeTensorRT) -> None:
    backend = backend_for(bundle, fake, [1, 1, 2])
    for _ in range(3):
        backend.infer(clips(2))
    assert backend.gpu_ms(clips(1), times=3) == [0.25] * 3
    backend.close()
    backend.close()
    assert fake.cuda.held == {}
    with pytest.raises(RuntimeError, match="closed"):
        backend.infer(clips(1))


@pytest.mark.parametrize(
    ("call", "after"),
    [
        ("cuStreamCreate", 0),
        ("cuMemAllocHost_v2", 0),
        ("cuMemAllocHost_v2", 2),
        ("cuMemAlloc_v2", 0),
        ("cuMemAlloc_v2", 2),
    ],
)
def test_what_does_not_open_gives_back_what_it_had_taken(
    bundle: Bundle, fake: FakeTensorRT, call: str, after: int
) -> None:
    fake.cuda.broken[call], fake.cuda.works[call] = 2, after
    with pytest.raises(BundleError, match=f"CUDA failed in {call}: CUDA_ERROR_OUT_OF_MEMORY"):
        backend_for(bundle, fake, [1, 1, 1])
    assert fake.cuda.held == {}


def test_a_failure_of_the_binding_gives_everything_back(
    bundle: Bundle, fake: FakeTensorRT, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_context: FakeContext, name: str, _address: int) -> None:
        if name == "embedding":
            raise RuntimeError("no such tensor")

    monkeypatch.setattr(FakeContext, "set_tensor_address", fail)
    with pytest.raises(RuntimeError, match="no such tensor"):
        backend_for(bundle, fake, [1, 1, 1])
    assert fake.cuda.held == {}


def test_one_thing_that_cannot_be_given_back_keeps_nothing_else(bundle: Bundle, fake: FakeTensorRT) -> None:
    backend = backend_for(bundle, fake, [1, 1, 1])
    fake.cuda.broken["cuStreamSynchronize"] = 700
    with pytest.raises(BundleError, match="cuStreamSynchronize"):
        backend.close()
    assert fake.cuda.held == {}
    # TensorRT's objects go before the context of CUDA that they work in.
    assert backend._plan._context is backend._plan._engine is None


def test_a_second_event_that_cannot_be_made_leaves_no_first_one(fake: FakeTensorRT) -> None:
    fake.cuda.broken["cuEventCreate"], fake.cuda.works["cuEventCreate"] = 2, 1
    with Cuda() as cuda, pytest.raises(BundleError, match="cuEventCreate"):
        cuda.timed_ms(lambda: None)
    assert fake.cuda.held == {}


def test_a_batch_that_tensorrt_does_not_take(bundle: Bundle, fake: FakeTensorRT) -> None:
    with backend_for(bundle, fake, [1, 1, 9]) as backend, pytest.raises(BundleError, match="batch of 9"):
        backend.infer(clips(9))


def test_inference_in_another_thread_than_the_one_that_opened_it(bundle: Bundle, fake: FakeTensorRT) -> None:
    with backend_for(bundle, fake, [1, 1, 1]) as backend, ThreadPoolExecutor(1) as pool:
        here = backend.infer(clips(1))[0]
        np.testing.assert_array_equal(pool.submit(backend.infer, clips(1)).result()[0], here)
