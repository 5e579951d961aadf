"""An endpoint for captions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.captions import Server


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Server()
    yield made
    made.close()
