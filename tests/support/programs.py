"""Free ports, and programs that a test needs."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from tests.support.videos import ffmpeg

BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[3] / "shared" / "data"


def find_data() -> Path | None:
    """The folder of shared recordings: EDGE_C2VL_DATA, or shared/data beside the checkout."""
    named = os.environ.get("EDGE_C2VL_DATA")
    folder = Path(named) if named else BESIDE_THE_CHECKOUT
    return folder if folder.is_dir() else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def needs(program: str, package: str | None = None) -> str:
    """The program's path, or a skip that names the Debian package. ffmpeg comes from a wheel."""
    if program == "ffmpeg":
        return ffmpeg()
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        pytest.skip(f"needs {program}: apt install {package or program}")
    return path
