"""A bundle small enough to be made in each test, with every precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edge_c2vl.bundle.bundle import Bundle, Manifest, write_bundle
from edge_c2vl.skeletons.clip import ClipSpec

FRAMES, LABELS, SIZE = 8, ["attentive", "distracted"], 4


def model(seed: int = 0) -> bytes:
    """clip -> mean over frames and joints -> two linear layers."""
    random = np.random.default_rng(seed)
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    weights = [
        onnx.numpy_helper.from_array(random.normal(size=(3, size)).astype(np.float32), name)
        for name, size in (("wl", len(LABELS)), ("we", SIZE))
    ]
    nodes = [
        helper.make_node("GlobalAveragePool", ["clip"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "wl"], ["logits"]),
        helper.make_node("MatMul", ["flat", "we"], ["e"]),
        helper.make_node("LpNormalization", ["e"], ["embedding"], axis=1),
    ]
    inputs = [helper.make_tensor_value_info("clip", float32, ["N", 3, FRAMES, 25])]
    outputs = [
        helper.make_tensor_value_info("logits", float32, ["N", len(LABELS)]),
        helper.make_tensor_value_info("embedding", float32, ["N", SIZE]),
    ]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    proto: Any = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = proto.SerializeToString()
    return content


def make_bundle(path: Path, **manifest: Any) -> Bundle:
    """fp32 and int8 hold the same network; the rest of the manifest as given."""
    files: dict[str, Path | bytes] = {f"model.{precision}.onnx": model() for precision in ("fp32", "int8")}
    values = {
        "name": "tiny",
        "labels": LABELS,
        "distraction": ["distracted"],
        "clip": ClipSpec(frames=FRAMES),
        "embedding_size": SIZE,
    }
    return write_bundle(path, Manifest(**(values | manifest)), files)


def clips(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 3, FRAMES, 25)).astype(np.float32)
