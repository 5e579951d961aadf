"""BlazePose's two networks as files of ours, and how they are opened.

networks/manifest.json     where they come from, whose work they are, and size + SHA-256 of each file
networks/NAME.fp32.onnx    a graph that computes in FP32: image (1, 3, H, W) in; detector: boxes (1, 2254, 12), scores
                           (1, 2254, 1); landmarks: landmarks (1, 195), presence (1, 1), heatmaps (1, 39, 64, 64)
networks/NAME.fp16.onnx    the same in FP16, for GPUs
networks/NAME.weights      the weights of both, in half precision as in their source
"""

from __future__ import annotations

import hashlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.bundle.bundle import sha256
from edge_c2vl.device.cpu_cores import load_onnxruntime
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
        self.detector.close()
        self.landmarks.close()


def open_networks(providers: Sequence[str] = ("cpu",), threads: int = 1, folder: Path = FOLDER) -> Networks:
    """Verifies the files and opens both networks. In FP32; with TensorRT first among the providers in FP16.

    Raises BundleError where a file is missing, damaged or does not open, UsageError for a provider that there is not.
    """
    precision = precision_for(providers)
    identity = verify(folder, precision)
    detector, landmarks = (
        OnnxRuntimeNetwork(folder / f"{name}.{precision}.onnx", precision, providers, threads) for name in NAMES
    )
    return Networks(identity, detector, landmarks)


def open_fastest(threads: int = 1, folder: Path = FOLDER) -> Networks:
    """On a GPU by CUDA or on the CPU, where ONNX Runtime has both: what is faster here, measured at each start.

    TensorRT is left to who asks for it: ONNX Runtime would build its engine at each start, which takes minutes.

    Raises BundleError as `open_networks` does.
    """
    onnxruntime = load_onnxruntime()

    from edge_c2vl.inference.onnxruntime import PROVIDERS

    cpu = open_networks(("cpu",), threads, folder)
    if PROVIDERS["cuda"] not in onnxruntime.get_available_providers():
        return cpu
    try:
        cuda = open_networks(("cuda",), threads, folder)
    except BundleError as error:
        return replace(cpu, note=f"not cuda: {error}")
    if cuda.landmarks.name == cpu.landmarks.name:
        cuda.close()
        return replace(cpu, note="not cuda: ONNX Runtime found no GPU that it can use")
    taken_ms = [(latency_ms(networks.landmarks), networks) for networks in (cpu, cuda)]
    (fast_ms, fast), (slow_ms, slow) = sorted(taken_ms, key=lambda taken: taken[0])
    slow.close()
    return replace(fast, note=f"{fast_ms:.1f} ms, {slow.landmarks.name} takes {slow_ms:.1f} ms")


def latency_ms(landmarks: Network, times: int = 20) -> float:
    """The median time that the landmark network takes for a picture."""
    image = np.zeros((1, 3, 256, 256), np.float32)
    taken_ms = []
    for _ in range(5 + times):
        started = time.perf_counter()
        landmarks.run(image)
        taken_ms.append((time.perf_counter() - started) * 1e3)
    return float(np.median(taken_ms[5:]))


def precision_for(providers: Sequence[str]) -> str:
    return "fp16" if providers[0] == "tensorrt" else "fp32"


def verify(folder: Path, precision: str, names: Sequence[str] = NAMES, what: str = "pose") -> str:
    """Checks the files of one precision against the manifest; what the networks are. what: of MODELS they are.
    Raises BundleError."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        version, files = manifest["format_version"], manifest["files"]
        if version != FORMAT_VERSION:
            raise ValueError(f"it has format {version}, this version reads {FORMAT_VERSION}")
        wanted = [f"{name}.{ending}" for name in names for ending in (f"{precision}.onnx", "weights")]
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


def as_input(picture_bgr: NDArray[np.uint8], scale: float, shift: float) -> Array:
    """A picture (H, W, 3) as a network takes it: RGB, float32 (1, 3, H, W), times scale plus shift."""
    planes = np.empty((1, 3, *picture_bgr.shape[:2]), np.float32)
    np.multiply(picture_bgr[..., ::-1].transpose(2, 0, 1), np.float32(scale), out=planes[0], casting="unsafe")
    if shift:
        planes += np.float32(shift)
    return planes
