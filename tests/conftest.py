"""Fixtures that several tests use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def find_data() -> Path | None:
    """The folder of shared recordings: EDGE_C2VL_DATA, or shared/data beside the checkout."""
    named = os.environ.get("EDGE_C2VL_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def data_dir() -> Path:
    folder = find_data()
    if folder is None:
        pytest.skip("needs the shared recordings: set EDGE_C2VL_DATA or put them at ../shared/data")
    return folder
