"""Where Q/DQ pairs stand decides how fast ONNX Runtime is with them: the placement of this project beside others.

    python benchmarks/int8_placement.py bundles/ucla --threads 1

The values do not matter here, so ranges come from noise. Each model is measured in processes of its own, in turns; the
round with the lowest median counts.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from calibration.quantize import insert_qdq, layers, load_folded, ranged_tensors
from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.inference.onnxruntime import OnnxRuntimeBackend
from edge_c2vl.utils.own_process import in_own_process


def inputs_only(model: Any) -> Any:
    """Without the pairs behind the convolutions: what TensorRT's guide advises."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    behind = {node.output[0]: node.input[0] for node in copy.graph.node if "/out" in node.output[0]}
    kept = [node for node in copy.graph.node if "/out" not in node.output[0]]
    for node in kept:
        for index, name in enumerate(node.input):
            while name in behind:
                name = behind[name]
            node.input[index] = name
    del copy.graph.node[:]
    copy.graph.node.extend(kept)
    return copy


def by_onnxruntime(source: Path, target: Path, frames: int, activations: str) -> None:
    """What onnxruntime.quantization makes: pairs around every Conv, MatMul, Gemm and Add."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Noise(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = 8

        def get_next(self) -> dict[str, Any] | None:
            if self.left == 0:
                return None
            self.left -= 1
            return {"clip": np.random.default_rng(self.left).normal(size=(1, 3, frames, 25)).astype(np.float32)}

    symmetric = activations == "QInt8"
    quantize_static(
        source,
        target,
        Noise(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv", "MatMul", "Gemm", "Add"],
        per_channel=True,
        activation_type=QuantType[activations],
        weight_type=QuantType.QInt8,
        extra_options={
            "ActivationSymmetric": symmetric,
            "WeightSymmetric": True,
            "QuantizeBias": not symmetric,
            "AddQDQPairToWeight": symmetric,
        },
    )


def measure(path: str, threads: int, times: int) -> dict[str, Any]:
    with OnnxRuntimeBackend(Path(path), "", threads=threads) as backend:
        clip = np.random.default_rng(0).normal(size=(1, *backend.clip_shape)).astype(np.float32)
        taken_ms = []
        for number in range(times + 5):
            started = time.perf_counter()
            backend.infer(clip)
            if number >= 5:
                taken_ms.append((time.perf_counter() - started) * 1e3)
    return {"p50_ms": float(np.median(taken_ms))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    bundle = Bundle.open(given.bundle)
    model = load_folded(bundle.model_path())
    ours = insert_qdq(model, layers(model), dict.fromkeys(ranged_tensors(layers(model)), 4.0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        onnx.save(model, folder / "fp32.onnx")
        onnx.save(ours, folder / "around convolutions (this project).onnx")
        onnx.save(inputs_only(ours), folder / "at convolutions' inputs only.onnx")
        for activations, title in (("QInt8", "symmetric int8"), ("QUInt8", "asymmetric uint8, not for TensorRT")):
            target = folder / f"around Conv, MatMul, Gemm, Add; {title}.onnx"
            by_onnxruntime(folder / "fp32.onnx", target, bundle.manifest.clip.frames, activations)
        paths = sorted(folder.glob("*.onnx"), key=lambda path: path.stat().st_mtime_ns)
        found: dict[str, list[float]] = {path.stem: [] for path in paths}
        for _ in range(given.rounds):
            for path in paths:
                found[path.stem].append(in_own_process(measure, str(path), given.threads, given.times)["p50_ms"])
    print(f"{given.threads} thread(s), batch 1, load {os.getloadavg()[0]:.1f}")
    print("| pairs | p50 ms | faster than FP32 |\n|---|---|---|")
    for title, values in found.items():
        print(f"| {title} | {min(values):.2f} | {min(found['fp32']) / min(values):.2f} |")


if __name__ == "__main__":
    main()
