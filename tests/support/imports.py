"""Which packages a statement imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Heavy, or not part of the core install: an edge_c2vl module that imports one at its top would break a vehicle.
FORBIDDEN = ("torch", "train", "calibration", "pandas", "pyarrow", "onnx", "sklearn", "lightning_fabric")


def imported(statement: str) -> set[str]:
    """Names of the top-level packages in sys.modules after a statement, in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split("\n")[-2].split())
