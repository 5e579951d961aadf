"""What runs the pose networks fastest on this machine."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_c2vl.device.cpu_cores import load_onnxruntime
from edge_c2vl.errors import BundleError
from edge_c2vl.inference.onnxruntime import PROVIDERS
from edge_c2vl.pose.engines import has_engines, open_engines
from edge_c2vl.pose.networks import FOLDER, Network, Networks, open_networks

if TYPE_CHECKING:
    from edge_c2vl.bundle.bundle import Bundle


log = logging.getLogger("edge_c2vl")
# INT8 moves landmarks by a hundredth of the shoulders' breadth: it has to be faster by a quarter to be taken.
INT8_GAIN = 1.25


def open_fastest(threads: int = 1, folder: Path = FOLDER, bundle: Bundle | None = None, int8: bool = False) -> Networks:
    """What is fastest here, measured at each start: the CPU, with int8=True in INT8 too; CUDA, where ONNX Runtime has
    it; the TensorRT plans of the bundle, where it has some. Raises BundleError as `open_networks` does.

    ONNX Runtime's own TensorRT is no candidate: it would build its engine at each start, which takes minutes.
    """
    opened, notes = [open_networks(("cpu",), threads, folder)], []
    others: dict[str, Callable[[], Networks]] = {}
    if int8:
        others["int8"] = lambda: open_networks(("cpu",), threads, folder, "int8")
    if PROVIDERS["cuda"] in load_onnxruntime().get_available_providers():
        others["cuda"] = lambda: open_networks(("cuda",), threads, folder)
    if bundle is not None and has_engines(bundle):
        others["tensorrt"] = lambda: open_engines(bundle)
    for name, opener in others.items():
        try:
            networks = opener()
        except BundleError as error:
            notes.append(f"not {name}: {error}")
            if name == "tensorrt":  # built for this vehicle: whoever runs it without a terminal has to learn of it too
                log.warning("the bundle's engines of the pose networks cannot be used: %s", error)
            continue
        if name == "cuda" and networks.landmarks.name == opened[0].landmarks.name:
            networks.close()
            notes.append(f"not {name}: ONNX Runtime found no GPU that it can use")
            continue
        opened.append(networks)
    if len(opened) == 1:
        return replace(opened[0], note="; ".join(notes))
    taken_ms = [(latency_ms(networks.landmarks), networks) for networks in opened]
    (fast_ms, fast), *slower = sorted(taken_ms, key=lambda taken: taken[0] * _handicap(taken[1].landmarks))
    for slow_ms, slow in slower:
        notes.append(f"{_shown(slow.landmarks)} takes {slow_ms:.1f} ms")
        slow.close()
    return replace(fast, note=", ".join([f"{_shown(fast.landmarks)}: {fast_ms:.1f} ms", *notes]))


def _handicap(network: Network) -> float:
    return INT8_GAIN if network.precision == "int8" else 1.0


def _shown(network: Network) -> str:
    return f"{network.name} {network.precision}"


def latency_ms(landmarks: Network, times: int = 20) -> float:
    """The median time that the landmark network takes for a picture."""
    image = np.zeros((1, 3, 256, 256), np.float32)
    taken_ms = []
    for _ in range(5 + times):
        started = time.perf_counter()
        landmarks.run(image)
        taken_ms.append((time.perf_counter() - started) * 1e3)
    return float(np.median(taken_ms[5:]))
