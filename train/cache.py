"""Where what can be made again is kept: clips, features, archives made on the way."""

from __future__ import annotations

import os
from pathlib import Path


def default_cache() -> Path:
    """EDGE_C2VL_CACHE, or edge-c2vl in the user's cache folder."""
    named = os.environ.get("EDGE_C2VL_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "edge-c2vl"
