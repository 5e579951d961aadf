"""The page as a run shows it."""

from __future__ import annotations

import pytest

from edge_c2vl.outputs.page import Page
from tests.support.page import ABOUT


@pytest.fixture
def page():
    opened = Page("127.0.0.1:0", ABOUT)
    yield opened
    opened.close()
