"""The face's network as a file of ours, in the same form as BlazePose's (pose/networks.py).

networks/mesh.fp32.onnx    image (1, 3, 192, 192) in, RGB in [0, 1]; landmarks (1, 478, 3) and presence (1, 1, 1, 1) out
networks/mesh.weights      the weights, in half precision as in their source
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_c2vl.pose.networks import Network, OnnxRuntimeNetwork, verify

FOLDER = Path(__file__).parent / "networks"
NAMES = ("mesh",)


def open_mesh(providers: Sequence[str] = ("cpu",), threads: int = 1, folder: Path = FOLDER) -> tuple[str, Network]:
    """Verifies the files and opens the network: its identity, and it.

    Raises BundleError where a file is missing, damaged or does not open, UsageError for a provider that there is not.
    """
    identity = verify(folder, "fp32", NAMES, "face")
    return identity, OnnxRuntimeNetwork(folder / "mesh.fp32.onnx", "fp32", providers, threads)
