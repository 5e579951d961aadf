"""What the fault runs watch."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.videos import Recordings


@pytest.fixture(scope="session")
def film(recording: Recordings) -> Path:
    """Eight seconds of a drawn driver, attentive and on the phone, ten pictures a second."""
    return recording("story.mp4")


@pytest.fixture
def disk(tmp_path):
    """A disk of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mount.returncode:
        pytest.skip(f"needs to mount a tmpfs, for which it has to be root: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
