"""A small bundle, and TensorRT on a GPU as far as the code can tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_c2vl.bundle.bundle import Bundle
from tests.support.fake_tensorrt import FakeTensorRT, install
from tests.support.tiny_bundle import make_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "b")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeTensorRT:
    """TensorRT 10.3."""
    return install(monkeypatch, tmp_path, "10.3.0")
