"""Waits until something is so."""

from __future__ import annotations

import time


def wait_for(condition, timeout_s=5.0):
    """Until `condition` holds; fails after a time that only a hang reaches."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
