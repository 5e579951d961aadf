"""What runs the pose networks fastest on this machine."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_c2vl.device.cpu_cores import load_onnxruntime
from edge_c2vl.errors import BundleError
from edge_c2vl.inference.providers import PROVIDERS
from edge_c2vl.pose.engines import has_engines, open_engines
from edge_c2vl.pose.networks import FOLDER, Network, Networks, open_networks

if TYPE_CHECKING:
    from edge_c2vl.bundle.bundle import Bundle

log = logging.getLogger("edge_c2vl")


def open_fastest(threads: int = 1, folder: Path = FOLDER, bundle: Bundle | None = None) -> Networks:
    """What is fastest here, measured at each start: the CPU; CUDA, where ONNX Runtime has it; the TensorRT plans of the
    bundle, where it has some. What does not open or run is left out, and the note says why. Raises BundleError as
    `open_networks` does.

    INT8 is left to who asks for it: it moves p(distracted) by a hundredth, at times by several.
    ONNX Runtime's own TensorRT is no candidate: it would build its engine at each start, which takes minutes.
    """
    cpu = open_networks(("cpu",), threads, folder)
    others: dict[str, Callable[[], Networks]] = {}
    if PROVIDERS["cuda"] in load_onnxruntime().get_available_providers():
        others["cuda"] = lambda: open_networks(("cuda",), threads, folder)
    if bundle is not None and has_engines(bundle):
        others["tensorrt"] = lambda: open_engines(bundle)
    taken_ms: list[tuple[float, Networks]] = []
    notes: list[str] = []
    for name, opener in others.items():
        try:
            networks = opener()
            if networks.landmarks.name == cpu.landmarks.name:
                networks.close()
                raise BundleError("ONNX Runtime found no GPU that it can use")
            taken_ms.append((_measured(networks), networks))
        except BundleError as error:
            notes.append(f"not {name}: {error}")
            if name == "tensorrt":  # built for this vehicle: whoever runs it without a terminal has to learn of it too
                log.warning("the bundle's engines of the pose networks cannot be used: %s", error)
    if not taken_ms:
        return replace(cpu, note="; ".join(notes))
    taken_ms.append((latency_ms(cpu.landmarks), cpu))
    (fast_ms, fast), *slower = sorted(taken_ms, key=lambda taken: taken[0])
    for slow_ms, slow in slower:
        notes.append(f"{_shown(slow.landmarks)} takes {slow_ms:.1f} ms")
        slow.close()
    return replace(fast, note=", ".join([f"{_shown(fast.landmarks)}: {fast_ms:.1f} ms", *notes]))


def _measured(networks: Networks) -> float:
    """See latency_ms. Closes what cannot be run; raises BundleError then."""
    try:
        return latency_ms(networks.landmarks)
    except BundleError:
        with contextlib.suppress(BundleError):  # after a failure of CUDA this fails as well, for the same reason
            networks.close()
        raise


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
