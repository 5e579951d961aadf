"""Flags for each TensorRT version, what is said where it is missing, and the command itself."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

import cli
from edge_c2vl.bundle.bundle import Bundle, revise_bundle
from edge_c2vl.errors import BundleError, UsageError
from edge_c2vl.inference.engine_build import best_precision, checking_clips
from edge_c2vl.inference.plan import BuildOptions, Flags, choose_flags
from tests.support.tiny_bundle import FRAMES, make_bundle


@pytest.mark.parametrize(
    ("version", "precision", "expected"),
    [
        ((8, 6, 2), "int8", Flags("int8", ("EXPLICIT_BATCH",), ("INT8", "FP16"))),
        ((8, 6, 2), "fp16", Flags("fp32", ("EXPLICIT_BATCH",), ("FP16",))),
        ((8, 6, 2), "fp32", Flags("fp32", ("EXPLICIT_BATCH",), ())),
        ((10, 3, 0), "int8", Flags("int8", ("STRONGLY_TYPED",), ())),
        ((10, 13, 3), "fp16", Flags("fp16", ("STRONGLY_TYPED",), ())),
        ((10, 16, 0), "fp32", Flags("fp32", ("STRONGLY_TYPED",), ())),
        ((11, 0, 0), "int8", Flags("int8", (), ())),
        ((11, 4, 0), "fp16", Flags("fp16", (), ())),
    ],
)
def test_flags(version: tuple[int, ...], precision: str, expected: Flags) -> None:
    assert choose_flags(version, precision) == expected


def test_flags_on_request() -> None:
    # Before 11 the DLA takes no strongly typed network.
    assert choose_flags((8, 6, 2), "fp16", dla=0) == Flags("fp32", ("EXPLICIT_BATCH",), ("FP16", "GPU_FALLBACK"))
    assert choose_flags((10, 3, 0), "fp16", dla=1) == Flags("fp32", ("EXPLICIT_BATCH",), ("FP16", "GPU_FALLBACK"))
    assert choose_flags((11, 4, 1), "int8", dla=1) == Flags("int8", (), ("GPU_FALLBACK",))
    assert choose_flags((11, 4, 0), "int8", version_compatible=True).builder == ("VERSION_COMPATIBLE",)


@pytest.mark.parametrize("version", [(8, 5, 3), (7, 2, 1)])
def test_too_old(version: tuple[int, ...]) -> None:
    with pytest.raises(BundleError, match="8.6 or newer"):
        choose_flags(version, "int8")


@pytest.mark.parametrize("version", [(10, 8, 0), (10, 13, 3), (11, 3, 0), (11, 4, 0)])
def test_versions_without_a_dla(version: tuple[int, ...]) -> None:
    with pytest.raises(BundleError, match="no DLA"):
        choose_flags(version, "int8", dla=0)


@pytest.mark.parametrize("version", [(8, 6, 2), (10, 3, 0)])
def test_versions_whose_dla_takes_no_qdq(version: tuple[int, ...]) -> None:
    with pytest.raises(BundleError, match="--precision fp16 with --dla"):
        choose_flags(version, "int8", dla=0)


def test_the_dla_has_one_batch_size() -> None:
    assert BuildOptions(dla=0, batch=(4, 4, 4)).batch == (4, 4, 4)
    with pytest.raises(UsageError, match="one batch size"):
        BuildOptions(dla=0, batch=(1, 2, 4))


def test_the_dla_has_no_fp32() -> None:
    with pytest.raises(UsageError, match="INT8 and FP16 only"):
        choose_flags((10, 3, 0), "fp32", dla=0)


@pytest.mark.parametrize("batch", [(2, 1, 4), (1, 5, 4), (0, 1, 1)])
def test_batches_that_make_no_sense(batch: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError, match="MIN <= OPT <= MAX"):
        BuildOptions(batch=batch)


def test_best_precision(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b")
    assert best_precision(bundle, "auto") == "int8"
    with pytest.raises(BundleError, match="edge-c2vl quantize"):
        best_precision(bundle, "fp16")


def packed(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def test_clips_to_check_with(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b")
    assert checking_clips(bundle).shape == (32, 3, FRAMES, 25)
    own = np.ones((5, 3, FRAMES, 25), np.float16)
    found = checking_clips(revise_bundle(bundle, {"calibration.npz": packed(clips=own)}))
    assert found.dtype == np.float32
    assert found.shape == own.shape


@pytest.mark.parametrize(
    "content",
    [
        b"no zip",
        packed(other=np.ones(3)),
        packed(clips=np.ones((2, 3, FRAMES + 1, 25))),
        packed(clips=np.full((2, 3, FRAMES, 25), np.nan)),
        packed(clips=np.array([{"pickle": 1}], dtype=object)),
    ],
    ids=["junk", "no clips", "shape", "nan", "pickle"],
)
def test_clips_that_cannot_be_used(tmp_path: Path, content: bytes) -> None:
    bundle = revise_bundle(make_bundle(tmp_path / "b"), {"calibration.npz": content})
    with pytest.raises(BundleError, match="edge-c2vl quantize") as caught:
        checking_clips(bundle)
    assert "\n" not in str(caught.value)


def run(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    code = stopped.value.code
    return code if isinstance(code, int) else 0


def test_without_tensorrt_one_line_says_what_to_install(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        import tensorrt  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("TensorRT is installed here")
    make_bundle(tmp_path / "b")
    before = (tmp_path / "b" / "manifest.json").read_bytes()
    assert run(["build-engine", str(tmp_path / "b")]) == 1
    error = capfd.readouterr().err.strip()
    assert error.startswith("error: TensorRT's Python binding is missing")
    assert "install" in error
    assert "\n" not in error
    assert (tmp_path / "b" / "manifest.json").read_bytes() == before


def test_the_command_for_this_cpu(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is measured, in processes of their own, is in test_opening.py."""
    row = {"p50_ms": 1.0, "p95_ms": 2.0}
    monkeypatch.setattr("edge_c2vl.inference.benchmark.cpu_latency", lambda *_: {"int8": row, "fp32": row})
    make_bundle(tmp_path / "b")
    cli.main(["build-engine", str(tmp_path / "b"), "--backend", "onnxruntime", "--precision", "int8", "--json"])
    result = json.loads(capfd.readouterr().out)
    assert result["path"].endswith("model.int8.ort")
    assert result["measured"]["same_decision_as_fp32"] == 1
    assert Bundle.open(tmp_path / "b").manifest.engines[0].sha256 == result["sha256"]


def test_wrong_batch_on_the_command_line(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    assert run(["build-engine", str(tmp_path / "b"), "--batch", "4", "2", "1"]) == 2
