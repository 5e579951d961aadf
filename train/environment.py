"""What a run was made with: versions, git commit, command line."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import edge_c2vl

_PACKAGES = ("torch", "lightning-fabric", "numpy", "scikit-learn", "onnx", "onnxruntime", "onnxscript", "safetensors")


def describe_environment() -> dict[str, Any]:
    """Versions of what matters to a result, the checkout's commit where there is one, and the arguments."""
    versions = {"edge-c2vl": edge_c2vl.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "versions": versions,
        "machine": f"{platform.system()} {platform.machine()}",
        "git": git_commit(),
        "arguments": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def git_commit() -> str:
    """The checkout's commit, with "+changes" where tracked files differ from it; "" outside a checkout."""
    folder = Path(__file__).resolve().parent.parent
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit + ("+changes" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "--no-optional-locks", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()
