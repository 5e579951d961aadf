"""BlazePose's two networks as files of ours, and how they are opened.

networks/manifest.json     where they come from, whose work they are, and size + SHA-256 of each file
networks/NAME.fp32.onnx    a graph that computes in FP32: image (1, 3, H, W) in; detector: boxes (1, 2254, 12), scores
                           (1, 2254, 1); landmarks: landmarks (1, 195), presence (1, 1), heatmaps (1, 39, 64, 64)
networks/NAME.fp16.onnx    the same in FP16, for GPUs
networks/NAME.weights      the weights of both, in half precision as in their source
networks/landmarks.int8.onnx  the same with most of its convolutions in INT8, whose weights are inside, for CPUs
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.bundle.bundle import sha256
from edge_c2vl.errors import BundleError
from edge_c2vl.skeletons.skeleton import Array

FOLDER = Path(__file__).parent / "networks"
NAMES = ("detector", "landmarks")
FORMAT_VERSION = 1
MODELS = {"pose": "blazepose", "face": "attention-mesh"}
MEND = "install it again with pip install --force-reinstall --no-deps edge-c2vl"


class Network(ABC):
    """An open network. `name`: the engine that runs it ("onnxruntime:cpu"). `precision`: what it computes in."""

    name: str
    precision: str

    @abstractmethod
    def run(self, image: Array) -> dict[str, Array]:
        """image: float32 (1, 3, H, W), as the network's own file says. Its answers by name, float32."""

    @abstractmethod
    def close(self) -> None: ...


class OnnxRuntimeNetwork(Network):
    """providers: short names, in the order that they are tried in."""

    def __init__(self, model: Path, precision: str, providers: Sequence[str], threads: int) -> None:
        from edge_c2vl.inference.onnxruntime import open_session, used_provider

        # Threads that spin take the core that the camera and the encoder need: 20 to 88 ms beside other work.
        self._session: Any = open_session(model, precision, providers, threads, spin=False)
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.name, self.precision = f"onnxruntime:{used_provider(self._session)}", precision

    def run(self, image: Array) -> dict[str, Array]:
        return dict(zip(self._outputs, self._session.run(self._outputs, {"image": image}), strict=True))

    def close(self) -> None:
        self._session = None


@dataclass(frozen=True)
class Networks:
    """identity: changes when what they answer does. note: why these and no others, where that was measured."""

    identity: str
    detector: Network
    landmarks: Network
    note: str = ""

    def close(self) -> None:
        with contextlib.closing(self.landmarks):  # also where the detector's does not close
            self.detector.close()


def open_networks(
    providers: Sequence[str] = ("cpu",), threads: int = 1, folder: Path = FOLDER, precision: str = ""
) -> Networks:
    """Verifies the files and opens both networks on ONNX Runtime. precision: left out, FP32, and FP16 with TensorRT
    first among the providers; "int8" is the landmark network's, and FP32 for the detector.

    Raises BundleError where a file is missing, damaged or does not open, UsageError for a provider that there is not.
    """
    precision = precision or precision_for(providers)
    identity = verify(folder, precision)
    detector, landmarks = (
        OnnxRuntimeNetwork(folder / graph_file(name, precision), precision, providers, threads) for name in NAMES
    )
    return Networks(identity, detector, landmarks)


def precision_for(providers: Sequence[str]) -> str:
    return "fp16" if providers[0] == "tensorrt" else "fp32"


def graph_file(name: str, precision: str) -> str:
    """Of INT8 there is the landmark network alone: the detector runs only where nobody is followed."""
    return f"{name}.{'fp32' if (name, precision) == ('detector', 'int8') else precision}.onnx"


def verify(folder: Path, precision: str, names: Sequence[str] = NAMES, what: str = "pose") -> str:
    """Checks the files of one precision against the manifest; what the networks are. what: of MODELS they are.
    Raises BundleError."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        version, files = manifest["format_version"], manifest["files"]
        if version != FORMAT_VERSION:
            raise ValueError(f"it has format {version}, this version reads {FORMAT_VERSION}")
        wanted = [file for name in names for file in (graph_file(name, precision), f"{name}.weights")]
        entries = {name: (files[name]["size"], files[name]["sha256"]) for name in wanted}
    except (OSError, ValueError, TypeError, KeyError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise BundleError(f"the manifest of the {what} networks in {folder} cannot be used ({why}): {MEND}") from None
    for name, (size, digest) in entries.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size or sha256(path) != digest:
            raise BundleError(f"{path} is missing or was altered (its SHA-256 is not the manifest's): {MEND}")
    digests = "".join(digest for _, digest in entries.values())
    return f"{MODELS[what]} {precision} {hashlib.sha256(digests.encode()).hexdigest()[:12]}"


def digest(folder: Path, name: str, precision: str) -> str:
    """One SHA-256 for a network's graph and weights, by the manifest, which `verify` has checked."""
    files = json.loads((folder / "manifest.json").read_text("utf-8"))["files"]
    parts = [files[file]["sha256"] for file in (graph_file(name, precision), f"{name}.weights")]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def as_input(picture_bgr: NDArray[np.uint8], scale: float, shift: float) -> Array:
    """A picture (H, W, 3) as a network takes it: RGB, float32 (1, 3, H, W), times scale plus shift."""
    planes = np.empty((1, 3, *picture_bgr.shape[:2]), np.float32)
    np.multiply(picture_bgr[..., ::-1].transpose(2, 0, 1), np.float32(scale), out=planes[0], casting="unsafe")
    if shift:
        planes += np.float32(shift)
    return planes
