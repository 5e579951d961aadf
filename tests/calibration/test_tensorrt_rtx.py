"""NVIDIA's own ONNX parser and builder on every model that is exported, without a GPU.

TensorRT-RTX's come as wheels and run on the CPU. They load and run nothing, and what they build fits no Jetson: what is
seen is that TensorRT's parser takes each model and that its builder can build it.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

from calibration.quantize import insert_qdq, layers, load_folded, ranged_tensors, to_fp16
from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.pose.networks import FOLDER as NETWORKS

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
# The second carries the builder and the parser beside a provider for ONNX Runtime.
WHEELS = ("tensorrt-rtx-cu13-bindings==1.7.1.116", "onnxruntime-ep-nv-tensorrt-rtx-cu13==0.5.0")
LIBRARIES = ("libtensorrt_rtx", "libtensorrt_onnxparser_rtx")


@pytest.fixture(scope="module")
def rtx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to be put on the path, in which `tensorrt` is TensorRT-RTX."""
    if platform.machine() != "x86_64" or sys.platform != "linux":
        pytest.skip("TensorRT-RTX's wheels are for Linux on x86-64")
    folder = tmp_path_factory.mktemp("rtx")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--target",
        folder,
    ]
    done = subprocess.run([*command, *WHEELS], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"TensorRT-RTX's wheels cannot be had for this Python: {done.stderr.strip().splitlines()[-1]}")
    carried = folder / "onnxruntime_ep_nv_tensorrt_rtx"
    for start in LIBRARIES:
        library = next(carried.glob(f"{start}.so.*"))
        (folder / "tensorrt_rtx_bindings" / f"{start}.so.1").symlink_to(library)
    (folder / "tensorrt").mkdir()
    (folder / "tensorrt" / "__init__.py").write_text(
        "from tensorrt_rtx_bindings import *\nfrom tensorrt_rtx_bindings import __version__\n"
    )
    return folder


def build(rtx: Path, folder: Path, jobs: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    (folder / "jobs.json").write_text(json.dumps(jobs))
    places = f"{rtx}{os.pathsep}{ROOT}"
    libraries = f"{rtx / 'tensorrt_rtx_bindings'}{os.pathsep}{rtx / 'onnxruntime_ep_nv_tensorrt_rtx'}"
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.build_plans", folder / "jobs.json"],
        env=os.environ | {"PYTHONPATH": places, "LD_LIBRARY_PATH": libraries},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {told["label"]: told for told in map(json.loads, done.stdout.splitlines())}


def job(
    label: str, model: Path, precision: str, shapes: dict[str, list[int]], batch: list[int], version: list[int]
) -> Any:
    named = f"{label} {precision} batch {batch[2]} TensorRT {version[0]}"
    return {
        "label": named,
        "model": str(model),
        "precision": precision,
        "shapes": shapes,
        "batch": batch,
        "version": version,
    }


def test_every_exported_model_builds(
    rtx: Path, tmp_path: Path, trained_bundle: Path, joined_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = []
    for name, path in {"graph": trained_bundle, "joined": joined_bundle}.items():
        folded = load_folded(path / "model.fp32.onnx")
        found = layers(folded)
        ranges = dict.fromkeys(ranged_tensors(found), 4.0)
        forms = {"fp32": folded, "fp16": to_fp16(folded), "int8": insert_qdq(folded, found, ranges)}
        frames = Bundle.open(path).manifest.clip.frames
        for precision, model in forms.items():
            file = tmp_path / f"{name}.{precision}.onnx"
            onnx.save(model, file)
            for batch in ([1, 1, 1], [1, 4, 8]):
                jobs.append(job(name, file, precision, {"clip": [3, frames, 25]}, batch, [10, 13]))
    default = Bundle.open("default")
    for precision in default.precisions:
        shapes = {"clip": [3, default.manifest.clip.frames, 25]}
        for version in ([10, 13], [11, 4]):
            jobs.append(job("default", default.model_path(precision), precision, shapes, [1, 1, 1], version))
    for name in ("detector", "landmarks"):
        for precision in ("fp32", "fp16"):
            file = NETWORKS / f"{name}.{precision}.onnx"
            jobs.append(job(name, file, precision, {}, [1, 1, 1], [10, 13]))
    told = build(rtx, tmp_path, jobs)
    with capsys.disabled():
        for label, one in told.items():
            kinds = ", ".join(f"{count} {kind}" for kind, count in one["layers"].items())
            print(f"\n{label}: {one['error'] or one['bytes']} ({kinds})", end="")
    assert {label: one["error"] for label, one in told.items() if one["error"]} == {}
    assert set(told) == {entry["label"] for entry in jobs}
    assert all(one["bytes"] > 10_000 for one in told.values())
    assert any(kind.startswith("QUANTIZE") for kind in told["default int8 batch 1 TensorRT 10"]["layers"])


def test_a_bad_model_is_seen(rtx: Path, tmp_path: Path) -> None:
    """A convolution whose weights do not fit its input, and an operator that there is not."""
    shape = [1, 3, 8, 25]
    entries = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in ("clip", "logits")]
    weights = helper.make_tensor("w", onnx.TensorProto.FLOAT, [4, 5, 1, 1], [0.0] * 20)
    nodes = {
        "misfit": helper.make_node("Conv", ["clip", "w"], ["logits"]),
        "unknown": helper.make_node("NoSuchOperator", ["clip"], ["logits"]),
    }
    jobs = []
    for name, node in nodes.items():
        graph = helper.make_graph([node], "bad", entries[:1], entries[1:], [weights])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / f"{name}.onnx")
        jobs.append(job(name, tmp_path / f"{name}.onnx", "fp32", {}, [1, 1, 1], [10, 13]))
    told = build(rtx, tmp_path, jobs)
    assert len(told) == 2
    assert all(one["error"] for one in told.values())
