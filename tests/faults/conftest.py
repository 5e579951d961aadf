"""What the fault runs watch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.videos import Recordings


@pytest.fixture(scope="session")
def film(recording: Recordings) -> Path:
    """Eight seconds of a drawn driver, attentive and on the phone, ten pictures a second."""
    return recording("story.mp4")
