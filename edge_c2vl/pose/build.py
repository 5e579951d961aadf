"""Makes networks from the files in MediaPipe's wheel by a recipe, BlazePose's for one: folders as networks.py opens.

Needs the packages mediapipe 0.10.14 (for its files; it is not imported) and onnx. The vehicle needs neither.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.pose.convert import Converter
from edge_c2vl.pose.networks import FORMAT_VERSION, verify
from edge_c2vl.pose.quantise import in_int8
from edge_c2vl.pose.tflite import mediapipe_folder
from edge_c2vl.utils.atomic import put_in_place, temporary_beside

PRECISIONS = ("fp32", "fp16")
WHEEL = "mediapipe 0.10.14"
NOTICE = f"""BlazePose full: person detector and landmark network
Copyright The MediaPipe Authors (Google LLC)

Licensed under the Apache License, Version 2.0; see http://www.apache.org/licenses/LICENSE-2.0 and the file LICENSE of
Edge-C2VL. So say MediaPipe's licence and the model card "BlazePose GHUM 3D".

The files come from the Python package {WHEEL}. Changed for Edge-C2VL: converted from TensorFlow Lite to ONNX, sparse
weights written out, the outputs for segmentation and for landmarks in metres left out. No weight was altered, but for
landmarks.int8.onnx, whose weights are rounded to 8 bits.
"""


@dataclass(frozen=True)
class ModelSource:
    """A file in the wheel, its SHA-256, and the names of those of its outputs that are kept, by position."""

    path: str
    sha256: str
    outputs: dict[int, str]


@dataclass(frozen=True)
class Recipe:
    """What goes into a folder of networks. name, notice: of the manifest and of its licence; what: in messages.
    sources: by the networks' names. int8: the one of which there is an INT8 form (quantise.py)."""

    name: str
    what: str
    notice: str
    sources: Mapping[str, ModelSource]
    converter: type[Converter] = Converter
    precisions: tuple[str, ...] = PRECISIONS
    int8: str = ""


SOURCES = {
    "detector": ModelSource(
        "modules/pose_detection/pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        {0: "boxes", 1: "scores"},
    ),
    "landmarks": ModelSource(
        "modules/pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        {0: "landmarks", 1: "presence", 3: "heatmaps"},
    ),
}

BLAZEPOSE = Recipe("BlazePose full", "pose", NOTICE, SOURCES, int8="landmarks")


def build_networks(target: Path, overwrite: bool = False, recipe: Recipe = BLAZEPOSE) -> dict[str, Any]:
    """Writes the folder `target` whole or not at all, and returns its manifest. The same sources give the same bytes.

    Raises UsageError where the sources are missing or others than are known, EdgeC2VLError where `target` exists.
    """
    if target.exists() and not (overwrite and (target / "manifest.json").is_file()):
        raise EdgeC2VLError(f"{target} exists already: remove it, name another folder, or give --overwrite")
    files: dict[str, bytes] = {"NOTICE": recipe.notice.encode()}
    for name, source in recipe.sources.items():
        content = _read(source)
        for precision in recipe.precisions:
            graph, weights = recipe.converter(content, source.outputs, precision).convert(f"{name}.weights")
            files[f"{name}.{precision}.onnx"], files[f"{name}.weights"] = graph, weights
            if (name, precision) == (recipe.int8, "fp32"):
                files[f"{name}.int8.onnx"] = in_int8(graph, weights)
    manifest = {
        "format_version": FORMAT_VERSION,
        "name": recipe.name,
        "source": {"wheel": WHEEL, "files": {source.path: source.sha256 for source in recipe.sources.values()}},
        "licences": ["Apache-2.0: The MediaPipe Authors (Google LLC); see NOTICE"],
        "files": {
            name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        },
    }
    folder = temporary_beside(target)
    try:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
        for precision in (*recipe.precisions, *(["int8"] if recipe.int8 else [])):
            verify(folder, precision, tuple(recipe.sources), recipe.what)
        put_in_place(folder, target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return manifest


def _read(source: ModelSource) -> bytes:
    path = mediapipe_folder() / source.path
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != source.sha256:
        raise UsageError(f"{path} is not the file of {WHEEL}: install that version with pip install mediapipe==0.10.14")
    return content
